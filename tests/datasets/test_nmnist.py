"""N-MNIST: tiny recordings in the official layout, and the real ones where they are."""

from pathlib import Path

import numpy as np
import pytest

from snn5.datasets import load, read_recording, save_split, statistics, verify
from snn5.datasets._nmnist import recordings
from snn5.datasets._root import configured_root
from snn5.errors import UserError


def recording(events: list[tuple[int, int, int, int]]) -> bytes:
    """(t, x, y, p) -> five bytes each: x, y, p << 7 | t[22:16], t[15:8], t[7:0]."""
    return b"".join(bytes([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255]) for t, x, y, p in events)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four train recordings and one test recording of each digit; no two are equal."""
    rng = np.random.default_rng(0)
    for part, count in (("Train", 4), ("Test", 1)):
        for digit in range(10):
            folder = tmp_path / "NMNIST" / part / str(digit)
            folder.mkdir(parents=True)
            for i in range(count):
                t = np.sort(rng.integers(0, 300_000, 50))
                events = [(int(a), int(rng.integers(34)), int(rng.integers(34)), int(rng.integers(2))) for a in t]
                (folder / f"{digit + 10 * i:05d}.bin").write_bytes(recording(events))
    return tmp_path


def test_bytes_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "one.bin"
    path.write_bytes(recording([(5, 33, 0, 1), (300_000, 1, 2, 0)]))
    assert path.read_bytes() == bytes([33, 0, 128, 0, 5, 1, 2, 4, 147, 224])  # 300000 = 4 * 65536 + 147 * 256 + 224
    found = read_recording(path)
    assert (found.t.tolist(), found.x.tolist(), found.y.tolist(), found.p.tolist()) == ([5, 300_000], [33, 1], [0, 2], [1, 0])


def test_layout_and_official_split(root: Path) -> None:
    paths, y_N, test_N = recordings(root / "NMNIST")
    splits = load("nmnist", root=root, time_steps=3)
    assert sorted(splits.test.index_N) == np.flatnonzero(test_N).tolist() == list(range(40, 50))
    assert [len(s) for s in (splits.train, splits.val, splits.test)] == [30, 10, 10]  # one in four is the least for validation
    for split in (splits.train, splits.val, splits.test):
        assert split.x_TNCHW.shape[2:] == (2, 34, 34)
        assert (split.y_N == y_N[split.index_N]).all()
        assert (split.x_TNCHW.sum(axis=(0, 2, 3, 4)) == 50).all()
        assert [int(paths[i].parent.name) for i in split.index_N] == split.y_N.tolist()
    assert splits.train.info["official_test"] is True and splits.train.info["test_fraction"] is None


def test_progress_reaches_the_end(root: Path) -> None:
    calls: list[tuple[int, int]] = []
    load("nmnist", root=root, time_steps=1, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (50, 50)


def test_a_copy_of_a_test_recording_is_dropped_from_train_and_counted(root: Path) -> None:
    folder = root / "NMNIST"
    (folder / "Train/7/00007.bin").write_bytes((folder / "Test/7/00007.bin").read_bytes())
    info = load("nmnist", root=root, time_steps=2).train.info
    assert (info["duplicates"], info["dropped"], sum(info["counts"].values())) == (1, 1, 49)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:-2]), "00003.bin is truncated: 248 bytes, not a multiple of 5"),
        (lambda f: f.write_bytes(b""), "00003.bin is truncated: 0 bytes"),
        (lambda f: f.write_bytes(recording([(1, 34, 0, 0)])), "00003.bin is damaged: events have x from 34 to 34"),
    ],
)
def test_damaged_recordings_are_named(root: Path, damage: object, message: str) -> None:
    damage(root / "NMNIST/Train/3/00003.bin")  # type: ignore[operator]
    with pytest.raises(UserError, match=message) as caught:
        load("nmnist", root=root, time_steps=2)
    assert "NMNIST/Train/3/00003.bin" in str(caught.value)


def test_missing_folders_are_named(root: Path, tmp_path: Path) -> None:
    for file in (root / "NMNIST/Test/4").iterdir():
        file.unlink()
    with pytest.raises(UserError, match=r"NMNIST/Test/4 holds no .bin file; provide the whole set: NMNIST/Train/<digit>"):
        load("nmnist", root=root, time_steps=2)
    (root / "NMNIST/Test/4").rmdir()
    with pytest.raises(UserError, match="NMNIST/Test/4 is missing; provide it"):
        load("nmnist", root=root, time_steps=2)
    with pytest.raises(UserError, match="elsewhere/NMNIST is missing"):
        (tmp_path / "elsewhere").mkdir()
        load("nmnist", root=tmp_path / "elsewhere", time_steps=2)


@pytest.mark.data
@pytest.mark.skipif(configured_root() is None, reason="SNN5_DATA_ROOT is not set: the real N-MNIST recordings are not here")
def test_real_recordings(tmp_path: Path) -> None:
    splits = load("nmnist", time_steps=10)
    found = statistics(splits.train)
    assert 3500 < found.mean_sum < 4700  # about 4108 events a recording
    assert found.empty_frames < 0.001 and found.saturated == 0
    for side in ("train", "val", "test"):
        save_split(getattr(splits, side), tmp_path / f"{side}.safetensors")
    assert verify(tmp_path) == []
