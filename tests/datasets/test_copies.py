"""Changed copies of training recordings: of those alone, the same every time, and not at all where there are no recordings."""

from pathlib import Path

import numpy as np
import pytest
from event_files import some_events, write

from snn5.config import Augment, Binning, Data, Datasets, Folder
from snn5.datasets import Splits, load, load_split, prepare, verify
from snn5.errors import UserError

CHANGES = Augment(copies=2, window=0.8, flip=True, stretch=0.7, jitter_us=20.0, drop=0.1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for label, name in enumerate(("a", "b")):
        for i in range(8):
            write(tmp_path / "set" / name / f"{i}.npz", some_events(40, 8 * label + i))
    return tmp_path / "set"


def read(root: Path, augment: Augment, **more: object) -> Splits:
    return load("event_folder", time_steps=2, folder=Folder(path=str(root), size=[40, 60]), augment=augment, **more)  # type: ignore[arg-type]


def test_only_training_recordings_have_copies(root: Path) -> None:
    plain, more = read(root, Augment()), read(root, CHANGES)
    for side in ("val", "test"):
        assert getattr(more, side).x_TNCHW.tobytes() == getattr(plain, side).x_TNCHW.tobytes()
        assert (getattr(more, side).index_N == getattr(plain, side).index_N).all()
    count = len(plain.train)
    assert len(more.train) == 3 * count == 30 and more.train.info["augmented"] == 20 and more.train.info["counts"]["train"] == 30
    assert (more.train.index_N[:count] == plain.train.index_N).all() and (more.train.x_TNCHW[:, :count] == plain.train.x_TNCHW).all()
    parents = more.train.index_N % 16
    assert (
        set(parents.tolist()) == set(plain.train.index_N.tolist()) and (np.bincount(parents, minlength=16)[plain.train.index_N] == 3).all()
    )
    labels = dict(zip(plain.train.index_N.tolist(), plain.train.y_N.tolist(), strict=True))
    assert [labels[int(p)] for p in parents] == more.train.y_N.tolist()
    sums = more.train.x_TNCHW.sum(axis=(0, 2, 3, 4), dtype=int)
    assert (sums[:count] == 40).all() and (sums[count:] < 40).all() and (sums[count:] > 5).all()
    assert more.train.info["augment"]["window"] == 0.8


def test_equal_seeds_give_equal_copies_whatever_the_slices(root: Path) -> None:
    one, two = read(root, CHANGES), read(root, CHANGES)
    assert one.train.x_TNCHW.tobytes() == two.train.x_TNCHW.tobytes()
    coarse = load("event_folder", time_steps=1, folder=Folder(path=str(root), size=[40, 60]), augment=CHANGES)
    assert (coarse.train.x_TNCHW[0] == one.train.x_TNCHW.sum(axis=0)).all()


def test_prepared_as_loaded_and_verified(root: Path, tmp_path: Path) -> None:
    own = Data(dataset="event_folder", time_steps=2, folder=Folder(path=str(root), size=[40, 60]), augment=CHANGES)

    class Settings:
        data = Datasets(frames=Data(dataset="digits", time_steps=1), events=own)

    prepare(Settings(), "events", folder=tmp_path / "out", scratch=tmp_path / "scratch")  # type: ignore[arg-type]
    assert verify(tmp_path / "out") == []
    stored, made = load_split(tmp_path / "out" / "train.safetensors"), read(root, CHANGES).train
    assert stored.x_TNCHW.tobytes() == made.x_TNCHW.tobytes() and stored.info == made.info


def test_a_damaged_recording_is_counted_once(root: Path) -> None:
    (root / "b/3.npz").write_bytes(b"")
    more = read(root, CHANGES, on_error="skip")
    assert [item["name"] for item in more.train.info["skipped"]] == ["b/3.npz"]
    assert set((more.train.index_N % 16).tolist()) <= set(range(16)) - {11} and len(more.train) == 3 * (15 - len(more.val) - len(more.test))


def test_a_window_lies_anywhere_on_the_sensor_and_time_alone_moves_no_pixel(root: Path) -> None:
    still = read(root, Augment(copies=1, stretch=0.5)).train
    count = len(still) // 2
    whole, part = (still.x_TNCHW[:, s].sum(axis=0, dtype=int) for s in (slice(0, count), slice(count, None)))
    assert (part <= whole).all() and part.sum() < whole.sum()
    window = read(root, Augment(copies=6, window=0.5), binning=Binning(pixels=20)).train.x_TNCHW[:, count:]
    assert (window.sum(axis=(0, 1, 2))[:2] > 0).all()  # 2 x 3 bins of 20 pixels


def test_errors(root: Path) -> None:
    with pytest.raises(UserError, match=r"augment.copies=2, but nothing is changed in them; set window, flip"):
        read(root, Augment(copies=2))
    for name in ("digits", "digits_events"):
        with pytest.raises(UserError, match=rf"data set '{name}' has no recordings for augment.copies=2; set it to 0"):
            load(name, time_steps=2, augment=CHANGES)
