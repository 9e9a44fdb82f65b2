"""Sums made event by event: the weights of each event are added to the outputs that it reaches, whole rows of channels at once.

The sums of a population are an image [rows, columns, channels] with a margin, into which events at the border write as well, so that no
event asks where it is: of 16 bits where spikes come in, of 32 bits where the network's input does. Then the neurons take their step.
"""

from typing import Any

import numpy as np

from snn5.inference.engine import _table as k
from snn5.inference.engine._compiled import helper
from snn5.inference.engine._vectors import V_MAX, add_run, lowest_bit, peek, poke, update, without_lowest


def _scatter(graded: bool) -> Any:
    @helper
    def scatter(p, source, s, n, program, state):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
        """Add what the n-th step's events bring through a bundle of synapses to the image of p; returns how many outputs were reached."""
        w8, strides, reach = program[2], program[7], program[8]
        chan, col, start, value, image = state[3], state[4], state[5], state[9], state[14] if graded else state[13]
        events, first = n * strides[k.EVENTS] + source[k.EVENT_AT], n * strides[k.STARTS] + source[k.START_AT]
        width, image_at, image_row, columns = source[k.WIDTH], p[k.IMAGE_AT], p[k.IMAGE_ROW], s[k.REACH_X]
        weight_at, row, line, values = s[k.WEIGHT_AT], s[k.ROW], s[k.LINE], n * strides[k.VALUES]
        reached, narrow = 0, p[k.PADDED] == 16
        for y in range(source[k.HEIGHT]):
            i0, i1, at = peek(start, first + y * width), peek(start, first + (y + 1) * width), s[k.REACH_Y] + 4 * y
            target, taps, weights, inside = image_at + peek(reach, at), peek(reach, at + 1), weight_at + peek(reach, at + 2), 0
            for i in range(i0, i1):
                x = columns + 4 * peek(col, events + i)
                to, lanes, begin = target + peek(reach, x), peek(reach, x + 1), weights + peek(chan, events + i) * row + peek(reach, x + 2)
                inside += peek(reach, x + 3)
                factor = peek(value, values + i) if graded else 1
                for _ in range(taps):
                    if narrow:
                        add_run(16, image, to, w8, begin, lanes, factor)
                    else:
                        add_run(32, image, to, w8, begin, lanes, factor)
                    to += image_row
                    begin += line
            reached += inside * peek(reach, at + 3)
        return reached

    return scatter


scatter, scatter_input = _scatter(graded=False), _scatter(graded=True)


def _sweep(held: bool) -> Any:
    clear = 0 if held else 1

    @helper
    def sweep(p, n, fresh, image, program, state):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
        """The n-th step of a population, 64 neurons at once; returns its events, or -1 where a potential left its range."""
        bias, threshold, strides, v, chan, col, start = program[5], program[6], program[7], state[0], state[3], state[4], state[5]
        padded, width, keep, channels, at = p[k.PADDED], p[k.WIDTH], p[k.KEEP], p[k.CHANNEL_AT], p[k.V_AT]
        events, ends = n * strides[k.EVENTS] + p[k.EVENT_AT], n * strides[k.STARTS] + p[k.START_AT]
        mask, shift, together = np.uint64(2**64 - 1) >> np.uint64(64 - padded), np.uint64(padded % 64), 64 // padded
        outside, found = np.uint64(0), np.int64(0)
        poke(start, ends, found)
        for y in range(p[k.HEIGHT]):
            sums = p[k.IMAGE_AT] + y * p[k.IMAGE_ROW]
            for x in range(0, width, together):
                if fresh:
                    fired, out, _ = update(64, 1, clear, image, sums, v, at, bias, threshold, channels, keep, V_MAX)
                else:
                    fired, out, _ = update(64, 0, clear, image, sums, v, at, bias, threshold, channels, keep, V_MAX)
                outside |= out
                sums += 64
                at += 64
                for i in range(together):
                    ones = fired & mask
                    fired = fired >> shift
                    while ones != np.uint64(0):
                        poke(chan, events + found, lowest_bit(ones))
                        poke(col, events + found, x + i)
                        ones = without_lowest(ones)
                        found += 1
                    ends += 1
                    poke(start, ends, found)
        return found if outside == np.uint64(0) else np.int64(-1)

    return sweep


sweep, sweep_held = _sweep(held=False), _sweep(held=True)
