"""An IntegerNetwork as flat arrays and two tables, which is what the compiled loop reads.

Weights lie as [in, ky, kx, out], so that one event's rows are contiguous in the output channels; a dense layer is a convolution whose
kernel is as large as its source. What the weights of a bundle have in common is taken out; what is left is kept in as few bytes as hold it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snn5.errors import UserError
from snn5.inference.engine import _table as k
from snn5.inference.engine._reach import images, scattered

if TYPE_CHECKING:
    from snn5.hardware import IntegerNetwork, Population, Readout, Synapses

LANES, SLACK, LINE = 16, 64, 64  # a line of the cache, bytes; vectors write up to SLACK numbers behind what is asked
MOST = 2**31 - 1
V_MAX = 2**23 - 1
NEVER = 2**30  # a threshold that no 24-bit potential reaches
SMALL = 15  # |weights| up to here: sums of 8 and more rows fit into 8 bits
INPUT = "input"


@dataclass(frozen=True, kw_only=True)
class Program:
    """What does not change while the network runs.

    Attributes:
        tables: populations, synapses, int8, int16 and int32 weights, 64 x bias, 64 x threshold (the read-out's bias as it is), strides,
            what events reach (see `_reach`).
        sizes: lengths of the flat arrays of a worker's state, those of one step where they hold several.
        input_limit: largest |number| of the input for which no sum can leave 32 bits.
        names: of the rows of the table of populations. recorded: name -> (where its spikes begin, shape).
    """

    tables: tuple[NDArray[Any], ...]
    sizes: dict[str, int]
    time_steps: int
    input_limit: int
    names: tuple[str, ...]
    recorded: dict[str, tuple[int, tuple[int, int, int]]]

    def state(self) -> tuple[NDArray[Any], ...]:
        """Memory of one worker; nothing in it need be cleared between samples."""
        size, steps = self.sizes, self.time_steps
        words = [_zeros(size[name], np.int32) for name in ("v", "static")]
        words += [_zeros(steps * size[name], np.int32) for name in ("sums", "event", "event", "start", "shift", "list", "list", "value")]
        counts = np.zeros((2, steps), np.int64)
        return (
            *words,
            np.zeros(size["live"], np.bool_),
            np.zeros(size["v"], np.bool_),
            counts,
            _zeros(size["image"], np.int16),
            _zeros(size["input"], np.int32),
        )


def lay_out(network: "IntegerNetwork") -> Program:
    """The program of a network.

    Raises:
        UserError: a source that no earlier population has, or weights so large that a sum could leave 32 bits.
    """
    shapes: list[tuple[int, int, int]] = [network.input_shape, *(p.shape for p in network.populations), (len(network.readout.bias), 1, 1)]
    names = (INPUT, *(p.name for p in network.populations), "read-out")
    pops = np.zeros((len(names), k.POPULATION), np.int64)
    longest_row = -(-max(_padded(s[0]) for s in shapes) // LINE) * LINE
    arenas: list[list[NDArray[Any]]] = [[np.zeros(longest_row, kind)] for kind in (np.int8, np.int16, np.int32)]
    rows: list[NDArray[np.int64]] = []
    places: dict[tuple[Any, ...], NDArray[np.int64]] = {}
    at = dict.fromkeys(("v", "channel", "event", "start", "live", "record", "static", "shift", "image", "input"), 0)
    biases, thresholds, limit, longest, listed = [], [], MOST, 0, 0
    reaches: list[NDArray[np.int64]] = []
    recorded = {}
    for row, (name, (channels, height, width)) in enumerate(zip(names, shapes, strict=True)):
        p, padded, size = pops[row], _padded(channels), height * width
        p[[k.CHANNELS, k.PADDED, k.HEIGHT, k.WIDTH]] = channels, padded, height, width
        columns = (k.V_AT, k.CHANNEL_AT, k.EVENT_AT, k.START_AT, k.POSITION_AT, k.STATIC_AT)
        for column, key in zip(columns, ("v", "channel", "event", "start", "live", "static"), strict=True):
            p[column] = at[key]
        at["event"] += channels * size + SLACK
        at["start"] += size + 1
        if row == 0:
            continue
        node: Population | Readout = network.populations[row - 1] if row <= len(network.populations) else network.readout
        synapses = sorted(node.synapses, key=lambda s: s.source != INPUT)
        p[k.FIRST], p[k.COUNT], p[k.FROM_INPUT] = len(rows), len(synapses), sum(s.source == INPUT for s in synapses)
        is_readout, bias = row == len(names) - 1, np.asarray(node.bias, np.int64)
        limit = min(limit, _input_limit(name, synapses, bias, channels, is_readout))
        for one in synapses:
            if one.source not in names[:row]:
                raise UserError(f"{name}: its source {one.source!r} is no earlier population; known here: {', '.join(names[:row])}")
            _check_shape(one, shapes[names.index(one.source)], shapes[row], name)
        if not is_readout and not getattr(node, "once", False) and scattered(synapses, shapes[row], padded, INPUT):
            sources = [(names.index(one.source), shapes[names.index(one.source)]) for one in synapses]
            kind = "input" if p[k.FROM_INPUT] else "image"
            p[k.SCATTERED], at[kind] = 1, images(p, at[kind], synapses, sources, rows, arenas[0], places, reaches)
            synapses = []
        for one in synapses:
            source = names.index(one.source)
            rows.append(_bundle(one, source, shapes[source], (channels, height, width), name, arenas, places))
            rows[-1][k.SHIFT_AT] = at["shift"]
            at["shift"] += math.prod(shapes[source]) + SLACK
            together = len(rows) > p[k.FIRST] + 1 and _alike(rows[-2], rows[-1])
            if together:
                rows[-2][k.MORE] = 1
            field = int(rows[-1][k.KERNEL_H] * rows[-1][k.KERNEL_W]) * shapes[source][0]
            listed = listed * together + field
            longest = max(longest, listed + SLACK)
        many = max(1, 64 // padded) if p[k.SCATTERED] else 1  # positions that take their step together
        at["channel"] += many * padded
        at["static"] += size * padded if p[k.FROM_INPUT] and not p[k.SCATTERED] else 0
        biases.append(np.tile(_pad(bias if is_readout else 64 * bias, 0), many))
        if is_readout:
            thresholds.append(_pad(np.zeros(channels, np.int64), NEVER))
            continue
        neurons = network.populations[row - 1]
        p[k.KEEP], p[k.QUIET] = 4096 - neurons.decay, _quiet(neurons, bias)
        thresholds.append(np.tile(_pad(np.minimum(64 * np.asarray(neurons.threshold, np.int64), NEVER), NEVER), many))
        p[k.ONCE] = neurons.once
        p[k.RECORD_AT], recorded[name] = at["record"], (at["record"], neurons.shape)
        at["v"] += size * padded
        at["live"] += size
        at["record"] += channels * size
    joined = [np.concatenate(parts) for parts in arenas]
    if max(map(len, joined)) > MOST:
        raise UserError(f"{max(map(len, joined))} weights; the engine can hold {MOST}")
    sizes = {
        **{key: at[key] + SLACK for key in ("v", "static", "event", "start", "shift", "live", "record", "image", "input")},
        **{"sums": max(_padded(s[0]) for s in shapes), "list": longest, "value": math.prod(network.input_shape) + SLACK},
    }
    strides = np.array([sizes[key] for key in ("event", "start", "shift", "list", "sums", "value")], np.int64)
    reach = np.concatenate([np.zeros(1, np.int64), *(one.ravel() for one in reaches)]).astype(np.int32)
    by_channel = (_aligned(np.concatenate(values)) for values in (biases, thresholds))
    tables = (pops, np.stack(rows), *map(_aligned, joined), *by_channel, strides, reach)
    return Program(tables=tables, sizes=sizes, time_steps=network.time_steps, input_limit=limit, names=names, recorded=recorded)


def _zeros(count: int, kind: Any) -> NDArray[Any]:
    """Zeros that begin where a line of the cache does: a vector across two lines is two accesses, and numpy begins anywhere."""
    size = count * np.dtype(kind).itemsize
    raw = np.zeros(size + LINE, np.uint8)
    begin = -raw.ctypes.data % LINE
    return raw[begin : begin + size].view(kind)


def _aligned(values: NDArray[Any]) -> NDArray[Any]:
    made = _zeros(len(values), values.dtype)
    made[:] = values
    return made


def _padded(channels: int) -> int:
    """A multiple of 16; 64 from 33 to 64 channels, so that the sums can be scattered (see `_reach`)."""
    return 64 if 32 < channels <= 64 else -(-channels // LANES) * LANES


def _pad(values: NDArray[np.int64], fill: int) -> NDArray[np.int32]:
    return np.pad(values, (0, _padded(len(values)) - len(values)), constant_values=fill).astype(np.int32)


def _quiet(node: "Population", bias: NDArray[np.int64]) -> int:
    """What a position may skip; see the table."""
    if node.decay == 4096 and (bias <= node.threshold).all() and (64 * np.abs(bias) <= V_MAX).all():
        return 2
    return int(not bias.any())


def _input_limit(name: str, synapses: "Sequence[Synapses]", bias: NDArray[np.int64], channels: int, is_readout: bool) -> int:
    """Largest |input| for which bias, spikes and input together stay within 32 bits whatever happens."""
    room = MOST - int(np.abs(bias).max(initial=0)) if is_readout else (MOST - V_MAX) // 64 - int(np.abs(bias).max(initial=0)) - 1
    by_input = 0
    for one in synapses:
        w = np.asarray(one.weight, np.int64).reshape(channels, -1)
        if one.source == INPUT:
            by_input += int(np.abs(w).sum(1).max(initial=0))
        else:
            room -= max(int(np.maximum(w, 0).sum(1).max(initial=0)), int(np.maximum(-w, 0).sum(1).max(initial=0)))
    limit = room // by_input if by_input else MOST  # where no input comes, spikes alone must fit
    if room < 0 or limit < 1:
        raise UserError(f"{name}: its weights and biases could sum to more than 32 bits hold; use a smaller weight scale")
    return limit


def _bundle(
    one: "Synapses",
    source: int,
    source_shape: tuple[int, int, int],
    shape: tuple[int, int, int],
    name: str,
    arenas: list[list[NDArray[Any]]],
    places: dict[tuple[Any, ...], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """One row of the table; its weights go to the end of an arena, unless they lie there already (`places`)."""
    w = np.asarray(one.weight, np.int64)
    stride, padding, groups = one.stride, one.padding, one.groups
    if one.kind == "dense":
        w, stride, padding, groups = w.reshape(w.shape[0], *source_shape), 1, 0, 1
    kh, kw = w.shape[2:]
    row = np.zeros(k.SYNAPSES, np.int64)
    same = (id(one.weight), source_shape, shape[0], groups, kh, kw)
    if same in places:
        row[:] = places[same]
        row[[k.SOURCE, k.STRIDE, k.PADDING]] = source, stride, padding
        return row
    factor = int(np.gcd.reduce(np.abs(w), axis=None)) or 1
    w = w // factor  # not in place: it may be the caller's
    group_in, group_out = w.shape[1], w.shape[0] // groups
    if groups > 1:  # [in, ky, kx, out of the group]
        w = w.reshape(groups, group_out, group_in, kh, kw).transpose(0, 2, 3, 4, 1).reshape(source_shape[0], kh, kw, group_out)
    else:
        w = np.pad(w.transpose(1, 2, 3, 0), ((0, 0), (0, 0), (0, 0), (0, _padded(shape[0]) - shape[0])))
    largest = max(1, int(np.abs(w).max(initial=0)))
    arena = k.BYTES_IN_BYTES if largest <= SMALL else k.BYTES if largest <= 127 else k.SHORTS if largest <= 32767 else k.WORDS
    arena = k.BYTES if groups > 1 and arena == k.BYTES_IN_BYTES else arena
    held = (127, 32767, MOST, MOST)[arena]
    parts = arenas[max(arena - 1, 0)]
    row[[k.SOURCE, k.GROUPED, k.KERNEL_H, k.KERNEL_W, k.STRIDE, k.PADDING]] = source, groups > 1, kh, kw, stride, padding
    row[[k.WEIGHT_AT, k.ARENA, k.CHUNK, k.FACTOR]] = sum(map(len, parts)), arena, held // largest // 4 * 4, factor
    row[[k.GROUP_IN, k.GROUP_OUT, k.ROW]] = group_in, group_out, kh * kw * w.shape[3]
    parts.append(w.astype(parts[0].dtype).ravel())
    places[same] = row.copy()
    return row


def _check_shape(one: "Synapses", source_shape: tuple[int, int, int], shape: tuple[int, int, int], name: str) -> None:
    if one.kind == "dense":
        fits = one.weight.shape[1] == math.prod(source_shape)
        made: tuple[int, ...] = (one.weight.shape[0], 1, 1)
    else:
        fits = one.weight.shape[1] * one.groups == source_shape[0]
        sizes = zip(source_shape[1:], one.weight.shape[2:], strict=True)
        made = (one.weight.shape[0], *((n + 2 * one.padding - size) // one.stride + 1 for n, size in sizes))
    if made != shape or not fits:
        raise UserError(
            f"{name}: weights {list(one.weight.shape)} on {one.source} {list(source_shape)} give {list(made)}; need {list(shape)}"
        )


def _alike(a: NDArray[np.int64], b: NDArray[np.int64]) -> bool:
    """Whether the rows of two bundles may be added together: the same weights, none from the input, whose numbers are no spikes."""
    columns = [k.WEIGHT_AT, k.ARENA, k.KERNEL_H, k.KERNEL_W]
    return bool((a[columns] == b[columns]).all()) and not a[k.GROUPED] and 0 not in (a[k.SOURCE], b[k.SOURCE])
