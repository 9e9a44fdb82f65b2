"""A set as a list of recordings that are read one at a time, so that the memory it takes does not grow with the set."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snn5.datasets._recording import Recording

Change = Callable[[Recording], Recording]
Read = Callable[[int], tuple[np.ndarray, int]]  # number -> frames uint8 [T, C, H, W], and how many events were left out


@dataclass(frozen=True, kw_only=True)
class Source:
    """Recordings by number.

    Attributes:
        names: of the recordings, relative to the set, for messages; in the order that gives them their index.
        y_N: int64 class numbers. shape: (T, C, H, W) of each sample.
        read: makes the sample of a number; raises UserError where the recording is empty or damaged.
        stamp: changes when the files do; a preparation that was interrupted goes on only with the same stamp.
        test_N, val_N: True for the official test and validation sets; None where there is none.
        digest: sha256 (hex) of a recording's file, by which an undivided set is divided; None divides by position.
        classes: names, where the set brings its own.
        scale: the value that stands for 1.0. info: how samples are made; plain JSON values, no paths.
        square: whether samples are filled up to squares, as networks want them; a bare list of channels is not.
        vary: like `read`, of the recording after a change; None where samples are not made from recordings.
        sensor: (H, W) of the recordings, where `vary` is there.
        originals: how many recordings there are; what follows are changed copies of them, in the same order. None: no copies.
        root: is taken out of messages before they go into a file.
    """

    names: Sequence[str]
    y_N: np.ndarray
    shape: tuple[int, int, int, int]
    read: Read
    stamp: str
    test_N: np.ndarray | None = None
    val_N: np.ndarray | None = None
    digest: Callable[[int], str] | None = None
    classes: tuple[str, ...] = ()
    scale: int = 1
    info: dict[str, Any] = field(default_factory=dict)
    square: bool = True
    vary: Callable[[int, Change], tuple[np.ndarray, int]] | None = None
    originals: int | None = None
    sensor: tuple[int, int] | None = None
    root: Path = field(default_factory=Path)


def stamp(paths: Sequence[Path], settings: Any) -> str:
    """A hash over names, sizes and times of `paths`, over `settings` (anything with a stable repr), and over the code that reads them."""
    state = [(path.as_posix(), (s := path.stat()).st_size, s.st_mtime_ns) for path in paths]
    code = hashlib.sha256(b"".join(f.read_bytes() for f in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()
    return hashlib.sha256(json.dumps([state, repr(settings), code]).encode()).hexdigest()
