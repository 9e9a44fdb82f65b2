"""The files that the stages read: made, checked, and every kind of damage found."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from snn5.config import Camera, Data, Datasets
from snn5.datasets import Split, load_split, prepare, save_split, verify
from snn5.errors import UserError


def settings(frames: str = "digits", events: str = "digits_events", **more: Any) -> Any:
    events_data = Data(dataset=events, time_steps=2, camera=Camera(sensor=8, amplitude=1.0), **more)
    return SimpleNamespace(data=Datasets(frames=Data(dataset=frames, time_steps=4, **more), events=events_data))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare(settings(), "frames", folder=tmp_path)
    return tmp_path


def test_what_is_written_is_what_was_loaded(tmp_path: Path) -> None:
    for slot in ("frames", "events"):
        splits = prepare(settings(), slot, folder=tmp_path / slot)
        assert sorted(p.name for p in (tmp_path / slot).iterdir()) == ["test.safetensors", "train.safetensors", "val.safetensors"]
        for side in ("train", "val", "test"):
            stored, made = load_split(tmp_path / slot / f"{side}.safetensors"), getattr(splits, side)
            assert stored.x_TNCHW.tobytes() == made.x_TNCHW.tobytes() and stored.info == made.info
            assert (stored.y_N == made.y_N).all() and (stored.index_N == made.index_N).all()
        assert verify(tmp_path / slot) == []


def test_equal_settings_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    prepare(settings(), "frames", folder=tmp_path / "again")
    prepare(settings(split_seed=6), "frames", folder=tmp_path / "other")
    for side in ("train", "val", "test"):
        first = (folder / f"{side}.safetensors").read_bytes()
        assert first == (tmp_path / f"again/{side}.safetensors").read_bytes()
        assert first != (tmp_path / f"other/{side}.safetensors").read_bytes()
        assert str(tmp_path).encode() not in first


def test_default_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(settings(), "frames")
    assert verify("data/p7_data/frames") == []


def test_slot_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown data slot 'event'; did you mean events"):
        prepare(settings(), "event", folder=tmp_path)
    with pytest.raises(UserError, match=r"data.frames.dataset='digits_events' is a set of events; put it under data.events"):
        prepare(settings(frames="digits_events"), "frames", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def other_label(split: Split) -> Split:
    return replace(split, y_N=np.where(np.arange(len(split)) == 3, (split.y_N + 1) % 10, split.y_N))


def other_pixel(split: Split) -> Split:
    x_TNCHW = split.x_TNCHW.copy()
    x_TNCHW[0, 5, 0, 0, 0] += 1
    return replace(split, x_TNCHW=x_TNCHW)


def shorter(split: Split) -> Split:
    return replace(split, x_TNCHW=split.x_TNCHW[:, 1:], y_N=split.y_N[1:], index_N=split.index_N[1:])


def twice(split: Split) -> Split:
    return replace(split, index_N=np.where(np.arange(len(split)) == 3, split.index_N[4], split.index_N))


def big_label(split: Split) -> Split:
    return replace(split, y_N=split.y_N + 1)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (other_label, "indices and labels do not have the hash in the header"),
        (other_pixel, "the samples do not have the hash in the header"),
        (shorter, "has 268 samples, its header says 269"),
        (twice, "the same index occurs twice"),
        (big_label, "labels go from 1 to 10, num_classes is 10"),
    ],
)
def test_verify_finds_a_changed_file(folder: Path, change: Callable[[Split], Split], finding: str) -> None:
    path = folder / "val.safetensors"
    save_split(change(load_split(path)), path)
    found = verify(folder)
    assert any(finding in text and str(path) in text for text in found), found


def test_verify_finds_a_swapped_file(folder: Path) -> None:
    (folder / "val.safetensors").write_bytes((folder / "test.safetensors").read_bytes())
    found = " | ".join(verify(folder))
    assert "holds the split 'test'" in found and "val and test share 450 indices" in found and "450 samples of test are copies" in found


def test_verify_finds_copies_with_other_indices(folder: Path) -> None:
    train, test = load_split(folder / "train.safetensors"), load_split(folder / "test.safetensors")
    x_TNCHW = test.x_TNCHW.copy()
    x_TNCHW[:, 2] = train.x_TNCHW[:, 9]
    save_split(replace(test, x_TNCHW=x_TNCHW), folder / "test.safetensors")
    assert any(
        f"1 samples of test are copies of samples of train, the first has the index {test.index_N[2]}" in text for text in verify(folder)
    )


def test_verify_finds_files_of_different_settings(folder: Path, tmp_path: Path) -> None:
    prepare(settings(split_seed=6), "frames", folder=tmp_path / "other")
    (folder / "val.safetensors").write_bytes((tmp_path / "other/val.safetensors").read_bytes())
    assert any("train and val were not made together (split_seed differ)" in text for text in verify(folder))


def test_verify_finds_missing_and_broken_files(folder: Path) -> None:
    (folder / "train.safetensors").unlink()
    path = folder / "val.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    found = " | ".join(verify(folder))
    assert "train.safetensors is missing" in found and "val.safetensors is truncated or corrupt" in found
    path.write_bytes(b"")
    assert "val.safetensors is truncated or corrupt" in " | ".join(verify(folder))
