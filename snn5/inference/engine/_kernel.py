"""The compiled loop: from the events of each source to the events of the next population, for as many steps as are needed.

Narrow convolutions and pools add event by event, and then all their neurons take their step (see `_scatter`). Elsewhere, for every
position of a population the rows of weights of all events in its receptive field are listed and added, all output channels at once; then
the neurons of the position take their step, and those that fire become events; where nothing arrives and nothing is left, nothing is done.
Without an early exit a population runs all its steps before the next one begins: its weights and the potentials of a position stay close.
"""

from typing import Any

import numpy as np

from snn5.inference.engine import _table as k
from snn5.inference.engine._compiled import compiled, helper
from snn5.inference.engine._masks import lowest_bit, without_lowest
from snn5.inference.engine._rows import add_groups, add_list, list_rows, read_input, shift_events
from snn5.inference.engine._scatter import scatter_16, scatter_32, scatter_64, scatter_input, scatter_own
from snn5.inference.engine._sweep import sweep, sweep_held
from snn5.inference.engine._vectors import V_MAX, copy_shifted, update


@helper
def _neurons(left, block, fresh, acc, v, at, bias, threshold, c, keep):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    if fresh:
        if left >= 64:
            return update(64, 1, 1, acc, block, v, at, bias, threshold, c, keep, V_MAX)
        if left >= 32:
            return update(32, 1, 1, acc, block, v, at, bias, threshold, c, keep, V_MAX)
        return update(16, 1, 1, acc, block, v, at, bias, threshold, c, keep, V_MAX)
    if left >= 64:
        return update(64, 0, 1, acc, block, v, at, bias, threshold, c, keep, V_MAX)
    if left >= 32:
        return update(32, 0, 1, acc, block, v, at, bias, threshold, c, keep, V_MAX)
    return update(16, 0, 1, acc, block, v, at, bias, threshold, c, keep, V_MAX)


@helper
def _clear(values, start, count):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for i in range(start, start + count):
        values[i] = 0


@helper
def step_position(p, position, x, n, found, fresh, program, state):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The n-th step of the neurons of one position; returns the number of events so far, or -1 where a potential left its range."""
    bias, threshold, strides = program[5], program[6], program[7]
    v, acc, chan, col, live, spent = state[0], state[2], state[3], state[4], state[10], state[11]
    padded, block, alive = p[k.PADDED], 0, False
    outside, keep, once = np.uint64(0), p[k.KEEP], p[k.ONCE]
    at, events, sums, channels = p[k.V_AT] + position * padded, n * strides[k.EVENTS] + p[k.EVENT_AT], n * strides[k.SUMS], p[k.CHANNEL_AT]
    while block < padded:
        left = padded - block
        fired, out, nonzero = _neurons(left, sums + block, fresh, acc, v, at + block, bias, threshold, channels + block, keep)
        outside |= out
        alive |= nonzero != np.uint64(0)
        while fired != np.uint64(0):
            c = block + lowest_bit(fired)
            fired = without_lowest(fired)
            if once:
                if spent[at + c]:
                    continue
                spent[at + c] = True
            chan[events + found], col[events + found] = c, x
            found += 1
        block += 64 if left >= 64 else 32 if left >= 32 else 16
    live[p[k.POSITION_AT] + position] = alive
    return found if outside == np.uint64(0) else -1


@helper
def gather(y, x, p, begin, count, fresh, held, program, state, ops):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Add to the sums of `count` steps of one position what its synapses from `begin` on bring; how many events goes to state's counts."""
    pops, syns, strides = program[0], program[1], program[7]
    static, acc, counts = state[1], state[2], state[12]
    padded = p[k.PADDED]
    at = p[k.STATIC_AT] + (y * p[k.WIDTH] + x) * padded
    for n in range(count):
        counts[0, n] = counts[1, n] = 0
        if held and not fresh:
            copy_shifted(acc, n * strides[k.SUMS], static, at, at + padded, 0)
    for j in range(begin, p[k.FIRST] + p[k.COUNT]):
        s = syns[j]
        source = pops[s[k.SOURCE]]
        steps = 1 if held and s[k.SOURCE] == 0 else count
        if s[k.GROUPED]:
            for n in range(steps):
                found = add_groups(y, x, source, s, n, program, state)
                counts[1, n] += found
                ops[k.SYNOPS] += found * s[k.GROUP_OUT]
        else:
            list_rows(y, x, padded, source, s, steps, program, state)
            if s[k.MORE]:
                continue
            for n in range(steps):
                found, counts[0, n] = counts[0, n], 0
                if found:
                    add_list(n, found, padded, s, program, state)
                    counts[1, n] += found
                    ops[k.SYNOPS] += found * s[k.GROUP_OUT]
        if held and fresh and j + 1 == p[k.FIRST] + p[k.FROM_INPUT]:
            copy_shifted(static, at, acc, 0, padded, 0)
            for n in range(1, count):
                copy_shifted(acc, n * strides[k.SUMS], static, at, at + padded, 0)


