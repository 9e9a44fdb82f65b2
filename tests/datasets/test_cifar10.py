"""CIFAR-10: tiny batches in the official layout and as mosaics, and the real set where it is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snn5.datasets import load
from snn5.datasets._cifar10 import OFFICIAL_MD5, read_batch, read_mosaic
from snn5.datasets._root import configured_root
from snn5.errors import UserError


def batches() -> dict[str, np.ndarray]:
    """Six batches of 40 records, four of each class: uint8 [40, 3073]."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(10), 4)[:, None]
    return {name: np.concatenate([labels, rng.integers(0, 256, (40, 3072))], axis=1).astype(np.uint8) for name in OFFICIAL_MD5}


@pytest.fixture
def official(tmp_path: Path) -> Path:
    folder = tmp_path / "official" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name, batch in batches().items():
        (folder / f"{name}.bin").write_bytes(batch.tobytes())
    return folder.parent


@pytest.fixture
def mosaics(tmp_path: Path) -> Path:
    """The same images in mosaics of 5 rows and 8 columns."""
    folder = tmp_path / "mosaics" / "cifar10"
    folder.mkdir(parents=True)
    for name, batch in batches().items():
        tiles = batch[:, 1:].reshape(5, 8, 3, 32, 32).transpose(0, 3, 1, 4, 2).reshape(160, 256, 3)
        Image.fromarray(tiles).save(folder / f"{name}.webp", lossless=True)
        (folder / f"{name}.labels.u8").write_bytes(batch[:, 0].tobytes())
    return folder.parent


def test_records_by_hand(official: Path) -> None:
    # red, green and blue planes follow the label, row by row: pixel (row 1, column 2) of green is byte 1 + 1024 + 32 + 2
    path = official / "cifar-10-batches-bin/data_batch_3.bin"
    data = path.read_bytes()
    splits = load("cifar10", root=official, time_steps=4)
    everything = {int(i): s.x_TNCHW[0, n] for s in (splits.train, splits.val, splits.test) for n, i in enumerate(s.index_N)}
    assert len(everything) == 240
    assert everything[80 + 7][1, 1, 2] == data[7 * 3073 + 1 + 1024 + 32 + 2]


def test_official_test_batch_is_the_test_set(official: Path) -> None:
    splits = load("cifar10", root=official, time_steps=4)
    assert splits.test.index_N.tolist() == list(range(200, 240))
    assert (splits.test.x_TNCHW[0].reshape(40, -1) == batches()["test_batch"][:, 1:]).all()
    assert np.bincount(splits.val.y_N).tolist() == [3] * 10  # 0.15 of 20
    assert splits.train.x_TNCHW.shape == (1, 170, 3, 32, 32)
    assert splits.train.info["scale"] == 255 and splits.train.info["official_bytes"] is False


def test_mosaics_hold_the_same_records(official: Path, mosaics: Path) -> None:
    for name in OFFICIAL_MD5:
        assert (read_mosaic(mosaics / f"cifar10/{name}.webp") == read_batch(official / f"cifar-10-batches-bin/{name}.bin")).all()
    a, b = (load("cifar10", root=root, time_steps=4) for root in (official, mosaics))
    assert a.train.x_TNCHW.tobytes() == b.train.x_TNCHW.tobytes() and a.train.info == b.train.info


def test_damaged_batches_are_named(official: Path) -> None:
    path = official / "cifar-10-batches-bin/data_batch_2.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(UserError, match=r"data_batch_2.bin is truncated: 122820 bytes, not a multiple of 3073"):
        load("cifar10", root=official, time_steps=4)
    path.write_bytes(bytes([77]) + whole[1:])
    with pytest.raises(UserError, match=r"data_batch_2.bin has the label 77"):
        load("cifar10", root=official, time_steps=4)
    path.unlink()
    with pytest.raises(UserError, match=r"cifar-10-batches-bin/data_batch_2.bin is missing; provide it"):
        load("cifar10", root=official, time_steps=4)


def test_damaged_mosaics_are_named(mosaics: Path) -> None:
    image, labels = mosaics / "cifar10/data_batch_1.webp", mosaics / "cifar10/data_batch_1.labels.u8"
    whole = image.read_bytes()
    labels.write_bytes(labels.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"data_batch_1.webp of 256x160 pixels does not fit the 39 labels"):
        load("cifar10", root=mosaics, time_steps=4)
    for damaged in (whole[:2000], b"no image"):
        image.write_bytes(damaged)
        with pytest.raises(UserError, match=r"data_batch_1.webp is truncated or no image"):
            load("cifar10", root=mosaics, time_steps=4)
    labels.unlink()
    with pytest.raises(UserError, match=r"data_batch_1.labels.u8 is missing"):
        load("cifar10", root=mosaics, time_steps=4)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cifar-10-batches-bin/data_batch_1.bin is missing; provide it \(the whole set: cifar"):
        load("cifar10", root=tmp_path, time_steps=4)


@pytest.mark.data
@pytest.mark.skipif(configured_root() is None, reason="SNN5_DATA_ROOT is not set: the real CIFAR-10 is not here")
def test_real_set_is_the_official_one() -> None:
    splits = load("cifar10", time_steps=4)
    assert splits.train.info["official_bytes"] is True
    assert splits.train.info["counts"] == {"train": 42500, "val": 7500, "test": 10000}
    assert (splits.train.info["duplicates"], splits.train.info["dropped"]) == (0, 0)
    assert np.bincount(splits.val.y_N).tolist() == [750] * 10
