"""N-MNIST from its official files: one `.bin` a recording, five bytes an event."""

from pathlib import Path

import numpy as np

from snn5.datasets._event_frames import Frames
from snn5.datasets._read_bin import read_bin
from snn5.datasets._registry import Entry, Request, register
from snn5.datasets._root import need
from snn5.datasets._source import Source, stamp
from snn5.errors import UserError

NAME = "nmnist"
SIDE = 34  # pixels along one side of the recordings
FILES = "NMNIST/Train/<digit>/*.bin and NMNIST/Test/<digit>/*.bin (unpacked from the official Train.zip and Test.zip)"


def recordings(folder: Path) -> tuple[list[Path], np.ndarray, np.ndarray]:
    """All recordings in order of Train then Test, class, file name; their class numbers; and which belong to the official test set.

    Raises:
        UserError: a folder is missing or holds no recording.
    """
    paths: list[Path] = []
    labels: list[int] = []
    test: list[bool] = []
    for part in ("Train", "Test"):
        for digit in range(10):
            place = need(folder / part / str(digit), NAME, FILES)
            files = sorted(place.glob("*.bin"))
            if not files:
                raise UserError(f"data set {NAME!r}: {place} holds no .bin file; provide the whole set: {FILES}")
            paths += files
            labels += [digit] * len(files)
            test += [part == "Test"] * len(files)
    return paths, np.array(labels, np.int64), np.array(test)


def read_nmnist(request: Request) -> Source:
    """Event counts uint8 [T, 2, 34, 34] of each recording.

    Raises:
        UserError: a folder is missing or empty. Reading a sample: it is truncated or has events outside the sensor; the message names it.
    """
    folder = need(request.root / "NMNIST", NAME, FILES)
    paths, y_N, test_N = recordings(folder)
    frames = Frames(sensor=(SIDE, SIDE), time_steps=request.time_steps, binning=request.binning)
    return Source(
        names=[path.relative_to(request.root).as_posix() for path in paths],
        y_N=y_N,
        test_N=test_N,
        shape=frames.shape,
        read=lambda i: frames.of(paths[i], read_bin(paths[i])),
        vary=lambda i, change: frames.of(paths[i], change(read_bin(paths[i]))),
        stamp=stamp(paths, request.binning),
        sensor=frames.sensor,
        info=frames.info,
        root=request.root,
    )


register(
    Entry(
        name=NAME,
        kind="events",
        classes=tuple("0123456789"),
        source="https://www.garrickorchard.com/datasets/n-mnist",
        licence="CC BY-SA 4.0",
        citation="G. Orchard, A. Jayawant, G. K. Cohen, N. Thakor, Converting static image datasets to spiking neuromorphic datasets using "
        "saccades, Front. Neurosci. 9:437, 2015, doi:10.3389/fnins.2015.00437",
        files=FILES,
        paths=("NMNIST",),
        md5={"train.zip": "20959b8e626244a1b502305a9e6e2031", "test.zip": "69ca8762b2fe404d9b9bad1103e97832"},
        loader=read_nmnist,
    )
)