@helper
def scattered_steps(p, count, fresh, still, program, state, ops):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """`count` steps of a population whose sums are an image; returns -1 where a potential left its range."""
    pops, syns, strides, given = program[0], program[1], program[7], p[k.FROM_INPUT] > 0
    if fresh and given:
        _clear(state[14], p[k.IMAGE_BEGIN], p[k.IMAGE_END] - p[k.IMAGE_BEGIN])
    for n in range(count):
        first = fresh and n == 0
        if first or not (still and given):
            for j in range(p[k.FIRST], p[k.FIRST] + p[k.COUNT]):
                s = syns[j]
                source = pops[s[k.SOURCE]]
                if given:
                    reached = scatter_input(p, source, s, n, program, state)
                elif s[k.GROUPED]:
                    reached = scatter_own(p, source, s, n, program, state)
                else:
                    events, begin = n * strides[k.EVENTS] + source[k.EVENT_AT], n * strides[k.STARTS] + source[k.START_AT]
                    if p[k.PADDED] == 16:
                        reached = scatter_16(p, source, s, events, begin, program[2], program[8], state[3], state[5], state[13])
                    elif p[k.PADDED] == 32:
                        reached = scatter_32(p, source, s, events, begin, program[2], program[8], state[3], state[5], state[13])
                    else:
                        reached = scatter_64(p, source, s, events, begin, program[2], program[8], state[3], state[5], state[13])
                ops[k.SYNOPS] += reached * s[k.GROUP_OUT]
        if still and given:
            found = sweep_held(p, n, first, state[14], program, state)
        elif given:
            found = sweep(p, n, first, state[14], program, state)
        else:
            found = sweep(p, n, first, state[13], program, state)
        if found < 0:
            return found
        ops[k.SPIKES] += found
        ops[k.UPDATES] += p[k.CHANNELS] * p[k.HEIGHT] * p[k.WIDTH]
    return np.int64(0)


