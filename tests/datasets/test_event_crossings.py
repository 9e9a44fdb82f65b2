"""The pixel of the event camera: counts and times worked out by hand."""

import numpy as np
import pytest

from snn5.datasets._crossings import UNIT, crossings, threshold, to_fixed


def events(log_KM: list[list[float]], t_K: list[int], contrast: float) -> tuple[list[int], list[int], list[int]]:
    found = crossings(((t, to_fixed(np.array(row))) for t, row in zip(t_K, log_KM, strict=True)), contrast)
    return found.t_E.tolist(), found.pixel_E.tolist(), found.p_E.tolist()


@pytest.mark.parametrize("contrast", [0.01, 0.1, 0.2, 0.3, 0.7, 2.0])
@pytest.mark.parametrize("k", [1, 2, 3, 5, 7, 10])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_step_of_k_thresholds_gives_k_events(contrast: float, k: int, sign: int) -> None:
    times, _, polarities = events([[0.5], [0.5 + sign * k * contrast]], [0, 1000], contrast)
    assert len(times) == k
    assert polarities == [int(sign > 0)] * k


def test_times_are_interpolated_on_a_ramp() -> None:
    # 0 -> 1 in 1000 us with C = 1/4: crossings at 250, 500, 750, 1000 us (1/4 is exact in fixed point)
    assert events([[0.0], [1.0]], [0, 1000], 0.25)[0] == [250, 500, 750, 1000]
    # cut into two unequal samples on the same line, the events stay
    assert events([[0.0], [0.375], [1.0]], [0, 375, 1000], 0.25)[0] == [250, 500, 750, 1000]


def test_reference_level_follows_the_events() -> None:
    # C = 1/4. Up to 5/8 in 100 us: ON at 1/4 (40 us) and 1/2 (80 us). Down to 1/4: OFF there. Up to 0.499: nothing. Up to 1/2: ON there.
    times, _, polarities = events([[0.0], [0.625], [0.25], [0.499], [0.5]], [0, 100, 175, 195, 295], 0.25)
    assert polarities == [1, 1, 0, 1]
    assert times == [40, 80, 175, 295]


def test_a_still_pixel_makes_no_events() -> None:
    assert events([[1.0, -3.0]] * 5, [0, 10, 20, 30, 40], 0.01) == ([], [], [])
    assert events([[1.0, -3.0]], [0], 0.01) == ([], [], [])


def test_order_is_time_then_pixel() -> None:
    # pixel 0 crosses at 100 us, pixel 1 at 50 and 100 us, pixel 2 (downwards) at 25, 50, 75 and 100 us
    times, pixels, polarities = events([[0.0, 0.0, 0.0], [0.25, 0.5, -1.0]], [0, 100], 0.25)
    assert list(zip(times, pixels, strict=True)) == [(25, 2), (50, 1), (50, 2), (75, 2), (100, 0), (100, 1), (100, 2)]
    assert polarities == [0, 1, 0, 0, 1, 1, 0]


def test_inverse_light_swaps_on_and_off() -> None:
    log_KM = np.random.default_rng(3).normal(size=(30, 50)).cumsum(0) * 0.2
    steps = [list(row) for row in log_KM]
    times, pixels, polarities = events(steps, list(range(0, 3000, 100)), 0.2)
    inverse = events([[-v for v in row] for row in steps], list(range(0, 3000, 100)), 0.2)
    assert len(times) > 500
    assert inverse == (times, pixels, [1 - p for p in polarities])


def test_reference_stays_within_a_threshold_of_the_light() -> None:
    """Round trip: start level plus C times (ON - OFF) is the light at the end to within C."""
    log_KM = np.random.default_rng(4).normal(size=(40, 64)).cumsum(0) * 0.3
    _, pixels, polarities = events([list(row) for row in log_KM], list(range(40)), 0.15)
    net_M = np.bincount(pixels, weights=2.0 * np.array(polarities) - 1, minlength=64)
    level_M = to_fixed(log_KM[0]) + net_M * threshold(0.15)
    assert np.abs(level_M - to_fixed(log_KM[-1])).max() < threshold(0.15)


def test_threshold_is_rounded_down_and_never_zero() -> None:
    assert threshold(0.2) == 13107  # 0.2 * 65536 = 13107.2
    assert threshold(1.0) == UNIT
    assert threshold(1e-9) == 1
