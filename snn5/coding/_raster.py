"""A small raster of one sample's spikes, as JSON."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor


def raster(trains: Sequence[Tensor], *, serial: bool, sample: int = 0, most: int = 32) -> list[dict[str, Any]]:
    """The spikes of one sample, a text of 0 and 1 per neuron, one character per step.

    Args:
        trains: spikes of the inputs and of each hidden layer, each [T, N, F].
        serial: the layers' windows follow one another (TTFS) rather than run side by side (rate).
        sample: which one of N.
        most: neurons to show per hidden layer; all inputs are shown.

    Returns:
        Per layer: `layer` name, `start` (step at which its window opens) and `rows`.
    """
    layers: list[dict[str, Any]] = []
    for number, s_TNF in enumerate(trains):
        s_TF = s_TNF[:, sample].detach()
        shown = s_TF.shape[1] if number == 0 else min(most, s_TF.shape[1])
        rows = ["".join("1" if spike else "0" for spike in s_TF[:, neuron].tolist()) for neuron in range(shown)]
        layers.append({"layer": f"hidden{number}" if number else "input", "start": number * len(s_TF) if serial else 0, "rows": rows})
    return layers
