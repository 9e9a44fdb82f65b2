"""Data sets by name: where each comes from, under which terms, and who reads it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snn5.config import Augment, Binning, Camera, Cochlea, Folder
from snn5.datasets._source import Source
from snn5.errors import unknown

Progress = Callable[[int, int], None]  # (samples done, samples in all)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a loader is asked for.

    Attributes:
        root: the folder of the real data sets, or the user's own folder; a built-in set does not look at it.
        time_steps: T >= 1, frames to make from each recording.
        camera, binning, augment, folder, cochlea: settings, for the sets that use them.
        progress: told after every few samples, or None.
    """

    root: Path
    time_steps: int
    camera: Camera = field(default_factory=Camera)
    binning: Binning = field(default_factory=Binning)
    augment: Augment = field(default_factory=Augment)
    folder: Folder = field(default_factory=Folder)
    cochlea: Cochlea = field(default_factory=Cochlea)
    progress: Progress | None = None


@dataclass(frozen=True, kw_only=True)
class Samples:
    """All samples of a set, in the order of its source.

    Attributes:
        x_TNCHW: uint8; y_N: int64 class numbers.
        test_N, val_N: True for the official test and validation sets; None where the set has none.
        scale: the value that stands for 1.0.
        info: how the samples were made; plain JSON values, no paths.
        index_N: positions in the source; None where all its samples are here.
        first_N: as `first_copies` gives it; None where nobody looked yet.
        keys_N: hashes of the files, by which the set is divided instead of by position.
        classes: names, where the set brings its own.
        copy_of_N: for the augmented copies, which stand last, the position of what they are made from; -1 for all others; None: no copies.
    """

    x_TNCHW: np.ndarray
    y_N: np.ndarray
    test_N: np.ndarray | None = None
    val_N: np.ndarray | None = None
    scale: int = 1
    info: dict[str, Any] = field(default_factory=dict)
    index_N: np.ndarray | None = None
    first_N: np.ndarray | None = None
    keys_N: list[str] | None = None
    classes: tuple[str, ...] = ()
    copy_of_N: np.ndarray | None = None


Loader = Callable[[Request], Samples | Source]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One data set.

    Attributes:
        name: what `load` takes. kind: `frames` (static images) or `events`.
        classes: names of the classes, by number; empty where the folders name them.
        source, licence, citation: to be shown beside every figure made from it.
        files: what must lie under SNN5_DATA_ROOT; empty for a built-in set.
        paths: the first folders to look for under SNN5_DATA_ROOT; any of them will do.
        loader: reads it.
        md5: of the official archives and files, by name.
        own: whether it is the user's own folder, named by the settings.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    source: str
    licence: str
    citation: str
    files: str = ""
    paths: tuple[str, ...] = ()
    loader: Loader
    md5: dict[str, str] = field(default_factory=dict)
    own: bool = False


_ENTRIES: dict[str, Entry] = {}


def register(entry: Entry) -> Entry:
    """Make `entry` known under its name.

    Raises:
        ValueError: the name is taken or the kind is neither frames nor events.
    """
    if entry.name in _ENTRIES or entry.kind not in ("frames", "events"):
        raise ValueError(f"data set {entry.name!r} of kind {entry.kind!r}: the name is taken or the kind is not frames or events")
    _ENTRIES[entry.name] = entry
    return entry


def list_datasets() -> list[str]:
    """All names that are known; `describe` tells which of them can be loaded here."""
    return sorted(_ENTRIES)


def find(name: str) -> Entry:
    """The entry of `name`.

    Raises:
        UserError: nobody registered it; names the closest ones.
    """
    if name not in _ENTRIES:
        raise unknown("data set", name, _ENTRIES)
    return _ENTRIES[name]
