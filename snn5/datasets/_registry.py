"""Data sets by name: where each comes from, under which terms, and who reads it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snn5.config import Camera
from snn5.errors import UserError, unknown

Progress = Callable[[int, int], None]  # (samples done, samples in all)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a loader is asked for.

    Attributes:
        root: the folder of the real data sets; a built-in set does not look at it.
        time_steps: T >= 1, frames to make from each recording.
        camera: the simulated camera, for the sets that use it.
        progress: told after every few samples, or None.
    """

    root: Path
    time_steps: int
    camera: Camera
    progress: Progress | None = None


@dataclass(frozen=True, kw_only=True)
class Samples:
    """All samples of a set, in the order of its source.

    Attributes:
        x_TNCHW: uint8; y_N: int64 class numbers.
        test_N: True for the official test set; None where the set has none.
        scale: the value that stands for 1.0.
        info: how the samples were made; plain JSON values, no paths.
    """

    x_TNCHW: np.ndarray
    y_N: np.ndarray
    test_N: np.ndarray | None = None
    scale: int = 1
    info: dict[str, Any] = field(default_factory=dict)


Loader = Callable[[Request], Samples]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One data set.

    Attributes:
        name: what `load` takes. kind: `frames` (static images) or `events`.
        classes: names of the classes, by number.
        source, licence, citation: to be shown beside every figure made from it.
        files: what must lie under SNN5_DATA_ROOT; empty for a built-in set.
        paths: the first folders to look for under SNN5_DATA_ROOT; any of them will do.
        loader: reads it; None where the format is known but not read yet.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    source: str
    licence: str
    citation: str
    files: str = ""
    paths: tuple[str, ...] = ()
    loader: Loader | None = None


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


def loader_of(entry: Entry) -> Loader:
    """The function that reads `entry`.

    Raises:
        UserError: there is none yet; says which files it will be read from.
    """
    if entry.loader is None:
        ready = ", ".join(sorted(e.name for e in _ENTRIES.values() if e.loader is not None))
        raise UserError(
            f"data set {entry.name!r} is known but this version cannot read it yet. "
            f"It will be read from SNN5_DATA_ROOT with {entry.files}. For now choose one of {ready}"
        )
    return entry.loader
