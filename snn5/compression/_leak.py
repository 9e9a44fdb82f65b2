"""What a neuron's membrane makes of its input if it never spikes: a leaky sum over the steps.

    z[t] = keep z[t-1] + gain x[t],  z[-1] = 0

It is M x of the van Rossum distance (kernel gain keep^t), and because it is linear it can be run on a layer's inputs instead of on its
currents. `LEAKS` says what each neuron keeps; a neuron with numbers per channel answers their mean, since the inputs that H is made of are
shared by all channels. The gain cancels in every choice that is made with H; it is kept so that distances are those of the paper.
Source: Shi, Li, Ward-Cherrier, Spiking Brain Compression, arXiv 2506.03996.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.neurons import GLIF, IF, LIF, PLIF, AdaptiveLIF, TTFSLatch


class Leak(NamedTuple):
    """Shares per step: `keep` of the potential in [0, 1], `gain` of the input, > 0."""

    keep: float
    gain: float


NO_MEMORY = Leak(0.0, 1.0)  # M = identity: a ReLU, or no neuron at all


def _lif(neuron: Any) -> Leak:
    return Leak(1 - 1 / neuron.tau, 1 / neuron.tau if neuron.decay_input else 1.0)


def _plif(neuron: Any) -> Leak:
    share = float(neuron.w.detach().double().sigmoid())
    return Leak(1 - share, share if neuron.decay_input else 1.0)


def _adaptive(neuron: Any) -> Leak:
    numbers = neuron.effective()
    return Leak(float(numbers["M"].double().mean()), 1.0)


def _glif(neuron: Any) -> Leak:
    """Exponential leak; the linear leak is a constant and the gates of a DynamicGLIF are taken at rest (its W = 0)."""
    numbers = {name: value.double() for name, value in neuron.effective().items()}
    return Leak(float((1 - numbers["alpha"] + numbers["alpha"] * numbers["tau"]).mean()), 1.0)


LEAKS: dict[type[nn.Module], Callable[[Any], Leak]] = {
    LIF: _lif,
    PLIF: _plif,
    IF: lambda _neuron: Leak(1.0, 1.0),
    AdaptiveLIF: _adaptive,
    GLIF: _glif,
    TTFSLatch: lambda _neuron: Leak(1.0, 1.0),
    nn.ReLU: lambda _neuron: NO_MEMORY,
}


def is_activation(module: nn.Module) -> bool:
    """A neuron with a known leak, or a twin's ReLU."""
    return any(cls in LEAKS for cls in type(module).__mro__)


def leak_of(neuron: nn.Module) -> Leak:
    """The leak of a neuron.

    Raises:
        UserError: `LEAKS` has no rule for it.
    """
    rule = next((LEAKS[cls] for cls in type(neuron).__mro__ if cls in LEAKS), None)
    if rule is None:
        raise UserError(f"no leak is known for {type(neuron).__name__}; add it to snn5.compression.LEAKS")
    return rule(neuron)


def leaky_sum(x_TN: Tensor, leak: Leak) -> Tensor:
    """z of x, in float64.

    Args:
        x_TN: steps first, any further axes. leak: see `Leak`.
    """
    z_TN = leak.gain * x_TN.double()
    if leak.keep != 0:
        for step in range(1, len(z_TN)):
            z_TN[step] += leak.keep * z_TN[step - 1]
    return z_TN


def van_rossum(a_TN: Tensor, b_TN: Tensor, leak: Leak) -> tuple[float, float]:
    """||M a - M b||^2 and ||M a||^2, summed over everything."""
    difference = leaky_sum(a_TN.double() - b_TN.double(), leak)
    return float(torch.sum(difference**2)), float(torch.sum(leaky_sum(a_TN, leak) ** 2))
