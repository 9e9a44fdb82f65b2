"""The compiled loop: from the events of each source to the events of the next population, for as many steps as are needed.

For every position of a population the rows of weights of all events in its receptive field are listed and added, all output channels at
once; then the neurons of the position take their step, and those that fire become events. Work follows the number of events.
"""

from typing import Any

import numpy as np

from snn5.inference.engine import _table as k
from snn5.inference.engine._compiled import compiled, helper
from snn5.inference.engine._vectors import add_graded, add_rows, copy_shifted, lowest_bit, update, without_lowest

V_MAX = 2**23 - 1


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
def gather(oy, ox, padded, source, s, w8, w16, w32, acc, chan, start, shift, rows, value, values):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Add what the events in the receptive field of (oy, ox) send; returns how many they are."""
    top, left = oy * s[k.STRIDE] - s[k.PADDING], ox * s[k.STRIDE] - s[k.PADDING]
    width, first = source[k.WIDTH], source[k.START_AT]
    x0, x1 = max(left, 0), min(left + s[k.KERNEL_W], width)
    found, graded = 0, s[k.SOURCE] == 0
    if x0 >= x1:
        return 0
    for y in range(max(top, 0), min(top + s[k.KERNEL_H], source[k.HEIGHT])):
        i0, i1 = np.int64(start[first + y * width + x0]), np.int64(start[first + y * width + x1])
        if s[k.GROUPED]:
            found += i1 - i0
            for x in range(x0, x1):
                at = s[k.WEIGHT_AT] + ((y - top) * s[k.KERNEL_W] + x - left) * s[k.GROUP_OUT]
                for i in range(np.int64(start[first + y * width + x]), np.int64(start[first + y * width + x + 1])):
                    c = np.int64(chan[source[k.EVENT_AT] + i])
                    factor = np.int32(s[k.FACTOR]) * (value[i] if graded else np.int32(1))
                    group = (c // s[k.GROUP_IN] * s[k.GROUP_OUT], s[k.GROUP_OUT])
                    if s[k.ARENA] <= k.BYTES:
                        _add_group(acc, w8, at + c * s[k.ROW], group, factor)
                    elif s[k.ARENA] == k.SHORTS:
                        _add_group(acc, w16, at + c * s[k.ROW], group, factor)
                    else:
                        _add_group(acc, w32, at + c * s[k.ROW], group, factor)
        else:
            away = s[k.WEIGHT_AT] + ((y - top) * s[k.KERNEL_W] - left) * padded
            copy_shifted(rows, found, shift, s[k.SHIFT_AT] + i0, s[k.SHIFT_AT] + i1, away)
            if graded:
                for i in range(i1 - i0):
                    values[found + i] = value[i0 + i]
            found += i1 - i0
    if found == 0 or s[k.GROUPED]:
        return found
    arena, factor = s[k.ARENA], s[k.FACTOR]
    if graded:
        if arena <= k.BYTES:
            _add_values(acc, padded, w8, rows, values, found, factor)
        elif arena == k.SHORTS:
            _add_values(acc, padded, w16, rows, values, found, factor)
        else:
            _add_values(acc, padded, w32, rows, values, found, factor)
        return found
    stop = (found + 3) // 4 * 4
    for i in range(found, found + 3):
        rows[i] = 0  # a row of zeros
    if arena == k.BYTES_IN_BYTES:
        _add_8_8(acc, padded, w8, rows, stop, s[k.CHUNK], factor)
    elif arena == k.BYTES:
        _add_8_16(acc, padded, w8, rows, stop, s[k.CHUNK], factor)
    elif arena == k.SHORTS:
        _add_16_32(acc, padded, w16, rows, stop, s[k.CHUNK], factor)
    else:
        _add_32_32(acc, padded, w32, rows, stop, s[k.CHUNK], factor)
    return found


@helper
def _neurons(lanes_left, block, fresh, acc, v, v_at, bias, threshold, c_at, keep):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    at, c = v_at + block, c_at + block
    if fresh:
        if lanes_left >= 64:
            return update(64, 1, acc, block, v, at, bias, threshold, c, keep, V_MAX)
        if lanes_left >= 32:
            return update(32, 1, acc, block, v, at, bias, threshold, c, keep, V_MAX)
        return update(16, 1, acc, block, v, at, bias, threshold, c, keep, V_MAX)
    if lanes_left >= 64:
        return update(64, 0, acc, block, v, at, bias, threshold, c, keep, V_MAX)
    if lanes_left >= 32:
        return update(32, 0, acc, block, v, at, bias, threshold, c, keep, V_MAX)
    return update(16, 0, acc, block, v, at, bias, threshold, c, keep, V_MAX)


@helper
def _clear(values, start, count):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for i in range(start, start + count):
        values[i] = 0


@helper
def step_position(p, position, x, found, fresh, acc, v, bias, threshold, live, chan, col):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The neurons of one position; returns the number of events so far, or -1 where a potential left its range."""
    padded, block, alive = p[k.PADDED], 0, False
    outside = np.uint64(0)
    while block < padded:
        left = padded - block
        at = p[k.V_AT] + position * padded
        fired, out, nonzero = _neurons(left, block, fresh, acc, v, at, bias, threshold, p[k.CHANNEL_AT], p[k.KEEP])
        outside |= out
        alive |= nonzero != np.uint64(0)
        while fired != np.uint64(0):
            chan[p[k.EVENT_AT] + found], col[p[k.EVENT_AT] + found] = block + lowest_bit(fired), x
            found += 1
            fired = without_lowest(fired)
        block += 64 if left >= 64 else 32 if left >= 32 else 16
    live[p[k.POSITION_AT] + position] = alive
    return found if outside == np.uint64(0) else -1


