"""The two built-in sets."""

import time

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier

from snn5.config import Camera
from snn5.datasets import Split, Splits, load, split_sha256, statistics
from snn5.datasets._partition import first_copies


@pytest.fixture(scope="module")
def frames() -> Splits:
    return load("digits", time_steps=4)


@pytest.fixture(scope="module")
def events() -> Splits:
    return load("digits_events", time_steps=5)


def parts(splits: Splits) -> tuple[Split, Split, Split]:
    return splits.train, splits.val, splits.test


def test_frames_are_scikit_learns_images(frames: Splits) -> None:
    source = load_digits()
    for split in parts(frames):
        assert split.x_TNCHW.shape == (1, len(split), 1, 8, 8) and split.info["scale"] == 16
        assert (split.x_TNCHW[0, :, 0] == source.images[split.index_N]).all()
        assert (split.y_N == source.target[split.index_N]).all()
    assert sum(map(len, parts(frames))) == 1797


def test_no_two_digits_are_equal(frames: Splits) -> None:
    assert frames.train.info["duplicates"] == 0
    x_TNCHW = np.concatenate([split.x_TNCHW for split in parts(frames)], axis=1)
    assert (first_copies(x_TNCHW) == np.arange(1797)).all()


def test_splits_are_disjoint_stratified_and_hashed(frames: Splits) -> None:
    everyone = np.concatenate([split.index_N for split in parts(frames)])
    assert sorted(everyone) == list(range(1797))
    assert [len(split) for split in parts(frames)] == [1078, 269, 450]
    for split in parts(frames):
        assert split.info["split_sha256"] == split_sha256(split.index_N, split.y_N)
    assert max(statistics(frames.test).classes) - min(statistics(frames.test).classes) <= 3  # classes have 174 to 183 samples: 44 to 46


def test_frames_and_events_have_the_same_samples_in_each_split(frames: Splits, events: Splits) -> None:
    for a, b in zip(parts(frames), parts(events), strict=True):
        assert (a.index_N == b.index_N).all() and (a.y_N == b.y_N).all()


def test_hashes_change_with_the_seed_and_with_nothing_else(frames: Splits) -> None:
    again, other = load("digits", time_steps=9), load("digits", time_steps=4, split_seed=6)
    for a, b, c in zip(parts(frames), parts(again), parts(other), strict=True):
        assert a.info["split_sha256"] == b.info["split_sha256"] != c.info["split_sha256"]
        assert a.x_TNCHW.tobytes() == b.x_TNCHW.tobytes()


def test_events_are_neither_empty_nor_saturated(events: Splits) -> None:
    found = statistics(events.train)
    assert events.train.x_TNCHW.shape == (5, 1078, 2, 16, 16)
    assert 800 < found.mean_sum < 1500
    assert min(found.mean_sum_per_step) > 100
    assert found.empty_frames == found.saturated == 0
    assert found.largest < 20 and 0.1 < found.active < 0.4
    assert found.on == 0.5  # the path is closed: each pixel ends where it began


def test_events_carry_the_class(events: Splits, frames: Splits) -> None:
    """A linear classifier on the counts pooled over T reads the digit; on the mere number of events at each step it does not."""

    def accuracy(features: list[np.ndarray]) -> float:
        return float(RidgeClassifier(alpha=10.0).fit(features[0], events.train.y_N).score(features[1], events.val.y_N))

    pooled = [s.x_TNCHW.sum(axis=0, dtype=float).reshape(len(s), -1) for s in (events.train, events.val)]
    totals = [s.x_TNCHW.sum(axis=(3, 4), dtype=float).transpose(1, 0, 2).reshape(len(s), -1) for s in (events.train, events.val)]
    assert accuracy(pooled) > 0.87
    assert accuracy(totals) < 0.75


def test_grouping_of_the_images_changes_nothing_and_all_take_seconds(events: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snn5.datasets._digits._CHUNK", 500)
    calls: list[tuple[int, int]] = []
    start = time.process_time()
    again = load("digits_events", time_steps=5, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(500, 1797), (1000, 1797), (1500, 1797), (1797, 1797)]
    assert time.process_time() - start < 10  # seconds of one core for all digits
    for a, b in zip(parts(events), parts(again), strict=True):
        assert a.x_TNCHW.tobytes() == b.x_TNCHW.tobytes() and a.info == b.info


def test_the_camera_is_on_record(events: Splits) -> None:
    assert events.test.info["camera"] == {"sensor": 16, "contrast": 0.2, "saccade_ms": 100.0, "amplitude": 2.0, "dark": 0.2}
    small = load("digits_events", time_steps=2, camera=Camera(sensor=8, amplitude=1.0))
    assert small.test.x_TNCHW.shape == (2, 450, 2, 8, 8)
    assert small.test.info["camera"]["sensor"] == 8


def test_golden_events(events: Splits) -> None:
    """The events are exact integers on every machine; a change of this hash is a change of the data."""
    assert events.train.info["samples_sha256"] == "96ad988051c41ffd6d24eabd56904a8e58533726f75d3f83ff0761eb2aa1264a"
