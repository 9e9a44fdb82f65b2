"""A split: samples and labels, packed in one file that is whole or absent.

Shapes: T steps (1 for a static image, which the network sees at every step), N samples, C channels, H x W pixels.
"""

import errno
import hashlib
import json
import os
import struct
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from snn5.errors import UserError
from snn5.files import atomic_path, write_bytes

_AT_ONCE = 256  # samples


@dataclass(frozen=True, kw_only=True)
class Split:
    """Samples of one split.

    Attributes:
        x_TNCHW: uint8; intensities 0..`scale`, or event counts.
        y_N: int64 class numbers.
        index_N: int64 position of each sample in its source, unique over all splits of a set.
        info: dataset, num_classes, scale (the value that stands for 1.0) and how the samples were made; plain JSON values.
    """

    x_TNCHW: np.ndarray
    y_N: np.ndarray
    index_N: np.ndarray
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        x, n = self.x_TNCHW, len(self.y_N)
        if x.ndim != 5 or x.dtype != np.uint8 or x.shape[1] != n or len(self.index_N) != n:
            raise UserError(
                f"a split needs uint8 samples [T,N,C,H,W] and N labels and indices; got {x.dtype}{list(x.shape)}, "
                f"{n} labels, {len(self.index_N)} indices"
            )

    def __len__(self) -> int:
        return len(self.y_N)


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Train, validation and test, disjoint by `index_N`."""

    train: Split
    val: Split
    test: Split


def save_split(split: Split, path: str | Path) -> None:
    """Write one `.safetensors` file; equal splits give equal bytes."""
    arrays = {"x": np.ascontiguousarray(split.x_TNCHW), "y": split.y_N.astype(np.int64), "index": split.index_N.astype(np.int64)}
    write_bytes(path, to_bytes(arrays, metadata={"snn5_split": json.dumps(split.info, sort_keys=True, allow_nan=False)}))


def write_split(x_TNCHW: np.ndarray, chosen_N: np.ndarray, y_N: np.ndarray, index_N: np.ndarray, info: dict[str, Any], path: Path) -> Split:
    """What `save_split` writes for the samples `chosen_N` of `x_TNCHW`, byte for byte, without holding them in memory.

    Args:
        x_TNCHW: all samples; may be a view of a file. chosen_N: positions in it.
        y_N, index_N: of the chosen ones. info: as for `Split`; `samples_sha256` is added.
        path: the file.

    Returns:
        The split, its samples mapped from the file.

    Raises:
        UserError: the disk is full or the place is not writable.
    """
    steps, shape = len(x_TNCHW), (len(x_TNCHW), len(chosen_N), *x_TNCHW.shape[2:])
    head = index_N.astype("<i8").tobytes() + y_N.astype("<i8").tobytes()
    start = len(_header(info | {"samples_sha256": "0" * 64}, shape)) + len(head)
    with atomic_path(path) as temporary:
        with temporary.open("rb+") as file:
            _reserve(file.fileno(), start + prod(shape))
        x = np.memmap(temporary, np.uint8, "r+", offset=start, shape=shape)
        for begin in range(0, shape[1], _AT_ONCE):
            x[:, begin : begin + _AT_ONCE] = x_TNCHW[:, chosen_N[begin : begin + _AT_ONCE]]
        digest = hashlib.sha256()
        for t in range(steps):
            digest.update(x[t].data)
        x.flush()
        del x
        info = info | {"samples_sha256": digest.hexdigest()}
        with temporary.open("rb+") as file:
            file.write(_header(info, shape) + head)
    mapped = np.memmap(path, np.uint8, "r", offset=start, shape=shape)
    return Split(x_TNCHW=mapped, y_N=y_N, index_N=index_N, info=info)


def _reserve(descriptor: int, size: int) -> None:
    """Make the file `size` bytes long, on a disk that has room for it: a full one is an error here, not a crash in the mapping."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        os.ftruncate(descriptor, size)  # a file system that cannot reserve


def _header(info: dict[str, Any], shape: tuple[int, ...]) -> bytes:
    """As the safetensors library writes it: a length, then JSON padded to a multiple of eight bytes."""
    count, offset, tensors = shape[1], 0, {}
    for name, kind, sides in (("index", "I64", [count]), ("y", "I64", [count]), ("x", "U8", list(shape))):
        end = offset + prod(sides) * (8 if kind == "I64" else 1)
        tensors[name] = {"dtype": kind, "shape": sides, "data_offsets": [offset, end]}
        offset = end
    metadata = {"__metadata__": {"snn5_split": json.dumps(info, sort_keys=True, allow_nan=False)}}
    text = json.dumps(metadata | tensors, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def load_split(path: str | Path) -> Split:
    """Read a split.

    Raises:
        UserError: the file is missing, truncated or something else.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"data file {path} is missing; make it with `dvc repro p7_data`, or fetch it with `dvc pull`")
    try:
        with safe_open(path, framework="np") as file:
            info = json.loads((file.metadata() or {})["snn5_split"])
            return Split(x_TNCHW=file.get_tensor("x"), y_N=file.get_tensor("y"), index_N=file.get_tensor("index"), info=info)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"data file {path} is truncated or corrupt ({error}); delete it and run `dvc repro p7_data`") from error
    except KeyError as error:
        raise UserError(f"{path} holds no SNN5 split ({error} is missing); delete it and run `dvc repro p7_data`") from error
    except UserError as error:
        raise UserError(f"data file {path}: {error}; delete it and run `dvc repro p7_data`") from error
