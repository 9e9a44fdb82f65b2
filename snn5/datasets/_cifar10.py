"""CIFAR-10 from its official binary batches, or from lossless WebP mosaics of them."""

import hashlib
from pathlib import Path

import numpy as np

from snn5.datasets._cifar_pickle import read_pickle
from snn5.datasets._image_folder import read_image
from snn5.datasets._registry import Entry, Request, Samples, register
from snn5.datasets._root import need
from snn5.errors import UserError

NAME = "cifar10"
FILES = (
    "cifar-10-batches-bin/{data_batch_1..5,test_batch}.bin (unpacked from the official cifar-10-binary.tar.gz), "
    "or cifar-10-batches-py/{data_batch_1..5,test_batch} (from cifar-10-python.tar.gz), "
    "or cifar10/{data_batch_1..5,test_batch}.webp with a .labels.u8 beside each"
)
SIDE = 32
_PIXELS = 3 * SIDE * SIDE
_RECORD = 1 + _PIXELS  # the label, then the red, green and blue planes, row by row
# md5 of the official batches: tells a complete copy from a part or a damaged one
OFFICIAL_MD5 = {
    "data_batch_1": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch": "803d5f7f4d78ea53de84dbe85f74fb6d",
}


def records_of(path: Path, size: int) -> np.ndarray:
    """The records of `size` bytes in `path`: uint8 [N, size].

    Raises:
        UserError: it is empty or ends within a record.
    """
    data = np.fromfile(path, np.uint8)
    if len(data) == 0 or len(data) % size:
        raise UserError(f"{path} is truncated: {len(data)} bytes, not a multiple of {size} above 0; copy it again")
    return data.reshape(-1, size)


def read_batch(path: Path) -> np.ndarray:
    """The records of one official batch, binary (`.bin`) or Python's: uint8 [N, 3073].

    Raises:
        UserError: missing, or it ends within a record.
    """
    if path.suffix == ".bin":
        return records_of(need(path, NAME, FILES), _RECORD)
    return read_pickle(need(path, NAME, FILES), ("labels",))


def read_mosaic(path: Path) -> np.ndarray:
    """The same records from a mosaic: images left to right, top to bottom, and beside it a file with one label byte for each.

    Raises:
        UserError: a file is missing, damaged, or the two do not fit each other.
    """
    labels_path = need(path.with_suffix(".labels.u8"), NAME, FILES)
    pixels = read_image(need(path, NAME, FILES), color=True, size=[]).transpose(1, 2, 0)
    labels_N = np.fromfile(labels_path, np.uint8)
    rows, columns = pixels.shape[0] // SIDE, pixels.shape[1] // SIDE
    if pixels.shape[:2] != (rows * SIDE, columns * SIDE) or rows * columns != len(labels_N):
        raise UserError(
            f"{path} of {pixels.shape[1]}x{pixels.shape[0]} pixels does not fit the {len(labels_N)} labels of {labels_path}; "
            "copy both again"
        )
    images = pixels.reshape(rows, SIDE, columns, SIDE, 3).transpose(0, 2, 4, 1, 3).reshape(len(labels_N), _PIXELS)
    return np.concatenate([labels_N[:, None], images], axis=1)


def read_cifar10(request: Request) -> Samples:
    """Images uint8 [1, 60000, 3, 32, 32], channels red, green, blue; the official test batch is the test set.

    Raises:
        UserError: a file is missing, truncated or has a label above 9; the message names it.
    """
    places = {"cifar-10-batches-bin": ".bin", "cifar-10-batches-py": "", "cifar10": ".webp"}
    folder = next((name for name in places if (request.root / name).is_dir()), "cifar-10-batches-bin")
    batches, digests = [], {}
    for done, name in enumerate(OFFICIAL_MD5, start=1):
        path = request.root / folder / f"{name}{places[folder]}"
        batch = read_mosaic(path) if path.suffix == ".webp" else read_batch(path)
        if batch[:, 0].max() > 9:
            raise UserError(f"{path} has the label {batch[:, 0].max()}; CIFAR-10 has 0 to 9: copy it again")
        digests[name] = hashlib.md5(batch.tobytes(), usedforsecurity=False).hexdigest()
        batches.append(batch)
        if request.progress is not None:
            request.progress(done, len(OFFICIAL_MD5))
    records = np.concatenate(batches)
    test_N = np.arange(len(records)) >= len(records) - len(batches[-1])
    info = {"channels": ["red", "green", "blue"], "official_bytes": digests == OFFICIAL_MD5}
    images = records[:, 1:].reshape(1, -1, 3, SIDE, SIDE)
    return Samples(x_TNCHW=images, y_N=records[:, 0].astype(np.int64), test_N=test_N, scale=255, info=info)


register(
    Entry(
        name=NAME,
        kind="frames",
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="none stated by its authors",
        citation="A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, technical report, University of Toronto, 2009",
        files=FILES,
        paths=("cifar-10-batches-bin", "cifar-10-batches-py", "cifar10"),
        md5={
            "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
            "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
        },
        loader=read_cifar10,
    )
)