@helper
def block(program, state, count, fresh, still, ops):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """`count` steps of all populations; the read-out's sums stay in acc. Returns FINISHED, or the population that left its range."""
    pops, syns, strides = program[0], program[1], program[7]
    v, start, live, spent, counts = state[0], state[5], state[10], state[11], state[12]
    last = len(pops) - 1
    ends = np.int64(0)
    for row in range(1, len(pops)):
        p = pops[row]
        padded, height, width = p[k.PADDED], p[k.HEIGHT], p[k.WIDTH]
        if p[k.SCATTERED]:
            found = scattered_steps(p, count, fresh, still, program, state, ops)
            if found < 0:
                return row
            continue
        held = still and p[k.FROM_INPUT] > 0
        begin = p[k.FIRST] + (p[k.FROM_INPUT] if held and not fresh else 0)
        for j in range(begin, p[k.FIRST] + p[k.COUNT]):
            if not syns[j, k.GROUPED]:
                for n in range(1 if held and syns[j, k.SOURCE] == 0 else count):
                    shift_events(pops[syns[j, k.SOURCE]], syns[j], padded, n, program, state)
        if fresh and p[k.ONCE]:
            _clear(spent, p[k.V_AT], height * width * padded)
        for n in range(count):
            start[n * strides[k.STARTS] + p[k.START_AT]] = 0
        for y in range(height):
            for x in range(width):
                position = y * width + x
                gather(y, x, p, begin, count, fresh, held, program, state, ops)
                if row == last:
                    continue
                at = p[k.POSITION_AT] + position
                for n in range(count):
                    first = fresh and n == 0
                    ends = n * strides[k.STARTS] + p[k.START_AT] + position
                    found = np.int64(start[ends])
                    quiet = p[k.QUIET] == 2 or (p[k.QUIET] == 1 and (first or not live[at]))
                    if counts[1, n] == 0 and quiet and not held:
                        if first:
                            live[at] = False
                            _clear(v, p[k.V_AT] + position * padded, padded)
                    else:
                        ops[k.UPDATES] += p[k.CHANNELS]
                        found = step_position(p, position, x, n, found, first, program, state)
                        if found < 0:
                            return row
                    start[ends + 1] = found
        if row < last:
            for n in range(count):
                ops[k.SPIKES] += start[n * strides[k.STARTS] + p[k.START_AT] + height * width]
    return 0


@helper
def _record(n, program, state, spikes):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    pops, strides, chan, start = program[0], program[7], state[3], state[5]
    for row in range(1, len(pops) - 1):
        p = pops[row]
        size, at, events = p[k.HEIGHT] * p[k.WIDTH], n * strides[k.STARTS] + p[k.START_AT], n * strides[k.EVENTS] + p[k.EVENT_AT]
        for position in range(size):
            for i in range(start[at + position], start[at + position + 1]):
                spikes[p[k.RECORD_AT] + chan[events + i] * size + position] = 1


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
def largest(x) -> Any:  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """max |x|, of int32: an answer to one small sample would feel two reductions by numpy."""
    low = high = np.int32(0)
    for value in x.flat:
        low, high = min(low, value), max(high, value)
    return max(-np.int64(low), np.int64(high))


@compiled
def run(program, state, x, samples, steps, still, cutoff, logits, sums, exits, ops, spikes):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Samples [from, to) from step steps[0] to steps[1]; x [T or 1, N, C, H, W], logits [T, N, K], sums [N, K], exits [N], ops [N, 3].

    `still`: one image for all steps. A sample stops after step t (from 1) if its gap is larger than cutoff[t - 1].
    Returns FINISHED, or the row of the population.
    """
    pops, bias, strides, acc = program[0], program[5], program[7], state[2]
    out = pops[-1]
    for i in range(samples[0], samples[1]):
        t = steps[0]
        while t < steps[1]:
            count = 1 if len(cutoff) else steps[1] - t
            if still and t == 0:
                read_input(x[0, i], 0, program, state)
            if not still:
                for n in range(count):
                    read_input(x[0 if len(x) == 1 else t + n, i], n, program, state)
            bad = block(program, state, count, t == 0, still, ops[i])
            if bad:
                _clear(acc, 0, len(acc))
                return bad
            for n in range(count):
                if spikes.size:
                    _record(n, program, state, spikes[t + n, i])
                for j in range(out[k.CHANNELS]):
                    answer = np.int64(acc[n * strides[k.SUMS] + j]) + bias[out[k.CHANNEL_AT] + j]
                    logits[t + n - steps[0], i, j] = answer
                    sums[i, j] += answer
                _clear(acc, n * strides[k.SUMS], out[k.PADDED])
            t += count
            exits[i] = t
            if t < len(cutoff) and _gap(sums[i]) > cutoff[t - 1]:
                break
    return k.FINISHED
