"""Event data sets of one file a recording, from their official layouts: N-Caltech101, CIFAR10-DVS, DVS128 Gesture, N-Cars."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from snn5.datasets._event_frames import Frames
from snn5.datasets._read_aedat4 import read_aedat4
from snn5.datasets._read_bin import read_bin
from snn5.datasets._read_dat import read_dat
from snn5.datasets._recording import Recording, content, damaged, recording
from snn5.datasets._registry import Entry, Request, register
from snn5.datasets._root import need
from snn5.datasets._source import Source, stamp
from snn5.errors import UserError

_OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_GESTURES = (
    "hand_clapping",
    "right_hand_wave",
    "left_hand_wave",
    "right_arm_clockwise",
    "right_arm_counter_clockwise",
    "left_arm_clockwise",
    "left_arm_counter_clockwise",
    "arm_roll",
    "air_drums",
    "air_guitar",
    "other_gestures",
)
_SETS = {
    "ncaltech101": "NCALTECH101/Caltech101/<class>/*.bin, 8709 recordings (unpacked from the official Caltech101.zip)",
    "cifar10dvs": "CIFAR10DVS/<class>/*.aedat4, 1000 a class (unpacked from CIFAR10DVS.zip, the set's AEDAT 4 edition)",
    "dvsgesture": "DVSGesture/ibmGestureTrain/<user>/*.npy and DVSGesture/ibmGestureTest/<user>/*.npy (unpacked from "
    "ibmGestureTrain.tar.gz and ibmGestureTest.tar.gz, as tonic offers them)",
    "ncars": "NCARS/n-cars_train/{background,cars}/*.dat and NCARS/n-cars_test/{background,cars}/*.dat (unpacked from the official zip)",
}


def read_ncaltech101(request: Request) -> Source:
    """Counts uint8 [T, 2, 180, 240]; every recording is moved to the sensor's corner, as tonic does, since each has its own size.

    Raises:
        UserError: a folder is missing or empty. Reading a sample: see `read_bin`.
    """
    root = need(request.root / "NCALTECH101" / "Caltech101", "ncaltech101", _SETS["ncaltech101"])
    classes = tuple(sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")))
    paths, y_N = _by_class("ncaltech101", root, classes, "*.bin")

    def cornered(path: Path) -> Recording:
        found = read_bin(path)
        return replace(found, x=found.x - found.x.min(), y=found.y - found.y.min())

    return _source(request, paths, y_N, None, (180, 240), cornered, classes)


def read_cifar10dvs(request: Request) -> Source:
    """Counts uint8 [T, 2, 128, 128]; no official split.

    Raises:
        UserError: a folder is missing or empty. Reading a sample: see `read_aedat4`.
    """
    root = need(request.root / "CIFAR10DVS", "cifar10dvs", _SETS["cifar10dvs"])
    paths, y_N = _by_class("cifar10dvs", root, _OBJECTS, "*.aedat4")
    return _source(request, paths, y_N, None, (128, 128), read_aedat4)


def read_ncars(request: Request) -> Source:
    """Counts uint8 [T, 2, 100, 120]; 0 is background, 1 a car; the official split.

    Raises:
        UserError: a folder is missing or empty. Reading a sample: see `read_dat`.
    """
    root = need(request.root / "NCARS", "ncars", _SETS["ncars"])
    train, test = (
        _by_class("ncars", need(root / f"n-cars_{part}", "ncars", _SETS["ncars"]), ("background", "cars"), "*.dat")
        for part in ("train", "test")
    )
    return _two_parts(request, train, test, (100, 120), read_dat)


def read_dvsgesture(request: Request) -> Source:
    """Counts uint8 [T, 2, 128, 128]; file k.npy is gesture k; the official split by user.

    Raises:
        UserError: a folder is missing or empty, or a file is not named 0.npy to 10.npy. Reading a sample: see `read_gesture`.
    """
    parts = []
    for part in ("Train", "Test"):
        folder = need(request.root / "DVSGesture" / f"ibmGesture{part}", "dvsgesture", _SETS["dvsgesture"])
        paths = sorted(folder.glob("**/*.npy"))
        if not paths:
            raise UserError(f"data set 'dvsgesture': {folder} holds no .npy file; provide the whole set: {_SETS['dvsgesture']}")
        for path in paths:
            if path.stem not in map(str, range(len(_GESTURES))):
                raise UserError(f"{path} is not named 0.npy to {len(_GESTURES) - 1}.npy, after its gesture; restore its name")
        parts.append((paths, np.array([int(path.stem) for path in paths], np.int64)))
    return _two_parts(request, parts[0], parts[1], (128, 128), read_gesture)


def read_gesture(path: Path) -> Recording:
    """An array of numbers [E, 4] with the columns x, y, p, t in milliseconds.

    Raises:
        UserError: missing, empty, cut off, another shape, or events outside of 128 x 128 pixels.
    """
    data = content(path)
    try:
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError, TypeError, MemoryError, OverflowError) as error:
        raise damaged(path, f"truncated or no .npy file ({error})") from error
    if array.ndim != 2 or array.shape[1] != 4 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise damaged(path, f"{array.dtype}{list(array.shape)}, the official files hold numbers [events, 4]: x, y, p, t")
    x, y, p, t_ms = array.T
    columns = [np.rint(values).astype(np.int64) for values in (t_ms * 1000.0, x, y, p)]
    return recording(path, columns[0], columns[1], columns[2], columns[3], (128, 128))


def _by_class(dataset: str, root: Path, classes: tuple[str, ...], pattern: str) -> tuple[list[Path], np.ndarray]:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        place = need(root / name, dataset, _SETS[dataset])
        found = sorted(place.glob(pattern))
        if not found:
            raise UserError(f"data set {dataset!r}: {place} holds no {pattern[1:]} file; provide the whole set: {_SETS[dataset]}")
        paths += found
        labels += [label] * len(found)
    if not paths:
        raise UserError(f"data set {dataset!r}: {root} holds no class folders; provide the whole set: {_SETS[dataset]}")
    return paths, np.array(labels, np.int64)


def _two_parts(
    request: Request,
    train: tuple[list[Path], np.ndarray],
    test: tuple[list[Path], np.ndarray],
    sensor: tuple[int, int],
    read: Callable[[Path], Recording],
) -> Source:
    test_N = np.arange(len(train[0]) + len(test[0])) >= len(train[0])
    return _source(request, train[0] + test[0], np.concatenate([train[1], test[1]]), test_N, sensor, read)


def _source(
    request: Request,
    paths: list[Path],
    y_N: np.ndarray,
    test_N: np.ndarray | None,
    sensor: tuple[int, int],
    read: Callable[[Path], Recording],
    classes: tuple[str, ...] = (),
) -> Source:
    frames = Frames(sensor=sensor, time_steps=request.time_steps, binning=request.binning)
    return Source(
        names=[path.relative_to(request.root).as_posix() for path in paths],
        y_N=y_N,
        test_N=test_N,
        shape=frames.shape,
        read=lambda i: frames.of(paths[i], read(paths[i])),
        vary=lambda i, change: frames.of(paths[i], change(read(paths[i]))),
        stamp=stamp(paths, frames),
        classes=classes,
        sensor=frames.sensor,
        info=frames.info,
        root=request.root,
    )


register(
    Entry(
        name="ncaltech101",
        kind="events",
        classes=(),  # 101 folder names; they come with the files
        source="https://www.garrickorchard.com/datasets/n-caltech101",
        licence="CC BY 4.0",
        citation="G. Orchard, A. Jayawant, G. K. Cohen, N. Thakor, Converting static image datasets to spiking neuromorphic datasets using "
        "saccades, Front. Neurosci. 9:437, 2015, doi:10.3389/fnins.2015.00437",
        files=_SETS["ncaltech101"],
        paths=("NCALTECH101",),
        md5={"N-Caltech101-archive.zip": "66201824eabb0239c7ab992480b50ba3"},
        loader=read_ncaltech101,
    )
)
register(
    Entry(
        name="cifar10dvs",
        kind="events",
        classes=_OBJECTS,
        source="https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671",
        licence="CC BY 4.0",
        citation="H. Li, H. Liu, X. Ji, G. Li, L. Shi, CIFAR10-DVS: an event-stream dataset for object classification, "
        "Front. Neurosci. 11:309, 2017, doi:10.3389/fnins.2017.00309",
        files=_SETS["cifar10dvs"],
        paths=("CIFAR10DVS",),
        md5={"CIFAR10DVS.zip": "ce3a4a0682dc0943703bd8f749a7701c"},
        loader=read_cifar10dvs,
    )
)
register(
    Entry(
        name="dvsgesture",
        kind="events",
        classes=_GESTURES,
        source="https://research.ibm.com/interactive/dvsgesture/",
        licence="CC BY 4.0",
        citation="A. Amir et al., A Low Power, Fully Event-Based Gesture Recognition System, CVPR 2017, doi:10.1109/CVPR.2017.781",
        files=_SETS["dvsgesture"],
        paths=("DVSGesture",),
        md5={
            "ibmGestureTrain.tar.gz": "3a8f0d4120a166bac7591f77409cb105",
            "ibmGestureTest.tar.gz": "56070e45dadaa85fff82e0fbfbc06de5",
        },
        loader=read_dvsgesture,
    )
)
register(
    Entry(
        name="ncars",
        kind="events",
        classes=("background", "cars"),
        source="https://www.prophesee.ai/2018/03/13/dataset-n-cars/",
        licence="research use only, by its authors' terms",
        citation="A. Sironi, M. Brambilla, N. Bourdis, X. Lagorce, R. Benosman, HATS: Histograms of Averaged Time Surfaces for Robust "
        "Event-based Object Classification, CVPR 2018, doi:10.1109/CVPR.2018.00186",
        files=_SETS["ncars"],
        paths=("NCARS",),
        loader=read_ncars,
    )
)
