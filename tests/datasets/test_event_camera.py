"""The moving camera: geometry, symmetry, convergence and independence of grouping."""

import numpy as np
import pytest

from snn5.config import Camera
from snn5.datasets._camera import duration_us, resample, saccades, simulate
from snn5.errors import UserError

SMALL = Camera(sensor=16, contrast=0.2, saccade_ms=100.0, amplitude=2.0, dark=0.2)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 17, size=(7, 8, 8)).astype(np.uint8)


def test_path_is_the_triangle_of_three_saccades() -> None:
    t_K, d_K2 = saccades(Camera(amplitude=4.0, saccade_ms=10.0))
    corners = {int(t): tuple(d) for t, d in zip(t_K, d_K2, strict=True) if t % 10_000 == 0}
    assert corners == {0: (-2.0, -2.0), 10_000: (0.0, 2.0), 20_000: (2.0, -2.0), 30_000: (-2.0, -2.0)}
    assert (np.diff(t_K) > 0).all()
    assert np.hypot(*np.diff(d_K2, axis=0).T).max() <= 1 / 16 + 1e-12  # sub-pixel motion
    assert duration_us(Camera(saccade_ms=10.0)) == 30_000


def test_resample_by_hand() -> None:
    # twice as large, 4 -> 8 pixels: sensor pixel j looks at (j + 0.5 - 4) / 2 + 1.5 = j / 2 - 0.25
    weights = resample(4, 8, 2.0, 0.0) / 4096
    assert weights[0].tolist() == [0.75, 0, 0, 0]  # u = -0.25: a quarter of it sees the black beyond the image
    assert weights[1].tolist() == [0.75, 0.25, 0, 0]  # u = 0.25
    assert weights[4].tolist() == [0, 0.25, 0.75, 0]  # u = 1.75
    # a shift of 2 sensor pixels is one image pixel
    assert (resample(4, 8, 2.0, 2.0)[2:] == resample(4, 8, 2.0, 0.0)[:-2]).all()
    assert (resample(4, 8, 2.0, 0.0)[1:-1].sum(axis=1) == 4096).all()


def test_an_image_without_contrast_gives_no_events() -> None:
    assert len(simulate(np.zeros((2, 8, 8), np.uint8), 16, SMALL).t_E) == 0


def test_inside_a_uniform_image_nothing_happens() -> None:
    events = simulate(np.full((1, 8, 8), 16, np.uint8), 16, SMALL)
    inner = (events.x_E > 3) & (events.x_E < 12) & (events.y_E > 3) & (events.y_E < 12)
    assert len(events.t_E) > 0  # its rim does move
    assert not inner.any()


def row_counts(image_HW: np.ndarray, last_us: int) -> tuple[list[int], list[int]]:
    """ON and OFF events of the sensor's row 8, columns 5 to 9, up to `last_us`."""
    events = simulate(image_HW[None].astype(np.uint8), 16, SMALL)
    chosen = (events.y_E == 8) & (events.t_E <= last_us)
    on, off = (np.bincount(events.x_E[chosen & (events.p_E == p)], minlength=16)[5:10].tolist() for p in (1, 0))
    return on, off


def test_hand_counted_edge() -> None:
    """A vertical edge, black on its left, moves from sensor column 7 to 9 during two saccades and back during the third.

    zoom = (16 - 2) / 8 = 1.75: pixel x sees white with the weight w = (x + 0.5 - 8 - d) / 1.75 + 0.5, within 0..1; L = ln(0.2 + 0.8 w)

        x = 6: w 0.214 -> 0, L falls by 0.619 = 3.1 C;   x = 7: 0.786 -> 0, 1.421 = 7.1 C;   x = 8: 1 -> 0.214, 0.990 = 4.95 C;
        x = 5: stays black;   x = 9: 1 -> 0.786, 0.188 = 0.9 C
    """
    edge = np.repeat([[0, 0, 0, 0, 16, 16, 16, 16]], 8, axis=0)
    assert row_counts(edge, 200_000) == ([0, 0, 0, 0, 0], [0, 3, 7, 4, 0])
    assert row_counts(edge, 300_000) == ([0, 3, 7, 4, 0], [0, 3, 7, 4, 0])


