"""Frames from events: by hand, conserved, and the same as tonic's."""

import numpy as np
import pytest

from snn5.datasets import frames_from_events
from snn5.datasets._frames import count_frames
from snn5.errors import UserError


def random_events(n: int = 2000, seed: int = 0, height: int = 9, width: int = 12) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(1000, 101_000, n))
    return {"t": t, "x": rng.integers(0, width, n), "y": rng.integers(0, height, n), "p": rng.integers(0, 2, n)}


def test_by_hand() -> None:
    # times 10 .. 30 in two slices of 10 us: [10, 20) and [20, 30]; the event at 30 belongs to the last slice
    frames = frames_from_events(
        np.array([10, 12, 19, 20, 30]),
        np.array([0, 0, 1, 2, 2]),
        np.array([0, 0, 1, 0, 0]),
        np.array([1, 1, 0, 1, 1]),
        time_steps=2,
        sensor=(2, 3),
    )
    assert frames.dtype == np.uint8
    assert frames.tolist() == [
        [[[0, 0, 0], [0, 1, 0]], [[2, 0, 0], [0, 0, 0]]],  # first slice: OFF, ON
        [[[0, 0, 0], [0, 0, 0]], [[0, 0, 2], [0, 0, 0]]],
    ]


def test_polarity_1_is_channel_1() -> None:
    one = np.array([1])
    frames = frames_from_events(one, one, one, one, time_steps=1, sensor=2)
    assert frames[0, 1, 1, 1] == 1 and frames.sum() == 1


@pytest.mark.parametrize("method", ["time", "count"])
@pytest.mark.parametrize("time_steps", [1, 3, 7, 16])
def test_every_event_is_counted_once(method: str, time_steps: int) -> None:
    events = random_events()
    frames = frames_from_events(**events, time_steps=time_steps, sensor=(9, 12), method=method)
    assert frames.shape == (time_steps, 2, 9, 12)
    assert frames.sum() == 2000
    expected = np.zeros((2, 9, 12), int)
    np.add.at(expected, (events["p"], events["y"], events["x"]), 1)
    assert (frames.sum(axis=0) == expected).all()


@pytest.mark.parametrize("method", ["time", "count"])
def test_order_of_the_events_does_not_matter(method: str) -> None:
    events = random_events()
    events["t"] = np.unique(events["t"])[:1000]  # all different: equal times have no order to keep
    events = {name: values[:1000] for name, values in events.items()}
    shuffle = np.random.default_rng(1).permutation(1000)
    mixed = {name: values[shuffle] for name, values in events.items()}
    plain = frames_from_events(**events, time_steps=5, sensor=(9, 12), method=method)
    assert (frames_from_events(**mixed, time_steps=5, sensor=(9, 12), method=method) == plain).all()


def test_counts_saturate_and_do_not_wrap() -> None:
    n = 300
    zeros = np.zeros(n, int)
    frames = frames_from_events(np.arange(n), zeros, zeros, zeros, time_steps=1, sensor=1)
    assert frames.tolist() == [[[[255]], [[0]]]]


def test_no_events_give_empty_frames() -> None:
    none = np.zeros(0, int)
    for method in ("time", "count"):
        frames = frames_from_events(none, none, none, none, time_steps=3, sensor=4, method=method)
        assert frames.shape == (3, 2, 4, 4) and not frames.any()


def test_fewer_events_than_steps() -> None:
    events = random_events(3)
    for method in ("time", "count"):
        assert frames_from_events(**events, time_steps=8, sensor=(9, 12), method=method).sum() == 3
    assert frames_from_events(**events, time_steps=8, sensor=(9, 12), method="count").sum(axis=(1, 2, 3)).tolist() == [
        1,
        1,
        1,
        0,
        0,
        0,
        0,
        0,
    ]


def test_window_keeps_the_empty_ends() -> None:
    one = np.array([1])
    frames = frames_from_events(np.array([55]), one, one, one, time_steps=4, sensor=2, window_us=(0, 100))
    assert frames.sum(axis=(1, 2, 3)).tolist() == [0, 0, 1, 0]  # slices of 25 us


