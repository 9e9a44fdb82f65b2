"""Spoken digits and commands as spikes of 700 channels, from their official HDF5 files: SHD and SSC."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from snn5.datasets._event_frames import Frames
from snn5.datasets._recording import content, damaged, recording
from snn5.datasets._registry import Entry, Request, register
from snn5.datasets._root import need
from snn5.datasets._source import Source, stamp
from snn5.errors import UserError

CHANNELS = 700
_PARTS = {"shd": ("train", "test"), "ssc": ("train", "valid", "test")}
_CITATION = (
    "B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke, The Heidelberg Spiking Data Sets for the Systematic Evaluation of "
    "Spiking Neural Networks, IEEE Trans. Neural Netw. Learn. Syst. 33(7), 2022, doi:10.1109/TNNLS.2020.3044364"
)


def _files(name: str) -> str:
    files = ", ".join(f"{name.upper()}/{name}_{part}.h5" for part in _PARTS[name])
    return f"{files} (spikes/times, spikes/units, labels, extra/keys; unpacked from the official .h5.zip files)"


def read_spikes(request: Request, name: str) -> Source:
    """Counts uint8 [T, 1, ceil(700 / pixels), columns] of each sample, the channels as rows; times are seconds in the files.

    A sample is cut into T columns slices, and each step takes `columns` of them, the earliest on the left.

    Raises:
        UserError: a file is missing, cut off or has not the official data sets, or a label is no class. Reading a sample: it has no spikes
            or a channel above 699; the message names file and sample.
    """
    root = need(request.root / name.upper(), name, _files(name))
    paths = [need(root / f"{name}_{part}.h5", name, _files(name)) for part in _PARTS[name]]
    labels, classes = zip(*(_labels(path) for path in paths), strict=True)
    if len(set(classes)) > 1:
        raise UserError(f"{paths[0]} and {paths[-1]} do not name the same classes; provide the whole set: {_files(name)}")
    counts = [len(found) for found in labels]
    starts = np.cumsum([0, *counts])
    part_N = np.repeat(np.arange(len(paths)), counts)
    height = -(-CHANNELS // request.binning.pixels)
    columns = request.binning.columns or height
    frames = Frames(sensor=(CHANNELS, 1), time_steps=request.time_steps * columns, binning=replace(request.binning, columns=0))

    def read(i: int) -> tuple[np.ndarray, int]:
        number = int(i - starts[part_N[i]])
        path = paths[part_N[i]]
        counts, left_out = frames.of(path, _sample(path, number))
        counts_TWC = counts[:, 0, :, 0].reshape(request.time_steps, columns, height)
        return np.ascontiguousarray(counts_TWC.transpose(0, 2, 1)[:, None]), left_out

    return Source(
        names=[f"{name.upper()}/{paths[p].name}[{n}]" for p, count in enumerate(counts) for n in range(count)],
        y_N=np.concatenate(labels),
        test_N=part_N == len(paths) - 1,
        val_N=part_N == 1 if len(paths) == 3 else None,
        shape=(request.time_steps, 1, height, columns),
        read=read,
        stamp=stamp(paths, frames),
        classes=classes[0],
        square=columns > 1,
        info={**frames.info, "columns": columns, "channels": ["spikes"]},
        root=request.root,
    )


@cache
def _open(path: Path, state: tuple[int, int]) -> Any:
    """The file, opened once; `state` (size and time) is part of the key, so a changed file is opened anew."""
    import h5py

    return h5py.File(path, "r")


def _guarded(path: Path, read: Callable[[Any], Any]) -> Any:
    try:
        status = path.stat()
        return read(_open(path, (status.st_size, status.st_mtime_ns)))
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise damaged(path, f"truncated, or not the official data sets ({type(error).__name__}: {error})", "copy the file again") from error


def _labels(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    if not path.stat().st_size:
        content(path)  # says so
    labels, keys, sizes = _guarded(
        path,
        lambda f: (np.asarray(f["labels"]), [k.decode() for k in f["extra/keys"][()]], (len(f["spikes/times"]), len(f["spikes/units"]))),
    )
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels) or set(sizes) != {len(labels)}:
        raise damaged(path, f"{labels.size} labels for {sizes[0]} and {sizes[1]} samples", "copy the file again")
    if not 0 <= labels.min() <= labels.max() < len(keys):
        raise damaged(path, f"labels go from {labels.min()} to {labels.max()}, it names {len(keys)} classes", "copy the file again")
    return labels.astype(np.int64), tuple(keys)


def _sample(path: Path, number: int) -> Any:
    times, units = _guarded(path, lambda f: (np.asarray(f["spikes/times"][number]), np.asarray(f["spikes/units"][number])))
    place = Path(f"{path}[{number}]")
    if times.dtype.kind != "f" or units.dtype.kind not in "iu" or len(times) != len(units) or not np.isfinite(times).all():
        raise damaged(place, f"{len(times)} times of {times.dtype} and {len(units)} channels of {units.dtype}")
    nothing = np.zeros(len(times), np.int64)
    return recording(place, (times.astype(np.float64) * 1e6).astype(np.int64), nothing, units, nothing, (CHANNELS, 1))


register(
    Entry(
        name="shd",
        kind="events",
        classes=tuple(f"{language}_{digit}" for language in ("english", "german") for digit in range(10)),
        source="https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/",
        licence="CC BY 4.0",
        citation=_CITATION,
        files=_files("shd"),
        paths=("SHD",),
        md5={"shd_train.h5.zip": "f3252aeb598ac776c1b526422d90eecb", "shd_test.h5.zip": "1503a5064faa34311c398fb0a1ed0a6f"},
        loader=lambda request: read_spikes(request, "shd"),
    )
)
register(
    Entry(
        name="ssc",
        kind="events",
        classes=(),  # 35 words; the files name them
        source="https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/",
        licence="CC BY 4.0",
        citation=_CITATION,
        files=_files("ssc"),
        paths=("SSC",),
        md5={
            "ssc_train.h5.zip": "d102be95e7144fcc0553d1f45ba94170",
            "ssc_valid.h5.zip": "b4eee3516a4a90dd0c71a6ac23a8ae43",
            "ssc_test.h5.zip": "a35ff1e9cffdd02a20eb850c17c37748",
        },
        loader=lambda request: read_spikes(request, "ssc"),
    )
)
