"""The events at the liquid's time step are the events that every other phase uses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snn5.bio._recordings import finer, steps_of
from snn5.config import Binning, Camera, Data, Folder
from snn5.datasets import Splits, load
from snn5.errors import UserError

DATA = Data(dataset="digits_events", time_steps=5, camera=Camera(sensor=8, saccade_ms=50.0, contrast=0.4))


@pytest.fixture(scope="module")
def coarse() -> Splits:
    return load(DATA.dataset, time_steps=5, camera=DATA.camera)


def test_finer_slices_add_up_to_the_coarse_ones(coarse: Splits) -> None:
    fine = finer(DATA, coarse, dt_ms=10.0)
    assert steps_of(DATA, 10.0) == 15
    for side in ("train", "val", "test"):
        ours, theirs = getattr(fine, side), getattr(coarse, side)
        assert ours.x_TNCHW.shape[0] == 15 and np.array_equal(ours.index_N, theirs.index_N)
        assert np.array_equal(ours.x_TNCHW.reshape(5, 3, *ours.x_TNCHW.shape[1:]).sum(1), theirs.x_TNCHW)


def test_another_split_is_refused(coarse: Splits) -> None:
    with pytest.raises(UserError, match=r"train split in data/p7_data/events is not that of digits_events.*dvc repro p7_data"):
        finer(replace(DATA, split_seed=6), coarse, dt_ms=50.0)


def test_other_events_are_refused(coarse: Splits) -> None:
    with pytest.raises(UserError, match="train events in data/p7_data/events are not those of digits_events"):
        finer(replace(DATA, camera=replace(DATA.camera, contrast=0.5)), coarse, dt_ms=50.0)


def test_steps() -> None:
    assert [steps_of(DATA, dt) for dt in (1.0, 2.0, 1000.0)] == [150, 75, 1]


def test_a_cameras_own_recordings_are_cut_finer_too(tmp_path: Path) -> None:
    """Its events fill their frames: nothing lies side by side, as a sound's slices do."""
    rng = np.random.default_rng(0)
    for i in range(24):
        (tmp_path / str(i % 2)).mkdir(exist_ok=True)
        x, y = rng.integers(0, 8, (2, 90))
        np.savez(tmp_path / str(i % 2) / f"{i}.npz", t=np.sort(rng.integers(0, 150_000, 90)), x=x, y=y, p=rng.integers(0, 2, 90))
    data = replace(DATA, dataset="event_folder", time_steps=3, folder=Folder(path=str(tmp_path), size=[8, 8]), binning=Binning(pixels=2))
    own = load("event_folder", time_steps=3, folder=data.folder, binning=data.binning)
    fine = finer(data, own, dt_ms=10.0)
    assert fine.train.x_TNCHW.shape[0] == 15 and fine.train.x_TNCHW.shape[2:] == own.train.x_TNCHW.shape[2:] == (2, 4, 4)
    assert np.array_equal(fine.test.x_TNCHW.sum(0, dtype=np.int64), own.test.x_TNCHW.sum(0, dtype=np.int64))