@pytest.mark.parametrize("time_steps", [1, 4, 10])
def test_same_as_tonic(time_steps: int) -> None:
    from tonic.transforms import ToFrame

    events = random_events(1200)
    records = np.zeros(1200, dtype=[("x", int), ("y", int), ("t", int), ("p", int)])
    for name, values in events.items():
        records[name] = values
    by_count = ToFrame(sensor_size=(12, 9, 2), n_event_bins=time_steps)(records)
    assert (frames_from_events(**events, time_steps=time_steps, sensor=(9, 12), method="count") == by_count).all()
    # tonic leaves out what lies at or behind the end of the last whole slice; without it, the same
    first, last = int(events["t"][0]), int(events["t"][-1])
    kept = {name: values[events["t"] < first + (last - first) // time_steps * time_steps] for name, values in events.items()}
    by_time = ToFrame(sensor_size=(12, 9, 2), n_time_bins=time_steps)(records)
    ours = frames_from_events(**kept, time_steps=time_steps, sensor=(9, 12), window_us=(first, last))
    assert by_time.sum() > 1150 and (ours == by_time).all()


@pytest.mark.parametrize("time_steps", [3, 60])
def test_fixed_slices_are_the_same_as_tonics(time_steps: int) -> None:
    from tonic.transforms import ToFrame

    events = random_events(1200)
    records = np.zeros(1200, dtype=[("x", int), ("y", int), ("t", int), ("p", int)])
    for name, values in events.items():
        records[name] = values
    for method, size, theirs in (("time", 7000, {"time_window": 7000}), ("count", 90, {"event_count": 90})):
        expected = ToFrame(sensor_size=(12, 9, 2), **theirs)(records)  # whole slices only: 14 of time, 13 of number
        ours, left_out = count_frames(**events, time_steps=time_steps, sensor=(9, 12), method=method, size=size)
        whole = min(time_steps, len(expected))
        assert whole > 2 and (ours[:whole] == expected[:whole]).all()
        assert not ours[len(expected) + 1 :].any()
        assert int(ours.sum()) + left_out == 1200 and (left_out > 0) == (time_steps == 3)


def test_the_compiled_loop_is_the_plain_one() -> None:
    """Against numpy's bincount over slices by division, at sizes, orders and times that make slices short, empty and long."""
    rng = np.random.default_rng(2)
    for _ in range(60):
        n, steps = int(rng.integers(1, 300)), int(rng.integers(1, 9))
        t = rng.integers(0, int(rng.integers(1, 4000)), n)
        x, y, p = rng.integers(0, 3, n), rng.integers(0, 2, n), rng.integers(0, 2, n)
        size = int(rng.integers(0, 3)) * int(rng.integers(1, 200))
        for method in ("time", "count"):
            value = t - t.min() if method == "time" else np.argsort(np.argsort(t, kind="stable"), kind="stable")
            slices = value // (size or max(1, (int(t.max() - t.min()) if method == "time" else n) // steps))
            slices = slices if size else np.minimum(slices, steps - 1)
            kept = slices < steps
            where = np.ravel_multi_index((slices[kept], p[kept], y[kept], x[kept]), (steps, 2, 2, 3))
            plain = np.minimum(np.bincount(where, minlength=steps * 12), 255).reshape(steps, 2, 2, 3)
            frames, left_out = count_frames(t, x, y, p, time_steps=steps, sensor=(2, 3), method=method, size=size)
            assert (frames == plain).all() and left_out == n - kept.sum()


def test_errors() -> None:
    events = random_events()
    with pytest.raises(UserError, match="x from 0 to 11; a sensor of 12x9 pixels needs 0 to 8"):
        frames_from_events(**events, time_steps=2, sensor=(12, 9))
    with pytest.raises(UserError, match="p from -1 to 1"):
        frames_from_events(**{**events, "p": 2 * events["p"] - 1}, time_steps=2, sensor=12)
    with pytest.raises(UserError, match="equal length; got 1999, 2000"):
        frames_from_events(**{**events, "t": events["t"][1:]}, time_steps=2, sensor=12)
    with pytest.raises(UserError, match="time_steps=2, size=-1"):
        frames_from_events(**events, time_steps=2, sensor=12, size=-1)
    with pytest.raises(UserError, match="time_steps=0"):
        frames_from_events(**events, time_steps=0, sensor=12)
    with pytest.raises(UserError, match="unknown method 'counts'; did you mean count"):
        frames_from_events(**events, time_steps=2, sensor=12, method="counts")
    with pytest.raises(UserError, match="do not lie within the window 0 to 500 us"):
        frames_from_events(**events, time_steps=2, sensor=12, window_us=(0, 500))