def test_the_inverse_edge_swaps_on_and_off() -> None:
    # w -> 1 - w: x = 7: 0.214 -> 1, 4.95 C;  x = 8: 0 -> 0.786, 7.1 C;  x = 9: 0 -> 0.214, 3.1 C;  x = 6: 0.786 -> 1, 0.9 C; all of them ON
    edge = np.repeat([[16, 16, 16, 16, 0, 0, 0, 0]], 8, axis=0)
    assert row_counts(edge, 200_000) == ([0, 0, 4, 7, 3], [0, 0, 0, 0, 0])
    assert row_counts(edge, 300_000) == ([0, 0, 4, 7, 3], [0, 0, 4, 7, 3])


def test_a_closed_path_gives_as_many_on_as_off_at_each_pixel(images: np.ndarray) -> None:
    events = simulate(images, 16, SMALL)
    place_E = (events.sample_E * 16 + events.y_E) * 16 + events.x_E
    net = np.bincount(place_E, weights=2.0 * events.p_E - 1)
    assert len(place_E) > 5000
    assert (net == 0).all()


def test_a_mirrored_image_gives_the_mirrored_counts(images: np.ndarray) -> None:
    """The triangle is symmetric: a mirrored image sees the mirrored path, from another corner, so with about the same number of events."""
    plain, mirror = simulate(images, 16, SMALL), simulate(images[:, :, ::-1], 16, SMALL)
    count = [np.bincount((e.sample_E * 16 + e.y_E) * 16 + x, minlength=7 * 256) for e, x in ((plain, plain.x_E), (mirror, 15 - mirror.x_E))]
    assert np.abs(count[0] - count[1]).max() <= 6  # thresholds are counted from another starting level
    assert abs(count[0].sum() / count[1].sum() - 1) < 0.02


def test_two_runs_and_any_grouping_give_the_same_events(images: np.ndarray) -> None:
    whole, again = simulate(images, 16, SMALL), simulate(images, 16, SMALL)
    for name in ("sample_E", "t_E", "x_E", "y_E", "p_E"):
        parts = [simulate(images[i : i + 3], 16, SMALL) for i in (0, 3, 6)]
        joined = [getattr(part, name) + (start if name == "sample_E" else 0) for part, start in zip(parts, (0, 3, 6), strict=True)]
        assert (getattr(whole, name) == np.concatenate(joined)).all()
        assert getattr(whole, name).tobytes() == getattr(again, name).tobytes()


def test_events_are_in_order_and_within_the_recording(images: np.ndarray) -> None:
    events = simulate(images, 16, SMALL)
    assert set(events.sample_E) == set(range(7))
    assert (np.diff(events.sample_E * 10**9 + events.t_E) >= 0).all()
    assert events.t_E.min() >= 0 and events.t_E.max() <= 300_000
    assert len(np.unique(events.t_E)) > 1000  # microsecond times, not the times of the simulated samples
    for values, limit in ((events.x_E, 16), (events.y_E, 16), (events.p_E, 2)):
        assert 0 <= values.min() <= values.max() < limit


def test_finer_motion_changes_little(images: np.ndarray) -> None:
    coarse, fine = (len(simulate(images, 16, SMALL, steps_per_pixel=n).t_E) for n in (16, 128))
    assert abs(coarse / fine - 1) < 0.01


def test_brighter_contrast_or_lower_threshold_gives_more_events(images: np.ndarray) -> None:
    counts = [len(simulate(images, 16, Camera(contrast=c)).t_E) for c in (0.1, 0.2, 0.4)]
    assert counts[0] > 1.8 * counts[1] > 3 * counts[2]
    darker = [len(simulate(images, 16, Camera(dark=d)).t_E) for d in (0.05, 0.2, 1.0)]
    assert darker[0] > darker[1] > darker[2] == 0  # with dark = 1 nothing stands out


def test_errors() -> None:
    with pytest.raises(UserError, match=r"camera.amplitude=9.0 leaves no room on a sensor of 16 pixels; take at most 8.0"):
        simulate(np.zeros((1, 8, 8), np.uint8), 16, Camera(sensor=16, amplitude=9.0))
    with pytest.raises(UserError, match="image values go from 0 to 17; need 0 to scale=16"):
        simulate(np.array([[[0, 17]]], np.uint8), 16, SMALL)
