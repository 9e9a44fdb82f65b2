"""N-MNIST from its official files: one `.bin` a recording, five bytes an event."""

from pathlib import Path

import numpy as np

from snn5.datasets._frames import frames_from_events
from snn5.datasets._read_bin import read_bin
from snn5.datasets._registry import Entry, Request, Samples, register
from snn5.datasets._root import need
from snn5.errors import UserError

NAME = "nmnist"
SIDE = 34  # pixels along one side of the recordings
FILES = "NMNIST/Train/<digit>/*.bin and NMNIST/Test/<digit>/*.bin (unpacked from the official Train.zip and Test.zip)"
_EVERY = 100  # recordings between two calls of `progress`


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


def read_nmnist(request: Request) -> Samples:
    """Event counts uint8 [T, N, 2, 34, 34]; T slices of equal length from a recording's first event to its last.

    Raises:
        UserError: a folder or file is missing, a recording is truncated or has events outside the sensor; the message names it.
    """
    paths, y_N, test_N = recordings(need(request.root / "NMNIST", NAME, FILES))
    x_TNCHW = np.empty((request.time_steps, len(paths), 2, SIDE, SIDE), np.uint8)
    for i, path in enumerate(paths):
        found = read_bin(path)
        try:
            x_TNCHW[:, i] = frames_from_events(found.t, found.x, found.y, found.p, time_steps=request.time_steps, sensor=SIDE)
        except UserError as error:
            raise UserError(f"{path} is damaged: {error}") from error
        if request.progress is not None and ((i + 1) % _EVERY == 0 or i + 1 == len(paths)):
            request.progress(i + 1, len(paths))
    return Samples(x_TNCHW=x_TNCHW, y_N=y_N, test_N=test_N, info={"frames": "time", "channels": ["off", "on"]})


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
        loader=read_nmnist,
    )
)
