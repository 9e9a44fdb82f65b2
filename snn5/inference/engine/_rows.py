"""From the events of a source to the sums of one position: which rows of weights they ask for, and adding them."""

from typing import Any

import numpy as np

from snn5.inference.engine import _table as k
from snn5.inference.engine._compiled import helper
from snn5.inference.engine._vectors import add_graded, add_rows, copy_shifted


def _adder(bits: int) -> Any:
    @helper
    def add(acc, padded, weights, rows, stop, chunk, factor):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
        """acc += factor * the rows, in sums of `bits` bits that hold `chunk` rows; 64 channels at a time."""
        block = 0
        while block < padded:
            left = padded - block
            for start in range(0, stop, chunk):
                end = min(start + chunk, stop)
                if left >= 64:
                    add_rows(64, bits, acc, block, weights, block, rows, start, end, factor)
                elif left >= 32:
                    add_rows(32, bits, acc, block, weights, block, rows, start, end, factor)
                else:
                    add_rows(16, bits, acc, block, weights, block, rows, start, end, factor)
            block += 64 if left >= 64 else 32 if left >= 32 else 16

    return add


_add_8_8, _add_8_16, _add_16_32, _add_32_32 = (_adder(bits) for bits in (8, 16, 32, 32))


@helper
def _add_values(acc, padded, weights, rows, values, stop, factor):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for block in range(0, padded, 16):
        add_graded(16, acc, block, weights, block, rows, values, stop, factor)


@helper
def _add_group(acc, weights, at, group, factor):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    first, count = group
    for j in range(count):
        acc[first + j] += factor * weights[at + j]


@helper
def read_input(frame, chan, col, value, start):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The input's numbers that are not 0, as events in the order of positions."""
    channels, height, width = frame.shape
    found = 0
    for y in range(height):
        for x in range(width):
            start[y * width + x] = found
            for c in range(channels):
                if frame[c, y, x] != 0:
                    chan[found], col[found], value[found] = c, x, frame[c, y, x]
                    found += 1
    start[height * width] = found


@helper
def shift_events(source, s, padded, chan, col, start, shift):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Where each event's rows of weights lie, but for what depends on the position that is asked."""
    begin, at = source[k.EVENT_AT], s[k.SHIFT_AT]
    row = np.int32(s[k.ROW])
    for i in range(start[source[k.START_AT] + source[k.HEIGHT] * source[k.WIDTH]]):
        shift[at + i] = chan[begin + i] * row + col[begin + i] * np.int32(padded)


@helper
def list_rows(oy, ox, padded, found, source, s, chan, start, shift, rows, value, values):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Append where the weights of the events in the receptive field of (oy, ox) lie to `found` rows; returns how many there are now."""
    top, left = oy * s[k.STRIDE] - s[k.PADDING], ox * s[k.STRIDE] - s[k.PADDING]
    width, first = source[k.WIDTH], source[k.START_AT]
    x0, x1 = max(left, 0), min(left + s[k.KERNEL_W], width)
    if x0 >= x1:
        return found
    for y in range(max(top, 0), min(top + s[k.KERNEL_H], source[k.HEIGHT])):
        i0, i1 = np.int64(start[first + y * width + x0]), np.int64(start[first + y * width + x1])
        away = s[k.WEIGHT_AT] + ((y - top) * s[k.KERNEL_W] - left) * padded
        copy_shifted(rows, found, shift, s[k.SHIFT_AT] + i0, s[k.SHIFT_AT] + i1, away)
        if s[k.SOURCE] == 0:
            for i in range(i1 - i0):
                values[found + i] = value[i0 + i]
        found += i1 - i0
    return found


@helper
def add_list(found, padded, s, w8, w16, w32, acc, rows, values):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """acc += the listed rows of weights, times the values where they come from the input."""
    arena, factor = s[k.ARENA], s[k.FACTOR]
    if s[k.SOURCE] == 0:
        if arena <= k.BYTES:
            _add_values(acc, padded, w8, rows, values, found, factor)
        elif arena == k.SHORTS:
            _add_values(acc, padded, w16, rows, values, found, factor)
        else:
            _add_values(acc, padded, w32, rows, values, found, factor)
        return
    for i in range(found, found + 3):
        rows[i] = 0  # a row of zeros
    stop = (found + 3) // 4 * 4
    if arena == k.BYTES_IN_BYTES:
        _add_8_8(acc, padded, w8, rows, stop, s[k.CHUNK], factor)
    elif arena == k.BYTES:
        _add_8_16(acc, padded, w8, rows, stop, s[k.CHUNK], factor)
    elif arena == k.SHORTS:
        _add_16_32(acc, padded, w16, rows, stop, s[k.CHUNK], factor)
    else:
        _add_32_32(acc, padded, w32, rows, stop, s[k.CHUNK], factor)


@helper
def add_groups(oy, ox, source, s, w8, w16, w32, acc, chan, start, value):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """acc += what the events in the receptive field send to the channels of their own groups; returns how many events there are."""
    top, left = oy * s[k.STRIDE] - s[k.PADDING], ox * s[k.STRIDE] - s[k.PADDING]
    width, first, found = source[k.WIDTH], source[k.START_AT], 0
    for y in range(max(top, 0), min(top + s[k.KERNEL_H], source[k.HEIGHT])):
        for x in range(max(left, 0), min(left + s[k.KERNEL_W], width)):
            at = s[k.WEIGHT_AT] + ((y - top) * s[k.KERNEL_W] + x - left) * s[k.GROUP_OUT]
            for i in range(np.int64(start[first + y * width + x]), np.int64(start[first + y * width + x + 1])):
                c = np.int64(chan[source[k.EVENT_AT] + i])
                factor = np.int32(s[k.FACTOR]) * (value[i] if s[k.SOURCE] == 0 else np.int32(1))
                group = (c // s[k.GROUP_IN] * s[k.GROUP_OUT], s[k.GROUP_OUT])
                if s[k.ARENA] <= k.BYTES:
                    _add_group(acc, w8, at + c * s[k.ROW], group, factor)
                elif s[k.ARENA] == k.SHORTS:
                    _add_group(acc, w16, at + c * s[k.ROW], group, factor)
                else:
                    _add_group(acc, w32, at + c * s[k.ROW], group, factor)
                found += 1
    return found