@helper
def step(program, state, fresh, held, ops):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """One step of all populations; the read-out's sums stay in acc. Returns FINISHED, or the population that left its range."""
    pops, syns, w8, w16, w32, bias, threshold = program
    v, acc, static, chan, col, start, shift, rows, value, values, live = state
    last = len(pops) - 1
    for row in range(1, len(pops)):
        p = pops[row]
        padded, height, width = p[k.PADDED], p[k.HEIGHT], p[k.WIDTH]
        begin = p[k.FIRST]
        if held and not fresh:
            begin += p[k.FROM_INPUT]
        holds = held and p[k.FROM_INPUT] > 0
        for j in range(begin, p[k.FIRST] + p[k.COUNT]):
            if not syns[j, k.GROUPED]:
                shift_events(pops[syns[j, k.SOURCE]], syns[j], padded, chan, col, start, shift)
        found = 0
        for y in range(height):
            for x in range(width):
                position = y * width + x
                start[p[k.START_AT] + position] = found
                added = 0
                if holds and not fresh:
                    at = p[k.STATIC_AT] + position * padded
                    copy_shifted(acc, 0, static, at, at + padded, 0)
                for j in range(begin, p[k.FIRST] + p[k.COUNT]):
                    s = syns[j]
                    source = pops[s[k.SOURCE]]
                    n = gather(y, x, padded, source, s, w8, w16, w32, acc, chan, start, shift, rows, value, values)
                    added += n
                    ops[k.SYNOPS] += n * s[k.GROUP_OUT]
                    if holds and fresh and j + 1 == p[k.FIRST] + p[k.FROM_INPUT]:
                        at = p[k.STATIC_AT] + position * padded
                        copy_shifted(static, at, acc, 0, padded, 0)
                if row == last:
                    continue
                quiet = p[k.QUIET] == 2 or (p[k.QUIET] == 1 and (fresh or not live[p[k.POSITION_AT] + position]))
                if added == 0 and quiet and not holds:
                    if fresh:
                        live[p[k.POSITION_AT] + position] = False
                        _clear(v, p[k.V_AT] + position * padded, padded)
                    continue
                ops[k.UPDATES] += p[k.CHANNELS]
                found = step_position(p, position, x, found, fresh, acc, v, bias, threshold, live, chan, col)
                if found < 0:
                    return row
        start[p[k.START_AT] + height * width] = found
        if row < last:
            ops[k.SPIKES] += found
    return 0


@helper
def _record(pops, chan, start, spikes):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for row in range(1, len(pops) - 1):
        p = pops[row]
        size = p[k.HEIGHT] * p[k.WIDTH]
        for position in range(size):
            for i in range(start[p[k.START_AT] + position], start[p[k.START_AT] + position + 1]):
                spikes[p[k.RECORD_AT] + chan[p[k.EVENT_AT] + i] * size + position] = 1


@helper
def _gap(sums):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    first, second = np.int64(-(2**62)), np.int64(-(2**62))
    for value in sums:
        if value > first:
            first, second = value, first
        elif value > second:
            second = value
    return first - second


@compiled
def run(program, state, x, samples, steps, held, cutoff, logits, sums, exits, ops, spikes):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Samples [from, to) from step steps[0] to steps[1]; x [T or 1, N, C, H, W], logits [T, N, K], sums [N, K], exits [N], ops [N, 3].

    A sample stops after step t (from 1) if its gap is larger than cutoff[t - 1]. Returns FINISHED, or the row of the population.
    """
    pops, acc = program[0], state[1]
    chan, col, start, value = state[3], state[4], state[5], state[8]
    bias, out = program[5], pops[-1]
    for i in range(samples[0], samples[1]):
        for t in range(steps[0], steps[1]):
            if not held or t == 0:
                read_input(x[0 if held or len(x) == 1 else t, i], chan, col, value, start)
            bad = step(program, state, t == 0, held, ops[i])
            if bad:
                _clear(acc, 0, len(acc))
                return bad
            if spikes.size:
                _record(pops, chan, start, spikes[t, i])
            for j in range(out[k.CHANNELS]):
                logits[t - steps[0], i, j] = acc[j] + bias[out[k.CHANNEL_AT] + j]
                sums[i, j] += logits[t - steps[0], i, j]
            _clear(acc, 0, out[k.PADDED])
            exits[i] = t + 1
            if t + 1 < len(cutoff) and _gap(sums[i]) > cutoff[t]:
                break
    return k.FINISHED
