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
) -> np.ndarray:
    """Count the events of one recording in T consecutive slices.

        time:   slice_e = min((t_e - t_0) // w, T - 1),   w = (t_1 - t_0) // T       (slices of equal length)
        count:  slice_e = min(e // w, T - 1),             w = E // T                 (slices of equal number, in order of time)

    w is at least 1; the last slice takes what the division leaves, so every event is counted once.

    Args:
        t: times in microseconds, in any order. x, y: column and row. p: polarity, 0 (OFF) or 1 (ON). All of length E.
        time_steps: T >= 1.
        sensor: side of a square sensor, or (H, W).
        method: `time` or `count`.
        window_us: (t_0, t_1) for `time`; None takes the first and the last event.

    Returns:
        uint8 [T, 2, H, W]; a count above 255 is held at 255. No events give frames of zeros.

    Raises:
        UserError: an event outside the sensor or the window, a polarity other than 0 and 1, unequal lengths, an unknown method.

    Source: Fang et al., SpikingJelly (`split_by='time'` and `'number'`); tonic's ToFrame drops the remainder
    that the last slice takes here.
    """
    t, x, y, p = (np.asarray(a).astype(np.int64) for a in (t, x, y, p))
    height, width = (sensor, sensor) if isinstance(sensor, int) else sensor
    if not len(t) == len(x) == len(y) == len(p):
        raise UserError(f"events need t, x, y and p of equal length; got {len(t)}, {len(x)}, {len(y)} and {len(p)}")
    if time_steps < 1:
        raise UserError(f"time_steps={time_steps}; need at least 1")
    for name, values, limit in (("x", x, width), ("y", y, height), ("p", p, 2)):
        if len(values) and not 0 <= values.min() <= values.max() < limit:
            raise UserError(
                f"events have {name} from {values.min()} to {values.max()}; a sensor of {height}x{width} pixels needs 0 to {limit - 1}"
            )
    if method == "time":
        slice_E = time_slices(t, time_steps, window_us or ((int(t.min()), int(t.max())) if len(t) else (0, 0)))
    elif method == "count":
        slice_E = np.empty(len(t), np.int64)
        slice_E[np.argsort(t, kind="stable")] = np.minimum(np.arange(len(t)) // max(1, len(t) // time_steps), time_steps - 1)
    else:
        raise unknown("method", method, METHODS)
    return accumulate(slice_E, np.zeros_like(slice_E), x, y, p, (time_steps, 1, 2, height, width))[:, 0]


def time_slices(t_E: np.ndarray, time_steps: int, window_us: tuple[int, int]) -> np.ndarray:
    """The slice of each event when `window_us` is cut into T slices of equal length; the last one takes the remainder.

    Raises:
        UserError: an event lies outside the window.
    """
    start, end = window_us
    if len(t_E) and not start <= t_E.min() <= t_E.max() <= end:
        raise UserError(f"events from {t_E.min()} to {t_E.max()} us do not lie within the window {start} to {end} us; widen it")
    return np.minimum((t_E - start) // max(1, (end - start) // time_steps), time_steps - 1)


def accumulate(
    slice_E: np.ndarray, sample_E: np.ndarray, x_E: np.ndarray, y_E: np.ndarray, p_E: np.ndarray, shape: tuple[int, int, int, int, int]
) -> np.ndarray:
    """Events -> uint8 counts of shape [T, N, 2, H, W], held at 255."""
    where_E = np.ravel_multi_index((slice_E, sample_E, p_E, y_E, x_E), shape)
    return np.minimum(np.bincount(where_E, minlength=int(np.prod(shape))), 255).astype(np.uint8).reshape(shape)
