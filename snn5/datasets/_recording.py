"""One event recording, from whichever file format: the readers by suffix, and what all of them check.

Shapes: E events.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from snn5.errors import UserError

REMEDY = "copy this recording again, or take it out of the set"


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The events of one file, in the file's order.

    Attributes:
        t: int64 microseconds, as the file tells them (many count from the camera's start or from 1970).
        x, y: int64 column and row, from the top left. p: int64 polarity, 1 (ON) or 0 (OFF). All of length E >= 1.
        sensor: (H, W) where the file states it.
    """

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    sensor: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.t)


# suffix -> module and function; imported when needed, since some of them load a library that takes its time
_READERS = {
    ".bin": ("_read_bin", "read_bin"),
    ".aedat": ("_read_aedat2", "read_aedat2"),
    ".aedat4": ("_read_aedat4", "read_aedat4"),
    ".dat": ("_read_dat", "read_dat"),
    ".npy": ("_read_arrays", "read_npy"),
    ".npz": ("_read_arrays", "read_npz"),
    ".h5": ("_read_arrays", "read_h5"),
    ".hdf5": ("_read_arrays", "read_h5"),
    ".mat": ("_read_mat", "read_mat"),
}
SUFFIXES = tuple(_READERS)


def read_recording(path: str | Path) -> Recording:
    """Read `path` by its suffix: N-MNIST and N-Caltech101 `.bin`, AEDAT 2 `.aedat`, AEDAT 4 `.aedat4`, Prophesee `.dat`, ST-MNIST
    `.mat`, and `.npy`, `.npz`, `.h5` with t, x, y, p.

    Raises:
        UserError: no such suffix, a missing or unreadable file, an empty one, one that is cut off or holds something else, events outside
            the sensor that the file states; names the file, the place in it where that is known, and what to do.
    """
    path = Path(path)
    if path.suffix.lower() not in _READERS:
        raise UserError(f"{path}: event recordings end in {', '.join(SUFFIXES)}; convert this one, or take it out of the set")
    module, name = _READERS[path.suffix.lower()]
    reader: Callable[[Path], Recording] = getattr(import_module(f"snn5.datasets.{module}"), name)
    return reader(path)


def damaged(path: Path, what: str, remedy: str = REMEDY) -> UserError:
    """The error for a file whose content is not what its format says."""
    return UserError(f"{path} is damaged: {what}; {remedy}")


def content(path: Path) -> bytes:
    """All bytes of `path`.

    Raises:
        UserError: it is missing, unreadable or empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); {REMEDY}") from error
    if not data:
        raise UserError(f"{path} is truncated: 0 bytes; {REMEDY}")
    return data


def records(path: Path, data: bytes, start: int, kind: np.dtype) -> np.ndarray:
    """The fixed-size events that fill `data` from byte `start` to the end.

    Raises:
        UserError: none is there, or the last one is cut off; names the byte where it begins.
    """
    size, left = kind.itemsize, len(data) - start
    if left <= 0:
        raise UserError(f"{path} holds no events: it ends at byte {len(data)}, behind its header; {REMEDY}")
    if left % size:
        raise UserError(
            f"{path} is truncated: {left} bytes, not a multiple of {size} above 0; "
            f"the event at byte {start + left // size * size} is cut off: {REMEDY}"
        )
    return np.frombuffer(data, kind, offset=start)


def unrolled(t_E: np.ndarray, bits: int) -> np.ndarray:
    """Times of a clock of `bits` bits that begins again at 0: t_e + 2^bits * (number of falls by more than half of 2^bits up to e)."""
    t_E = t_E.astype(np.int64)
    falls = np.diff(t_E, prepend=t_E[:1]) < -(1 << (bits - 1))
    return t_E + (np.cumsum(falls) << bits)


def recording(path: Path, t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray, sensor: tuple[int, int] | None = None) -> Recording:
    """A recording whose events lie on its sensor.

    Raises:
        UserError: no events, a polarity other than 0 and 1, or an event outside the sensor; names the first such event.
    """
    if not len(t):
        raise UserError(f"{path} holds no events; {REMEDY}")
    t, x, y, p = (np.ascontiguousarray(a, np.int64) for a in (t, x, y, p))
    height, width = sensor or (1 << 16, 1 << 16)
    for name, values, limit in (("x", x, width), ("y", y, height), ("p", p, 2)):
        wrong = np.flatnonzero((values < 0) | (values >= limit))
        if len(wrong):
            raise damaged(path, f"event {wrong[0]} of {len(t)} has {name}={values[wrong[0]]}, allowed are 0 to {limit - 1}")
    return Recording(t=t, x=x, y=y, p=p, sensor=sensor)
