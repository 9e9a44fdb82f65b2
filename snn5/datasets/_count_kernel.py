"""The compiled loop of `frames_from_events`: one pass over the events, one byte per count."""

from typing import Any

import numba
import numpy as np

FINE, OUTSIDE, BACKWARDS = -1, 0, 1


def _compiled(function: Any) -> Any:
    """Compile at the first call; the code is kept in __pycache__ or the user's cache, if one can be written."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # nowhere to write: every process compiles for itself
        return numba.njit(nogil=True)(function)


@_compiled
def count(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    t, x, y, p, start: int, width: int, steps: int, by_count: bool, keep_rest: bool, frames: np.ndarray
):
    """Add each event to frames[slice, p, y, x], held at 255; returns (state, number of events left out).

    The slice of event e is (t_e - start) // width, or e // width where `by_count`; at `steps` and beyond it is the last slice where
    `keep_rest`, else the event is left out. State: FINE; OUTSIDE at the first event off the sensor; BACKWARDS where `by_count` meets times
    that fall, whose order the caller must make.
    """
    _, _, height, columns = frames.shape
    left_out = 0
    now = 0  # the slice of the event before, and where it begins and ends: most events lie in the same one, without a division
    low, high = start, start + width
    for e in range(len(t)):
        if x[e] < 0 or x[e] >= columns or y[e] < 0 or y[e] >= height or p[e] < 0 or p[e] > 1:
            return OUTSIDE, left_out
        if by_count:
            if e and t[e] < t[e - 1]:
                return BACKWARDS, left_out
            value = e
        else:
            value = t[e]
        if value < low or value >= high:
            now = (value - start) // width
            low = start + now * width
            high = low + width
        at = now
        if at >= steps:
            if not keep_rest:
                left_out += 1
                continue
            at = steps - 1
        if frames[at, p[e], y[e], x[e]] < 255:
            frames[at, p[e], y[e], x[e]] += 1
    return FINE, left_out
