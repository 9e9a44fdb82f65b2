"""`event_folder`: your own event recordings, by class."""

from pathlib import Path

from snn5.datasets._event_frames import Frames
from snn5.datasets._folder import walk
from snn5.datasets._recording import SUFFIXES, read_recording
from snn5.datasets._registry import Entry, Request, register
from snn5.datasets._source import Source, stamp
from snn5.errors import UserError


def read_event_folder(request: Request) -> Source:
    """Event counts uint8 [T, 2, H, W] of each recording; the sensor is `folder.size`, or what the first readable file states.

    Raises:
        UserError: see `walk`; or neither the settings nor a file tell the sensor's size. Reading a sample: see `read_recording`.
    """
    files = walk(request.root, SUFFIXES)
    height_width = request.folder.size or _stated(files.paths)
    frames = Frames(sensor=(height_width[0], height_width[1]), time_steps=request.time_steps, binning=request.binning)
    return Source(
        names=files.names,
        y_N=files.y_N,
        test_N=files.test_N,
        val_N=files.val_N,
        classes=files.classes,
        shape=frames.shape,
        read=lambda i: frames.of(files.paths[i], read_recording(files.paths[i])),
        vary=lambda i, change: frames.of(files.paths[i], change(read_recording(files.paths[i]))),
        digest=files.digest,
        stamp=stamp(files.paths, (frames, files.sums)),
        sensor=frames.sensor,
        info={**frames.info, "sensor": list(height_width)},
        root=request.root,
    )


def _stated(paths: list[Path]) -> list[int]:
    for path in paths:
        try:
            sensor = read_recording(path).sensor
        except UserError:
            continue  # a damaged file has its turn when it is read
        if sensor is None:
            raise UserError(f"{path} does not state its sensor's size; set folder.size: [height, width] in params.yaml, in pixels")
        return list(sensor)
    raise UserError(f"none of {len(paths)} recordings can be read, the first is {paths[0]}; see `snn5.datasets.read_recording`")


register(
    Entry(
        name="event_folder",
        kind="events",
        classes=(),
        source="your own recordings: data.events.folder.path",
        licence="your own",
        citation="your own",
        files=f"[train|val|test/]<class>/*{{{','.join(SUFFIXES)}}}",
        loader=read_event_folder,
        own=True,
    )
)
