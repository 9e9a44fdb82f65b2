"""Augmented recordings: by hand, conserved, the same draws twice, and never empty."""

import numpy as np
import pytest

from snn5.datasets import CropEvents, CropTime, DropEvents, FlipEvents, JitterTime, Recording, frames_from_events
from snn5.errors import UserError


def recording(count: int = 500, seed: int = 0) -> Recording:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 12, count), rng.integers(0, 9, count)
    return Recording(t=np.sort(rng.integers(1000, 9000, count)), x=x, y=y, p=rng.integers(0, 2, count), sensor=(9, 12))


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


EVERY = [
    CropEvents(sensor=(9, 12), size=(5, 6)),
    FlipEvents(width=12),
    CropTime(share=0.3),
    JitterTime(sigma_us=50.0),
    DropEvents(probability=0.4),
]


@pytest.mark.parametrize("change", EVERY, ids=lambda c: type(c).__name__)
def test_the_same_draws_give_the_same_recording_and_the_given_one_stays(change: object, seed: int = 3) -> None:
    found, kept = recording(), recording()
    one, two = (change(found, draws(seed)) for _ in range(2))  # type: ignore[operator]
    other = [change(found, draws(s)) for s in range(20)]  # type: ignore[operator]
    for name in "txyp":
        assert (getattr(one, name) == getattr(two, name)).all() and (getattr(found, name) == getattr(kept, name)).all()
    assert len({(o.t.tobytes(), o.x.tobytes(), o.y.tobytes()) for o in other}) > 1
    assert all(len(o.t) == len(o.x) == len(o.y) == len(o.p) > 0 for o in other)


def test_a_window_is_that_part_of_the_frame() -> None:
    found, whole = recording(), frames_of(recording(), (9, 12))
    places = set()
    for seed in range(60):
        part = CropEvents(sensor=(9, 12), size=(5, 6))(found, draws(seed))
        frame = frames_of(part, (5, 6))
        where = [(i, j) for i in range(5) for j in range(7) if (whole[:, i : i + 5, j : j + 6] == frame).all()]
        assert len(where) == 1 and part.sensor == (5, 6)
        places |= set(where)
    assert {i for i, _ in places} == set(range(5)) and {j for _, j in places} == set(range(7))  # every place can come


def frames_of(found: Recording, sensor: tuple[int, int]) -> np.ndarray:
    return frames_from_events(found.t, found.x, found.y, found.p, time_steps=1, sensor=sensor)[0]


def test_a_flip_is_a_mirror_half_of_the_time() -> None:
    found, whole = recording(), frames_of(recording(), (9, 12))
    assert (frames_of(FlipEvents(width=12, probability=1.0)(found, draws()), (9, 12)) == whole[:, :, ::-1]).all()
    assert FlipEvents(width=12, probability=0.0)(found, draws()) is found
    generator = draws(1)
    assert 60 < sum(FlipEvents(width=12)(found, generator) is found for _ in range(200)) < 140


def test_a_stretch_of_time() -> None:
    found = recording()
    length = found.t[-1] - found.t[0]
    for seed in range(30):
        part = CropTime(share=0.3)(found, draws(seed))
        assert part.t[-1] - part.t[0] <= 0.3 * length and np.isin(part.t, found.t).all()
        inside = (found.t >= part.t[0]) & (found.t <= part.t[-1])
        assert inside.sum() == len(part)  # nothing is missing from the middle
    assert len(CropTime(share=1.0)(found, draws())) == 500


def test_jitter_moves_times_by_its_deviation_and_keeps_their_order() -> None:
    found = Recording(t=np.full(20000, 10**6), x=np.arange(20000), y=np.zeros(20000, int), p=np.zeros(20000, int))
    moved = JitterTime(sigma_us=50.0)(found, draws())
    assert (np.diff(moved.t) >= 0).all() and sorted(moved.x) == list(range(20000))
    assert abs(moved.t.mean() - 10**6) < 2 and moved.t.std() == pytest.approx(50, rel=0.03)


def test_dropping_leaves_the_rest_as_it_is() -> None:
    found = recording(10000)
    part = DropEvents(probability=0.4)(found, draws())
    assert len(part) == pytest.approx(6000, abs=200) and (np.diff(part.t) >= 0).all()


def test_a_recording_is_never_emptied() -> None:
    one = Recording(t=np.array([5]), x=np.array([11]), y=np.array([8]), p=np.array([1]), sensor=(9, 12))
    for seed in range(20):
        assert len(CropEvents(sensor=(9, 12), size=(1, 1))(one, draws(seed))) == 1
        assert len(DropEvents(probability=0.99)(one, draws(seed))) == 1


def test_errors() -> None:
    with pytest.raises(UserError, match=r"a window of \(10, 5\) does not fit on a sensor of \(9, 12\)"):
        CropEvents(sensor=(9, 12), size=(10, 5))
    with pytest.raises(UserError, match="share=0; need above 0 up to 1"):
        CropTime(share=0)
    with pytest.raises(UserError, match=r"probability=1.0; need 0 to 1"):
        DropEvents(probability=1.0)
    with pytest.raises(UserError, match=r"sigma_us=-1; need at least 0"):
        JitterTime(sigma_us=-1)
    with pytest.raises(UserError, match=r"probability=2; need 0 to 1"):
        FlipEvents(width=4, probability=2)
