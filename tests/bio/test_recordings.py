"""The events at the liquid's time step are the events that every other phase uses."""

from dataclasses import replace

import numpy as np
import pytest

from snn5.bio._recordings import finer, steps_of
from snn5.config import Camera, Data
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
