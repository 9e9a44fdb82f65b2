"""LIF whose potential is a whole number of steps (P4.2, after MINT): the step is that of the weights before it, so that it cancels.

With step s, currents X = s x and potentials U = s u, all of them whole numbers times s, hard reset to 0:

    u <- clip(round(m u / 256) + x)      leak m/256, m = round(256 (1 - 1/tau)); 256 for integrate-and-fire
    fire if u >= ceil(Theta / s)         Theta = tau V_th with decay_input (U stands for tau V, so that no current is divided), else V_th
    u <- 0 where it fired

`integer_lif` does this on integers alone. `MembraneLIF` does it in floats that learn (rounding passes gradients unchanged); with s a power
of two every operation is exact in float32 while |m u| < 2^24, so both give the same spikes. Currents that are no multiples of s (those of
the layer that sees the image) are rounded to them. Rounding is half to even.
Source: Yin et al., MINT, ASP-DAC 2024, arXiv 2305.09850 (shared scale); its leak is 1/2, a shift, which is m = 128 here.
"""

import math
from collections.abc import Callable

import torch
from spikingjelly.activation_based import base
from torch import Tensor

from snn5.errors import UserError
from snn5.neurons._lif import IF, LIF, PLIF

LEAK_ONE = 256


def integer_lif(x_TN: Tensor, *, leak: int, threshold: int, bits: int) -> Tensor:
    """Spikes of integer currents, in integer arithmetic.

    Args:
        x_TN: int64, time first. leak: m, 0 to 256. threshold: in steps, >= 1. bits: of u, signed.

    Shape: x_TN... -> spikes, int64 of 0 and 1.
    """
    high = 2 ** (bits - 1) - 1
    u, spikes = torch.zeros_like(x_TN[0]), []
    for x in x_TN:
        product = leak * u
        kept = torch.div(product + LEAK_ONE // 2, LEAK_ONE, rounding_mode="floor")
        tie = product.remainder(LEAK_ONE) == LEAK_ONE // 2
        kept = kept - (tie & (kept.remainder(2) == 1)).long()  # half goes to the even one
        u = (kept + x).clamp(-high, high)
        s = (u >= threshold).long()
        u = u * (1 - s)
        spikes.append(s)
    return torch.stack(spikes)


class MembraneLIF(base.MemoryModule):
    """The neuron of a network with integer potentials.

    Args:
        neuron: the LIF, PLIF or IF that it takes the place of; what a PLIF learned is kept, rounded to 1/256, and learns no more.
        bits: of u, signed, 2 to 16.

    Attributes:
        step: s, shape [1], a buffer. step_now: while weights are trained, asks for their present step; else None.
        leak, threshold, gain: m/256, Theta, and what U is over V (tau or 1), buffers of shape [1].

    Shape: currents x_TN... -> spikes s_TN... in {0, 1}; the state v (the potential U) stays until `functional.reset_net`.

    Raises:
        UserError: another neuron, a reset to something else than 0, or bits out of range.
    """

    step: Tensor
    leak: Tensor
    threshold: Tensor
    gain: Tensor
    v: Tensor | float

    def __init__(self, neuron: base.MemoryModule, bits: int) -> None:
        super().__init__()
        if not isinstance(neuron, LIF | PLIF | IF) or neuron.v_reset != 0.0:
            reset = getattr(neuron, "v_reset", None)
            raise UserError(f"{type(neuron).__name__} with v_reset={reset} has no integer form here; need lif, plif or if with v_reset=0")
        if not 2 <= bits <= 16:
            raise UserError(f"membrane_bits={bits}; need 2 to 16")
        self.bits, self.surrogate_function, self.step_mode = bits, neuron.surrogate_function, "m"
        self.step_now: Callable[[], Tensor] | None = None
        self.register_memory("v", 0.0)
        share = 0.0 if isinstance(neuron, IF) else neuron.w.sigmoid().item() if isinstance(neuron, PLIF) else 1 / neuron.tau
        gain = 1 / share if share and neuron.decay_input else 1.0
        numbers = {"step": 1.0, "leak": round(LEAK_ONE * (1 - share)) / LEAK_ONE, "threshold": gain * neuron.v_threshold, "gain": gain}
        for name, value in numbers.items():
            self.register_buffer(name, torch.tensor([value], dtype=torch.float32))

    def integers(self) -> dict[str, int]:
        """`leak`, `threshold` and `bits` for `integer_lif`."""
        threshold = math.ceil(self.threshold.double().item() / self.step.double().item())
        return {"leak": round(self.leak.item() * LEAK_ONE), "threshold": threshold, "bits": self.bits}

    def single_step_forward(self, x: Tensor) -> Tensor:
        """One step: current [N, ...] -> spikes."""
        step = self.step if self.step_now is None else self.step_now().detach()
        high = 2.0 ** (self.bits - 1) - 1
        h = self.leak * self.v + x
        u = ((self.leak * self.v / step).round() + (x / step).round()).clamp(-high, high)
        h = (u * step).detach() + (h - h.detach())  # the bracket is exactly zero; the value must be exact
        theta = (self.threshold / step).ceil() * step
        s: Tensor = self.surrogate_function((h - theta) / self.gain)
        self.v = h * (1 - s.detach())
        return s

    def multi_step_forward(self, x_TN: Tensor) -> Tensor:
        """All steps."""
        return torch.stack([self.single_step_forward(x) for x in x_TN])

    def extra_repr(self) -> str:
        return f"bits={self.bits}"
