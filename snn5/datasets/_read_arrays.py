"""Events as arrays t, x, y and p in `.npy`, `.npz` and `.h5`."""

import io
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from snn5.datasets._recording import REMEDY, Recording, content, damaged, recording
from snn5.errors import UserError

_NAMES = ("t", "x", "y", "p")
_BROKEN = (
    *(OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, NotImplementedError, SyntaxError, TypeError, OverflowError),
    *(AttributeError, IndexError, tokenize.TokenError, zipfile.BadZipFile, zlib.error, struct.error),
)
_LAYOUT = "store four integer arrays t (microseconds), x, y, p (0 or 1, or -1 and 1) of equal length"


def read_npy(path: Path) -> Recording:
    """A structured array with the fields t, x, y, p (`np.save`); pickled objects are refused.

    Raises:
        UserError: missing, empty, cut off, no such fields, or values that are no events.
    """
    data = content(path)
    return _from_fields(path, _guarded(path, lambda: np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)))


def read_npz(path: Path) -> Recording:
    """Four arrays t, x, y, p, or one structured array with these fields (`np.savez`, `np.savez_compressed`); no pickled objects.

    Raises:
        UserError: missing, empty, cut off, no such arrays, or values that are no events.
    """
    data = content(path)

    def load() -> dict[str, np.ndarray]:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    arrays = _guarded(path, load)
    if not set(_NAMES) <= set(arrays) and len(arrays) == 1:
        return _from_fields(path, next(iter(arrays.values())))
    return _from_arrays(path, arrays)


def read_h5(path: Path) -> Recording:
    """Data sets t, x, y, p at the top or in the group `events`.

    Raises:
        UserError: missing, empty, cut off, no such data sets, or values that are no events.
    """
    import h5py

    data = content(path)

    def load() -> dict[str, np.ndarray]:
        with h5py.File(io.BytesIO(data), "r") as file:
            place = file["events"] if isinstance(file.get("events"), h5py.Group) else file
            return {name: np.asarray(place[name]) for name in _NAMES if isinstance(place.get(name), h5py.Dataset)}

    return _from_arrays(path, _guarded(path, load))


def _guarded(path: Path, load: Callable[[], Any]) -> Any:
    """What `load` gives; numpy, zlib and HDF5 each say in their own way that a file is broken."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's on headers of Python 2, which it reads all the same
            return load()
    except _BROKEN as error:
        raise damaged(path, f"truncated or no {path.suffix} file ({type(error).__name__}: {error})") from error


def _from_fields(path: Path, array: np.ndarray) -> Recording:
    names = array.dtype.names
    if names is None:
        raise damaged(path, f"an array of {array.dtype}{list(array.shape)} without named fields", _LAYOUT)
    return _from_arrays(path, {name: array[name] for name in names})


def _from_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> Recording:
    missing = [name for name in _NAMES if name not in arrays]
    if missing:
        raise damaged(path, f"it holds {', '.join(sorted(arrays)) or 'nothing'}; {', '.join(missing)} missing", _LAYOUT)
    for name in _NAMES:
        array = arrays[name]
        if array.dtype.kind not in "iub" or array.ndim != 1:
            raise damaged(path, f"{name} is {array.dtype}{list(array.shape)}", _LAYOUT)
    lengths = {name: len(arrays[name]) for name in _NAMES}
    if len(set(lengths.values())) > 1:
        raise damaged(path, f"lengths differ ({', '.join(f'{k}: {n}' for k, n in lengths.items())})", _LAYOUT)
    if not lengths["t"]:
        raise UserError(f"{path} holds no events; {REMEDY}")
    if any(arrays[name].dtype.kind == "u" and arrays[name].max() > np.iinfo(np.int64).max for name in _NAMES):
        raise damaged(path, "a value does not fit into 64 bits with sign", _LAYOUT)
    t, x, y, p = (arrays[name].astype(np.int64) for name in _NAMES)
    if p.min() == -1 and np.isin(p, (-1, 1)).all():
        p = (p + 1) // 2
    return recording(path, t, x, y, p)
