"""What a code costs: spikes, synaptic operations, neuron updates, latency."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Means per sample, except where it says otherwise.

    Attributes:
        spikes: per layer that sends spikes, inputs first.
        synops: accumulations per layer that receives spikes: spikes of the layer before x its fan-out; the inputs' spikes count too.
        neurons: per layer that sends spikes, inputs first.
        most: the largest number of spikes that any single neuron (or input) gave to any sample.
    """

    spikes: list[float]
    synops: list[float]
    neurons: list[int]
    most: int

    def metrics(self, *, time_steps: int, windows: int, updates: int) -> dict[str, float]:
        """The figures by their standard names.

        Args:
            time_steps: T, steps of a layer's window.
            windows: windows that follow one another from the first input to the answer; the latency is windows x T steps.
            updates: changes of a neuron's state per sample that the clock alone causes.
        """
        hidden, count = sum(self.spikes[1:]), sum(self.neurons[1:])
        return {
            "cost/synops": sum(self.synops),
            "cost/synops_input": self.synops[0],
            "cost/synops_hidden": sum(self.synops[1:]),
            "cost/input_spikes": self.spikes[0],
            "cost/spikes_per_input": self.spikes[0] / self.neurons[0],
            "cost/hidden_spikes": hidden,
            "cost/spikes_per_neuron": hidden / count,
            "cost/spike_rate": hidden / count / time_steps,
            "cost/spikes_per_neuron_max": float(self.most),
            "cost/neuron_updates": float(updates),
            "cost/latency_steps": float(windows * time_steps),
        }

    def details(self) -> dict[str, list[float]]:
        """Per layer that sends spikes, inputs first."""
        per_neuron = [s / n for s, n in zip(self.spikes, self.neurons, strict=True)]
        return {"spikes": self.spikes, "synops": self.synops, "spikes_per_neuron": per_neuron}


def count(trains: Sequence[Tensor], fan_out: Sequence[int]) -> Cost:
    """Count the spikes of one forward pass.

    Args:
        trains: spikes of the inputs and of each hidden layer, each [T, N, F].
        fan_out: targets of one spike of each of them, i.e. the size of the layer after it.

    Raises:
        UserError: not as many fan-outs as trains.
    """
    if len(trains) != len(fan_out):
        raise UserError(f"{len(trains)} spike trains and {len(fan_out)} fan-outs; need one fan-out per layer that sends spikes")
    per_neuron = [s.detach().sum(0) for s in trains]
    spikes = [float(n.sum(1).double().mean()) for n in per_neuron]
    return Cost(
        spikes=spikes,
        synops=[n * f for n, f in zip(spikes, fan_out, strict=True)],
        neurons=[s.shape[2] for s in trains],
        most=int(max(float(n.max()) for n in per_neuron)),
    )
