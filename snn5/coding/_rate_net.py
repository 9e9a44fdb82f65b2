"""The rate-coded network that TTFS is judged against."""

from collections.abc import Callable, Sequence

import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn

from snn5.coding._rate import rate


def integrate_and_fire() -> nn.Module:
    """IF with soft reset, so that a rate is the drive it codes: V[t] = V[t-1] + X[t] - S[t-1], S[t] = H(V[t] - 1); trained with ATan(2)."""
    return neuron.IFNode(v_threshold=1.0, v_reset=None, surrogate_function=surrogate.ATan(alpha=2.0), detach_reset=True, step_mode="m")


class RateNet(nn.Module):
    """Fully connected layers with spiking neurons between them; regular rate code in, output potentials averaged over T as logits.

    Args:
        sizes: neurons per layer, inputs first, classes last.
        time_steps: T.
        generator: source of the initial weights (nn.Linear's distribution).
        spiking: makes one layer of neurons, SpikingJelly's multi-step kind.
    """

    def __init__(
        self, sizes: Sequence[int], *, time_steps: int, generator: torch.Generator, spiking: Callable[[], nn.Module] = integrate_and_fire
    ) -> None:
        super().__init__()
        self.time_steps = time_steps
        self.linears = nn.ModuleList(nn.utils.skip_init(nn.Linear, i, o) for i, o in zip(sizes, sizes[1:], strict=False))
        for linear in self.linears:
            for parameter in linear.parameters():
                nn.init.uniform_(parameter, -(linear.in_features**-0.5), linear.in_features**-0.5, generator=generator)
        self.neurons = nn.ModuleList(spiking() for _ in sizes[1:-1])

    def forward(self, x_NI: Tensor) -> Tensor:
        """Intensities in [0, 1] -> logits [N, K]."""
        return self.spikes(x_NI)[1]

    def spikes(self, x_NI: Tensor) -> tuple[list[Tensor], Tensor]:
        """The trains of the inputs and of each hidden layer, each [T, N, F], and the logits [N, K]."""
        functional.reset_net(self)
        trains = [rate(x_NI, self.time_steps)]
        *hidden, last = self.linears
        for linear, spiking in zip(hidden, self.neurons, strict=True):
            trains.append(spiking(linear(trains[-1])))
        return trains, last(trains[-1].mean(0))  # the read-out is linear, so it may come after the mean
