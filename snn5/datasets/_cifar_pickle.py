"""The Python edition of CIFAR: pickles of a dictionary with an array of bytes, read without running anything that they name."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from snn5.errors import UserError

PIXELS = 3 * 32 * 32


class _Kind:
    """Stands for numpy's dtype: keeps what it was called with."""

    def __init__(self, *arguments: Any) -> None:
        self.name = arguments[0] if arguments else None

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like; of single bytes there is none."""


class _Array:
    """Stands for numpy's array: keeps shape, kind and bytes, and makes nothing of them."""

    state: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _reconstruct(*arguments: Any) -> _Array:
    return _Array()


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError("bytes in another encoding")
    return text.encode("latin1")


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _Kind,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("_codecs", "encode"): _encode,  # how Python 3 writes bytes in old protocols
}


class _Inert(pickle.Unpickler):
    """Of all names that a pickle may mention it knows five, and gives stand-ins of ours for them; any other is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no CIFAR file does")
        return _KNOWN[module, name]


def read_pickle(path: Path, labels: tuple[str, ...]) -> np.ndarray:
    """uint8 [N, len(labels) + 3072]: the labels named, one column each, then the red, green and blue planes.

    Args:
        path: one batch. labels: keys of the dictionary, such as `fine_labels`.

    Raises:
        UserError: missing, cut off, of another kind, or asking for code.
    """
    try:
        with path.open("rb") as file:
            found = _Inert(file, encoding="bytes").load()
    except (OSError, *_BROKEN) as error:
        raise UserError(f"{path} is truncated or no CIFAR batch ({type(error).__name__}: {error}); copy it again") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds {type(found).__name__}, a CIFAR batch is a dictionary; copy it again")
    named = {key.decode("latin1") if isinstance(key, bytes) else key: value for key, value in found.items()}
    images = _bytes(path, named.get("data"))
    columns = []
    for name in labels:
        values = named.get(name)
        if not isinstance(values, list) or len(values) != len(images) or not all(isinstance(v, int) and 0 <= v < 256 for v in values):
            raise UserError(f"{path} has no {len(images)} labels under {name!r}; copy it again")
        columns.append(np.array(values, np.uint8)[:, None])
    return np.concatenate([*columns, images], axis=1)


_BROKEN = (
    *(pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeDecodeError),
    *(OverflowError, MemoryError, ImportError),
)


def _bytes(path: Path, array: Any) -> np.ndarray:
    """The array that the stand-in `array` was told of: (version, shape, kind, column order, bytes)."""
    state = array.state if isinstance(array, _Array) and len(array.state) == 5 else (None,) * 5
    shape, kind, by_column, data = state[1:]
    if isinstance(data, str):
        data = data.encode("latin1")
    if (
        not isinstance(shape, tuple)
        or not isinstance(data, bytes)
        or len(shape) != 2
        or shape[1] != PIXELS
        or not len(data) == shape[0] * PIXELS > 0
        or by_column
        or getattr(kind, "name", None) not in ("u1", b"u1", "|u1")
    ):
        raise UserError(f"{path} has no bytes [N, {PIXELS}] under 'data'; copy it again")
    return np.frombuffer(data, np.uint8).reshape(shape)
