"""The pixel of an event camera, exactly: an event each time log intensity has moved by the contrast threshold.

Everything is integer arithmetic in units of 2^-16 of log intensity, so the events are the same bytes on every machine, however
the images are grouped.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

UNIT = 2**16  # fixed-point steps in one unit of log intensity (one factor e)


@dataclass(frozen=True, kw_only=True)
class Crossings:
    """Events of one step. Shapes: E events.

    Attributes:
        pixel_E: int64 flat number of the pixel. t_E: int64 microseconds. p_E: uint8, 1 = ON (brighter), 0 = OFF (darker).
    """

    pixel_E: np.ndarray
    t_E: np.ndarray
    p_E: np.ndarray


def to_fixed(log_intensity: np.ndarray) -> np.ndarray:
    """Log intensity (natural logarithm) as fixed-point int32."""
    return np.rint(np.asarray(log_intensity, np.float64) * UNIT).astype(np.int32)


def threshold(contrast: float) -> int:
    """The contrast threshold C in fixed point, rounded down: a step of k C then gives k events, never k - 1."""
    return max(1, int(contrast * UNIT))


def step(
    reference_M: np.ndarray, before_M: np.ndarray, after_M: np.ndarray, contrast: int, start_us: int, end_us: int
) -> tuple[np.ndarray, Crossings]:
    """Events while log intensity moves from `before_M` to `after_M`, and the new reference level.

        an event of polarity p at the t with  p (L(t) - L_ref) = C,   then  L_ref <- L_ref + p C     (p = +1, -1)

    L is taken as linear between the two samples, so each event has a time of its own:
    t = start + (end - start) |L_ref + p k C - L_before| / |L_after - L_before|, rounded down, for k = 1 ... floor(|L_after - L_ref| / C).

    Args:
        reference_M: int32 level at each pixel's last event, within C of `before_M`.
        before_M, after_M: int32 log intensity at both ends.
        contrast: C, from `threshold`.
        start_us, end_us: the ends' times.

    Shapes: M pixels. The result is ordered by pixel, then time.

    Source: Rebecq, Gehrig, Scaramuzza, "ESIM: an Open Event Camera Simulator", CoRL 2018, eq. 1-2; Lichtsteiner, Posch, Delbruck,
    IEEE J. Solid-State Circuits 43(2), 2008 (the DVS pixel). No noise, no refractory time, equal thresholds for ON and OFF.
    """
    gap_M = after_M - reference_M
    hot_H = np.flatnonzero(np.abs(gap_M) >= contrast)
    gap_H = gap_M[hot_H].astype(np.int64)
    sign_H, count_H = np.sign(gap_H), np.abs(gap_H) // contrast
    origin_E = np.repeat(np.arange(len(hot_H)), count_H)
    number_E = np.arange(len(origin_E)) - np.repeat(np.cumsum(count_H) - count_H, count_H) + 1  # k = 1 ... count, per pixel
    before_H = before_M[hot_H].astype(np.int64)
    level_E = reference_M[hot_H][origin_E] + sign_H[origin_E] * number_E * contrast
    part_E, whole_H = np.abs(level_E - before_H[origin_E]), np.abs(after_M[hot_H] - before_H)
    t_E = start_us + (end_us - start_us) * part_E // whole_H[origin_E]
    reference_M = reference_M.copy()
    reference_M[hot_H] += (sign_H * count_H * contrast).astype(reference_M.dtype)
    return reference_M, Crossings(pixel_E=hot_H[origin_E], t_E=t_E, p_E=(sign_H[origin_E] > 0).astype(np.uint8))


def crossings(samples: Iterable[tuple[int, np.ndarray]], contrast: float) -> Crossings:
    """Events of M pixels whose log intensity was sampled at rising times; the first sample is the reference, so it makes none.

    Args:
        samples: (microseconds, int32 [M] log intensity in fixed point, from `to_fixed`), one pair at a time.
        contrast: C > 0, in units of log intensity.

    Returns:
        the events in order of time; events of one microsecond in order of pixel, a pixel's own events in the order they happened.
    """
    pairs = iter(samples)
    start_us, before_M = next(pairs)
    reference_M, parts = before_M, []
    for end_us, after_M in pairs:
        reference_M, part = step(reference_M, before_M, after_M, threshold(contrast), start_us, end_us)
        parts.append(part)
        start_us, before_M = end_us, after_M
    empty = np.zeros(0, np.int64)
    pixel_E = np.concatenate([empty, *(part.pixel_E for part in parts)])
    t_E = np.concatenate([empty, *(part.t_E for part in parts)])
    p_E = np.concatenate([empty.astype(np.uint8), *(part.p_E for part in parts)])
    order_E = np.lexsort((pixel_E, t_E))
    return Crossings(pixel_E=pixel_E[order_E], t_E=t_E[order_E], p_E=p_E[order_E])
