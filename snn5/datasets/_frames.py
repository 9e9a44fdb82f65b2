"""Events -> frames of event counts.

Shapes: E events, N recordings, T steps, H x W pixels. Channel 0 holds the OFF events (p = 0), channel 1 the ON events (p = 1), as in tonic
and SpikingJelly.
"""

import numpy as np

from snn5.errors import UserError, unknown

METHODS = ("time", "count")


def frames_from_events(
    t: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    p: np.ndarray,
    *,
    time_steps: int,
    sensor: int | tuple[int, int],
    method: str = "time",
    window_us: tuple[int, int] | None = None,
    size: int = 0,
) -> np.ndarray:
    """Count the events of one recording in T consecutive slices.

        time:   slice_e = min((t_e - t_0) // w, T - 1),   w = (t_1 - t_0) // T       (slices of equal length)
        count:  slice_e = min(e // w, T - 1),             w = E // T                 (slices of equal number, in order of time)

    w is at least 1; the last slice takes what the division leaves, so every event is counted once. With `size` w is that many
    microseconds or events, whatever the recording's length: what lies behind the T-th slice is left out (see `count_frames` for how much),
    and slices behind the last event are empty.

    Args:
        t: times in microseconds, in any order. x, y: column and row. p: polarity, 0 (OFF) or 1 (ON). All of length E.
        time_steps: T >= 1.
        sensor: side of a square sensor, or (H, W).
        method: `time` or `count`.
        window_us: (t_0, t_1) for `time`; None takes the first and the last event.
        size: microseconds or events of each slice; 0 divides the recording (or the window) in T.

    Returns:
        uint8 [T, 2, H, W]; a count above 255 is held at 255. No events give frames of zeros.

    Raises:
        UserError: an event outside the sensor or the window, a polarity other than 0 and 1, unequal lengths, an unknown method.

    Source: Fang et al., SpikingJelly (`split_by='time'` and `'number'`); tonic's ToFrame drops the remainder that the last slice takes
    here, and gives the same frames with `time_window=size` and `event_count=size`.
    """
    return count_frames(t, x, y, p, time_steps=time_steps, sensor=sensor, method=method, window_us=window_us, size=size)[0]


def count_frames(
    t: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    p: np.ndarray,
    *,
    time_steps: int,
    sensor: int | tuple[int, int],
    method: str = "time",
    window_us: tuple[int, int] | None = None,
    size: int = 0,
) -> tuple[np.ndarray, int]:
    """What `frames_from_events` gives, and the number of events that `size` left out."""
    from snn5.datasets._count_kernel import BACKWARDS, OUTSIDE, count  # numba takes a while to import, which only events should cost

    t, x, y, p = (np.ascontiguousarray(a, np.int64) for a in (t, x, y, p))
    height, width = (sensor, sensor) if isinstance(sensor, int) else sensor
    if not len(t) == len(x) == len(y) == len(p):
        raise UserError(f"events need t, x, y and p of equal length; got {len(t)}, {len(x)}, {len(y)} and {len(p)}")
    if time_steps < 1 or size < 0:
        raise UserError(f"time_steps={time_steps}, size={size}; need at least 1 step and a size of at least 0")
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    frames = np.zeros((time_steps, 2, height, width), np.uint8)
    if not len(t):
        return frames, 0
    start, end = 0, len(t)
    if method == "time":
        start, end = window_us or (int(t.min()), int(t.max()))
        _check_window(t, (start, end))
    step = size or max(1, (end - start) // time_steps)
    arguments = (start, step, time_steps, method == "count", not size)
    state, left_out = count(t, x, y, p, *arguments, frames)
    if state == BACKWARDS:
        order = np.argsort(t, kind="stable")
        frames[:] = 0
        state, left_out = count(t[order], x[order], y[order], p[order], *arguments, frames)
    if state == OUTSIDE:
        raise _outside(x, y, p, height, width)
    return frames, int(left_out)


def _outside(x: np.ndarray, y: np.ndarray, p: np.ndarray, height: int, width: int) -> UserError:
    name, values, limit = next(
        (name, values, limit)
        for name, values, limit in (("x", x, width), ("y", y, height), ("p", p, 2))
        if not 0 <= values.min() <= values.max() < limit
    )
    return UserError(
        f"events have {name} from {values.min()} to {values.max()}; a sensor of {height}x{width} pixels needs 0 to {limit - 1}"
    )


def _check_window(t_E: np.ndarray, window_us: tuple[int, int]) -> None:
    start, end = window_us
    if len(t_E) and not start <= t_E.min() <= t_E.max() <= end:
        raise UserError(f"events from {t_E.min()} to {t_E.max()} us do not lie within the window {start} to {end} us; widen it")


def time_slices(t_E: np.ndarray, time_steps: int, window_us: tuple[int, int]) -> np.ndarray:
    """The slice of each event when `window_us` is cut into T slices of equal length; the last one takes the remainder.

    Raises:
        UserError: an event lies outside the window.
    """
    start, end = window_us
    _check_window(t_E, window_us)
    return np.minimum((t_E - start) // max(1, (end - start) // time_steps), time_steps - 1)


def accumulate(
    slice_E: np.ndarray, sample_E: np.ndarray, x_E: np.ndarray, y_E: np.ndarray, p_E: np.ndarray, shape: tuple[int, int, int, int, int]
) -> np.ndarray:
    """Events -> uint8 counts of shape [T, N, 2, H, W], held at 255."""
    where_E = np.ravel_multi_index((slice_E, sample_E, p_E, y_E, x_E), shape)
    return np.minimum(np.bincount(where_E, minlength=int(np.prod(shape))), 255).astype(np.uint8).reshape(shape)
