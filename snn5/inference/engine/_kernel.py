"""The compiled loop: from the events of each source to the events of the next population, for as many steps as are needed.

For every position of a population the rows of weights of all events in its receptive field are listed and added, all output channels at
once; then the neurons of the position take their step, and those that fire become events. Work follows the number of events.
"""

import numpy as np

from snn5.inference.engine import _table as k
from snn5.inference.engine._compiled import compiled, helper
from snn5.inference.engine._rows import add_groups, add_list, list_rows, read_input, shift_events
from snn5.inference.engine._vectors import copy_shifted, lowest_bit, update, without_lowest

V_MAX = 2**23 - 1


@helper
def _neurons(lanes_left, block, fresh, acc, v, at, bias, threshold, c, keep):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
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
def step_position(p, position, x, found, fresh, acc, v, bias, threshold, live, spent, chan, col):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The neurons of one position; returns the number of events so far, or -1 where a potential left its range."""
    padded, block, alive = p[k.PADDED], 0, False
    outside = np.uint64(0)
    while block < padded:
        left = padded - block
        at = p[k.V_AT] + position * padded + block
        fired, out, nonzero = _neurons(left, block, fresh, acc, v, at, bias, threshold, p[k.CHANNEL_AT] + block, p[k.KEEP])
        outside |= out
        alive |= nonzero != np.uint64(0)
        while fired != np.uint64(0):
            c = block + lowest_bit(fired)
            fired = without_lowest(fired)
            if p[k.ONCE]:
                if spent[at - block + c]:
                    continue
                spent[at - block + c] = True
            chan[p[k.EVENT_AT] + found], col[p[k.EVENT_AT] + found] = c, x
            found += 1
        block += 64 if left >= 64 else 32 if left >= 32 else 16
    live[p[k.POSITION_AT] + position] = alive
    return found if outside == np.uint64(0) else -1


@helper
def step(program, state, fresh, held, ops):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """One step of all populations; the read-out's sums stay in acc. Returns FINISHED, or the population that left its range."""
    pops, syns, w8, w16, w32, bias, threshold = program
    v, acc, static, chan, col, start, shift, rows, value, values, live, spent = state
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
        if fresh and p[k.ONCE]:
            _clear(spent, p[k.V_AT], height * width * padded)
        for y in range(height):
            for x in range(width):
                position = y * width + x
                start[p[k.START_AT] + position] = found
                added, listed = 0, 0
                if holds and not fresh:
                    at = p[k.STATIC_AT] + position * padded
                    copy_shifted(acc, 0, static, at, at + padded, 0)
                for j in range(begin, p[k.FIRST] + p[k.COUNT]):
                    s = syns[j]
                    source = pops[s[k.SOURCE]]
                    if s[k.GROUPED]:
                        n = add_groups(y, x, source, s, w8, w16, w32, acc, chan, start, value)
                    else:
                        listed = list_rows(y, x, padded, listed, source, s, chan, start, shift, rows, value, values)
                        if s[k.MORE]:
                            continue
                        n, listed = listed, 0
                        if n:
                            add_list(n, padded, s, w8, w16, w32, acc, rows, values)
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
                found = step_position(p, position, x, found, fresh, acc, v, bias, threshold, live, spent, chan, col)
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
