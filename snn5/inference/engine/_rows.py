"""From the events of a source to the sums of one position: which rows of weights they ask for, and adding them."""

from typing import Any

import numpy as np

from snn5.inference.engine import _table as k
from snn5.inference.engine._compiled import helper
from snn5.inference.engine._vectors import add_graded, add_rows, combine, copy_shifted


def _adder(bits: int) -> Any:
    @helper
    def add(acc, at, padded, weights, rows, first, stop, chunk, factor):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
        """acc[at:] += factor * the rows, in sums of `bits` bits that hold `chunk` rows; 64 channels at a time."""
        block = 0
        while block < padded:
            left = padded - block
            for start in range(first, stop, chunk):
                end = min(start + chunk, stop)
                if left >= 64:
                    add_rows(64, bits, acc, at + block, weights, block, rows, start, end, factor)
                elif left >= 32:
                    add_rows(32, bits, acc, at + block, weights, block, rows, start, end, factor)
                else:
                    add_rows(16, bits, acc, at + block, weights, block, rows, start, end, factor)
            block += 64 if left >= 64 else 32 if left >= 32 else 16

    return add


_add_8_8, _add_8_16, _add_16_32, _add_32_32 = (_adder(bits) for bits in (8, 16, 32, 32))


@helper
def _add_values(acc, at, padded, weights, rows, values, first, stop, factor):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for block in range(0, padded, 16):
        add_graded(16, acc, at + block, weights, block, rows, values, first, stop, factor)


@helper
def _add_group(acc, weights, at, group, factor):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    first, count = group
    for j in range(count):
        acc[first + j] += factor * weights[at + j]


@helper
def read_input(frame, n, program, state):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The input's numbers that are not 0, as events of the n-th step in the order of positions."""
    chan, col, start, value, strides = state[3], state[4], state[5], state[9], program[7]
    channels, height, width = frame.shape
    found, begin, at, numbers = 0, n * strides[k.EVENTS], n * strides[k.STARTS], n * strides[k.VALUES]
    for y in range(height):
        for x in range(width):
            start[at + y * width + x] = found
            for c in range(channels):
                if frame[c, y, x] != 0:
                    chan[begin + found], col[begin + found], value[numbers + found] = c, x, frame[c, y, x]
                    found += 1
    start[at + height * width] = found


@helper
def shift_events(source, s, padded, n, program, state):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Where each event's rows of weights lie in the n-th step, but for what depends on the position that is asked."""
    chan, col, start, shift, strides = state[3], state[4], state[5], state[6], program[7]
    begin, at = n * strides[k.EVENTS] + source[k.EVENT_AT], n * strides[k.SHIFTS] + s[k.SHIFT_AT]
    count = np.int64(start[n * strides[k.STARTS] + source[k.START_AT] + source[k.HEIGHT] * source[k.WIDTH]])
    combine(shift, at, chan, col, begin, count, s[k.ROW], padded)


@helper
def list_rows(oy, ox, padded, source, s, count, program, state):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Append where the weights of the events in the receptive field of (oy, ox) lie to the lists of `count` steps."""
    start, shift, rows, values, value, listed, strides = state[5], state[6], state[7], state[8], state[9], state[12], program[7]
    top, left = oy * s[k.STRIDE] - s[k.PADDING], ox * s[k.STRIDE] - s[k.PADDING]
    width = source[k.WIDTH]
    x0, x1 = max(left, 0), min(left + s[k.KERNEL_W], width)
    if x0 >= x1:
        return
    graded = s[k.SOURCE] == 0
    starts, shifts, lists = strides[k.STARTS], strides[k.SHIFTS], strides[k.LISTS]
    for y in range(max(top, 0), min(top + s[k.KERNEL_H], source[k.HEIGHT])):
        away = s[k.WEIGHT_AT] + ((y - top) * s[k.KERNEL_W] - left) * padded
        first = source[k.START_AT] + y * width
        for n in range(count):
            i0, i1 = np.int64(start[first + x0]), np.int64(start[first + x1])
            found, at = listed[0, n], s[k.SHIFT_AT] + n * shifts
            copy_shifted(rows, n * lists + found, shift, at + i0, at + i1, away)
            if graded:
                for i in range(i1 - i0):
                    values[n * lists + found + i] = value[n * strides[k.VALUES] + i0 + i]
            listed[0, n] = found + i1 - i0
            first += starts


@helper
def add_list(n, found, padded, s, program, state):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The n-th step's sums += its listed rows of weights, times the values where they come from the input."""
    w8, w16, w32, strides = program[2], program[3], program[4], program[7]
    acc, rows, values = state[2], state[7], state[8]
    arena, factor, at, first = s[k.ARENA], s[k.FACTOR], n * strides[k.SUMS], n * strides[k.LISTS]
    stop = first + found
    if s[k.SOURCE] == 0:
        if arena <= k.BYTES:
            _add_values(acc, at, padded, w8, rows, values, first, stop, factor)
        elif arena == k.SHORTS:
            _add_values(acc, at, padded, w16, rows, values, first, stop, factor)
        else:
            _add_values(acc, at, padded, w32, rows, values, first, stop, factor)
        return
    for i in range(stop, stop + 3):
        rows[i] = 0  # a row of zeros
    stop = first + (found + 3) // 4 * 4
    if arena == k.BYTES_IN_BYTES:
        _add_8_8(acc, at, padded, w8, rows, first, stop, s[k.CHUNK], factor)
    elif arena == k.BYTES:
        _add_8_16(acc, at, padded, w8, rows, first, stop, s[k.CHUNK], factor)
    elif arena == k.SHORTS:
        _add_16_32(acc, at, padded, w16, rows, first, stop, s[k.CHUNK], factor)
    else:
        _add_32_32(acc, at, padded, w32, rows, first, stop, s[k.CHUNK], factor)


@helper
def add_groups(oy, ox, source, s, n, program, state):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The n-th step's sums += what the events in the receptive field send to the channels of their own groups; returns how many."""
    w8, w16, w32, strides = program[2], program[3], program[4], program[7]
    acc, chan, start, value = state[2], state[3], state[5], state[9]
    top, left = oy * s[k.STRIDE] - s[k.PADDING], ox * s[k.STRIDE] - s[k.PADDING]
    width, first, found = source[k.WIDTH], n * strides[k.STARTS] + source[k.START_AT], 0
    events, sums, numbers = n * strides[k.EVENTS] + source[k.EVENT_AT], n * strides[k.SUMS], n * strides[k.VALUES]
    for y in range(max(top, 0), min(top + s[k.KERNEL_H], source[k.HEIGHT])):
        for x in range(max(left, 0), min(left + s[k.KERNEL_W], width)):
            at = s[k.WEIGHT_AT] + ((y - top) * s[k.KERNEL_W] + x - left) * s[k.GROUP_OUT]
            for i in range(np.int64(start[first + y * width + x]), np.int64(start[first + y * width + x + 1])):
                c = np.int64(chan[events + i])
                factor = np.int32(s[k.FACTOR]) * (value[numbers + i] if s[k.SOURCE] == 0 else np.int32(1))
                group = (sums + c // s[k.GROUP_IN] * s[k.GROUP_OUT], s[k.GROUP_OUT])
                if s[k.ARENA] <= k.BYTES:
                    _add_group(acc, w8, at + c * s[k.ROW], group, factor)
                elif s[k.ARENA] == k.SHORTS:
                    _add_group(acc, w16, at + c * s[k.ROW], group, factor)
                else:
                    _add_group(acc, w32, at + c * s[k.ROW], group, factor)
                found += 1
    return found
