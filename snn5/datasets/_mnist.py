"""MNIST and Fashion-MNIST from their official IDX files, compressed or not."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from snn5.datasets._registry import Entry, Request, Samples, register
from snn5.datasets._root import need
from snn5.errors import UserError

_PARTS = {"train": "train", "test": "t10k"}
_LARGEST = 1 << 28  # bytes of an unpacked file; the official ones have 47 million


def _files(folder: str) -> str:
    return f"{folder}/{{train,t10k}}-images-idx3-ubyte and {folder}/{{train,t10k}}-labels-idx1-ubyte, each with or without .gz"


def read_idx(path: Path, sides: int) -> np.ndarray:
    """One IDX file of bytes with `sides` dimensions: 0, 0, 8, sides, then each length and the values, big endian.

    Raises:
        UserError: missing, cut off, not unpackable, or of another kind.
    """
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                data = file.read(_LARGEST)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is truncated or no gzip file ({error}); copy it again") from error
    start = 4 + 4 * sides
    if len(data) < start or data[:4] != bytes([0, 0, 8, sides]):
        raise UserError(f"{path} is truncated or no IDX file of {sides} dimensions: it begins with {data[:4]!r}; copy it again")
    lengths = struct.unpack_from(f">{sides}I", data, 4)
    if len(data) - start != np.prod([float(n) for n in lengths]):
        raise UserError(f"{path} is truncated: {len(data) - start} values, its header says {' x '.join(map(str, lengths))}; copy it again")
    return np.frombuffer(data, np.uint8, offset=start).reshape(lengths)


def read_mnist(request: Request, name: str, folder: str) -> Samples:
    """Images uint8 [1, 70000, 1, 28, 28], intensities 0..255; the official t10k files are the test set.

    Raises:
        UserError: a file is missing or damaged, images and labels do not fit each other, or a label is above 9; names the file.
    """
    root = need(request.root / folder, name, _files(folder))
    images, labels = [], []
    for prefix in _PARTS.values():
        x_NHW, y_N = (
            read_idx(_found(root, f"{prefix}-{kind}-ubyte", name, folder), sides)
            for kind, sides in (("images-idx3", 3), ("labels-idx1", 1))
        )
        if len(x_NHW) != len(y_N) or not len(y_N) or x_NHW.shape[1:] != (28, 28) or y_N.max() > 9:
            raise UserError(
                f"{root}: {prefix} has images {list(x_NHW.shape)} and {len(y_N)} labels up to {y_N.max(initial=0)}; "
                f"need as many labels from 0 to 9 as images of 28x28 pixels: copy both again"
            )
        images.append(x_NHW)
        labels.append(y_N)
    test_N = np.arange(sum(map(len, labels))) >= len(labels[0])
    return Samples(
        x_TNCHW=np.concatenate(images)[None, :, None],
        y_N=np.concatenate(labels).astype(np.int64),
        test_N=test_N,
        scale=255,
        info={"channels": ["grey"]},
    )


def _found(root: Path, file: str, name: str, folder: str) -> Path:
    """`file` or `file.gz`, in the folder or in `raw` below it, where torchvision puts them."""
    for place in (root, root / "raw"):
        for path in (place / file, place / f"{file}.gz"):
            if path.is_file():
                return path
    return need(root / file, name, _files(folder))


register(
    Entry(
        name="mnist",
        kind="frames",
        classes=tuple("0123456789"),
        source="http://yann.lecun.com/exdb/mnist/",
        licence="CC BY-SA 3.0",
        citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, Proc. IEEE 86(11), "
        "1998, doi:10.1109/5.726791",
        files=_files("MNIST"),
        paths=("MNIST",),
        md5={
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
        loader=lambda request: read_mnist(request, "mnist", "MNIST"),
    )
)
register(
    Entry(
        name="fashion_mnist",
        kind="frames",
        classes=("tshirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle_boot"),
        source="https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        citation="H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms, "
        "arXiv:1708.07747, 2017",
        files=_files("FashionMNIST"),
        paths=("FashionMNIST",),
        md5={
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
        loader=lambda request: read_mnist(request, "fashion_mnist", "FashionMNIST"),
    )
)
