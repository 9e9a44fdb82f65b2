"""The step of all neurons of a population whose sums are an image, 64 at once, and the list of those that fired."""

from typing import Any

import numpy as np

from snn5.inference.engine import _table as k
from snn5.inference.engine._compiled import helper
from snn5.inference.engine._masks import fill, list_ones
from snn5.inference.engine._vectors import V_MAX, poke, update


@helper
def _note(padded, chan, col, at, ones, block, x):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Events at a position of column x from a mask of its channels, the first of which is `block`; returns how many."""
    if padded == 16:
        fill(16, col, at, x)
        return list_ones(16, chan, at, ones, block)
    if padded == 32:
        fill(32, col, at, x)
        return list_ones(32, chan, at, ones, block)
    fill(64, col, at, x)
    return list_ones(64, chan, at, ones, block)


def _sweep(held: bool) -> Any:
    clear = 0 if held else 1

    @helper
    def sweep(p, n, fresh, image, program, state):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
        """The n-th step of a population, 64 neurons at once; returns its events, or -1 where a potential left its range."""
        bias, threshold, strides, v, chan, col, start = program[5], program[6], program[7], state[0], state[3], state[4], state[5]
        padded, width, keep, channels, at = p[k.PADDED], p[k.WIDTH], p[k.KEEP], p[k.CHANNEL_AT], p[k.V_AT]
        events, ends = n * strides[k.EVENTS] + p[k.EVENT_AT], n * strides[k.STARTS] + p[k.START_AT]
        mask, shift = np.uint64(2**64 - 1) >> np.uint64(max(0, 64 - padded)), np.uint64(padded % 64)
        together = max(1, 64 // padded)  # positions
        outside, found = np.uint64(0), np.int64(0)
        poke(start, ends, found)
        for y in range(p[k.HEIGHT]):
            sums = p[k.IMAGE_AT] + y * p[k.IMAGE_ROW]
            for x in range(0, width, together):
                for block in range(0, padded, 64):
                    if fresh:
                        fired, out, _ = update(64, 1, clear, image, sums, v, at, bias, threshold, channels + block, keep, V_MAX)
                    else:
                        fired, out, _ = update(64, 0, clear, image, sums, v, at, bias, threshold, channels + block, keep, V_MAX)
                    outside |= out
                    sums += 64
                    at += 64
                    for i in range(together):
                        ones = fired & mask
                        fired = fired >> shift
                        if ones != np.uint64(0):
                            found += _note(padded, chan, col, events + found, ones, block, x + i)
                        if block + 64 >= padded:  # the position's last channels
                            ends += 1
                            poke(start, ends, found)
        return found if outside == np.uint64(0) else np.int64(-1)

    return sweep


sweep, sweep_held = _sweep(held=False), _sweep(held=True)
