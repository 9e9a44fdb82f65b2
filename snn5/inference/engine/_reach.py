"""Where an event's weights go, for the convolutions that are added event by event (see `_scatter`).

Along one axis an event at i reaches the outputs o = (i + padding - k) / stride, for the kernel's taps k that leave no remainder. Those
taps, the last first, reach neighbouring outputs: so the weights of an event lie one behind the other in the order of what they reach.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snn5.inference.engine import _table as k

if TYPE_CHECKING:
    from snn5.hardware import Synapses

BYTE, SHORT = 127, 32767
LANES = 64  # neurons that take a step together
FEW = 64  # channels of a position; with more, lists of events pay as well, and lay out less (see `_rows`)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis of a convolution.

    Attributes:
        order: its taps as their weights are to lie. first, taps, place: of each input: the first output that it reaches (it may lie outside
            the image), how many, and where in `order` their taps begin. inside: how many of the outputs exist.
        before, behind: the most outputs outside the image that an input reaches, on either side.
    """

    order: NDArray[np.int64]
    first: NDArray[np.int64]
    taps: NDArray[np.int64]
    place: NDArray[np.int64]
    inside: NDArray[np.int64]
    before: int
    behind: int


def axis(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> Axis:
    """Of `inputs` and `outputs` pixels."""
    phases = [np.arange(kernel)[r::stride][::-1] for r in range(stride)]
    places = np.cumsum([0, *map(len, phases)])
    at = np.arange(inputs) + padding
    phase = at % stride
    taps = np.array([len(phases[r]) for r in phase])
    first = np.array([(i - phases[r][0]) // stride if len(phases[r]) else 0 for i, r in zip(at, phase, strict=True)])
    inside = np.clip(np.minimum(first + taps, outputs) - np.maximum(first, 0), 0, None)
    before, behind = max(0, -int(first.min())), max(0, int((first + taps).max()) - outputs)
    return Axis(order=np.concatenate(phases), first=first, taps=taps, place=places[phase], inside=inside, before=before, behind=behind)


def scattered(synapses: "Sequence[Synapses]", shape: tuple[int, int, int], padded: int, given: str) -> bool:
    """Whether a population's sums are made event by event: convolutions of int8 weights whose rows are whole vectors; of the network's
    input alone (`given`), or of spikes alone, if the sums fit into 16 bits and a position has few channels or each channel hears its own.
    """
    if not synapses or any(s.kind != "conv" for s in synapses) or shape[2] * padded % LANES or (LANES % padded and padded % LANES):
        return False
    own, from_input = [s.groups > 1 for s in synapses], [s.source == given for s in synapses]
    flat = [np.asarray(s.weight, np.int64).reshape(shape[0], -1) for s in synapses]
    if max(int(np.abs(w).max(initial=0)) for w in flat) > BYTE:
        return False
    if any(from_input):
        return all(from_input) and not any(own) and padded <= FEW
    if any(s.groups > 1 and (s.groups, 1) != s.weight.shape[:2] for s in synapses) or (padded > FEW and not all(own)):
        return False
    up, down = (sum(np.maximum(sign * w, 0).sum(1) for w in flat) for sign in (1, -1))
    return max(up.max(), down.max()) <= SHORT


def images(
    p: NDArray[np.int64],
    begin: int,
    synapses: "Sequence[Synapses]",
    sources: Sequence[tuple[int, tuple[int, int, int]]],
    rows: list[NDArray[np.int64]],
    arena: list[NDArray[Any]],
    places: dict[tuple[Any, ...], NDArray[np.int64]],
    reaches: list[NDArray[np.int64]],
) -> int:
    """Lay out a population with scattered sums: its row p of the table, its synapses' `rows`, their weights and what their events reach.

    Args:
        begin: where its image may begin. sources: row and shape of each source.

    Returns:
        Where the next image may begin.
    """
    padded, height, width = (int(p[column]) for column in (k.PADDED, k.HEIGHT, k.WIDTH))
    axes = []
    for one, (_, (_, h, w)) in zip(synapses, sources, strict=True):
        (kh, kw), stride, padding = one.weight.shape[2:], one.stride, one.padding
        axes.append((axis(h, height, kh, stride, padding), axis(w, width, kw, stride, padding)))
    top, left, bottom, right = (max(getattr(pair[i], side) for pair in axes) for side in ("before", "behind") for i in (0, 1))
    line = (left + width + right) * padded
    end = begin + (top + height + bottom) * line
    p[[k.IMAGE_AT, k.IMAGE_ROW, k.IMAGE_BEGIN, k.IMAGE_END]] = begin + top * line + left * padded, line, begin, end
    for one, (source, _), (down, across) in zip(synapses, sources, axes, strict=True):
        kernel_row = one.weight.shape[3] * padded
        key = (id(one.weight), one.stride, "scattered")
        if key not in places:
            places[key] = np.array([sum(map(len, arena))])
            arena.append(_arranged(np.asarray(one.weight, np.int64), down, across, padded).astype(np.int8).ravel())
        row = np.zeros(k.SYNAPSES, np.int64)
        row[[k.SOURCE, k.GROUPED, k.WEIGHT_AT]] = source, one.groups > 1, places[key][0]
        row[k.GROUP_OUT] = one.weight.shape[0] // one.groups
        row[[k.ROW, k.LINE]] = one.weight.shape[2] * kernel_row, kernel_row
        for column, table in ((k.REACH_X, _table(across, padded, padded, padded)), (k.REACH_Y, _table(down, line, kernel_row, 1))):
            row[column] = 1 + sum(one.size for one in reaches)
            reaches.append(table)
        rows.append(row)
    return end


def _arranged(weight: NDArray[np.int64], down: Axis, across: Axis, padded: int) -> NDArray[np.int64]:
    """[out, in, ky, kx] as [in, ky, kx, out], taps in the order of the axes, channels filled up with zeros."""
    made = weight[:, :, down.order][:, :, :, across.order].transpose(1, 2, 3, 0)
    return np.pad(made, ((0, 0), (0, 0), (0, 0), (0, padded - weight.shape[0])))


def _table(axis: Axis, step: int, tap: int, lanes: int) -> NDArray[np.int64]:
    """Four numbers an input: how far its first output lies from the image's first, `step` an output; how many numbers (or lines) it adds,
    `lanes` a tap; where its weights begin, `tap` a tap; how many of the outputs exist."""
    return np.stack([axis.first * step, axis.taps * lanes, axis.place * tap, axis.inside], 1)
