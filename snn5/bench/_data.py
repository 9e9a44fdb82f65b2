"""`snn5 bench data`: events to frames next to tonic's ToFrame; the same frames, or no figure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from snn5.bench._measure import Row, in_turn, row
from snn5.datasets import Recording, configured_root, frames_from_events, read_recording
from snn5.errors import UserError

TONIC, TARGET, SIDE, STEPS = "tonic ToFrame", 5.0, 34, 10
_COLUMNS = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])


def data(*, quick: bool = False, say: Callable[[str], None] | None = None) -> list[Row]:
    """Milliseconds for 100 recordings of N-MNIST (34 x 34 pixels, about 4100 events), read beforehand, by each way of slicing.

    The real recordings where SNN5_DATA_ROOT has them, else random ones of the same size. Sides alternate; both are held to the same frames.

    Args:
        quick: fewer recordings and repeats.
        say: is told what is measured now.

    Raises:
        UserError: the two sides differ, so there is nothing to compare.
    """
    from tonic.transforms import ToFrame

    found, where = recordings(20 if quick else 100)
    records = [_record(r) for r in found]
    rows = []
    for name, theirs, options in (
        (f"{STEPS} slices of equal length", {"n_time_bins": STEPS}, {"method": "time"}),
        (f"{STEPS} slices of equal number", {"n_event_bins": STEPS}, {"method": "count"}),
        ("slices of 30 ms", {"time_window": 30_000}, {"method": "time", "size": 30_000}),
        ("slices of 400 events", {"event_count": 400}, {"method": "count", "size": 400}),
    ):
        if say is not None:
            say(name)
        convert = ToFrame(sensor_size=(SIDE, SIDE, 2), **theirs)
        steps = [len(convert(r)) for r in records]  # tonic's number of slices follows from the recording, where their size is fixed

        def ours(options: dict[str, Any] = options, steps: list[int] = steps) -> list[np.ndarray]:
            return [_frames(r, n, options) for r, n in zip(found, steps, strict=True)]

        def tonics(convert: Any = convert) -> list[np.ndarray]:
            return [convert(r) for r in records]

        _compare(name, tonics(), ours())
        times = in_turn({"theirs": lambda f=tonics: f() and None, "ours": lambda f=ours: f() and None}, 5 if quick else 15)  # type: ignore[misc]
        rows.append(row(f"{name}, {len(found)} {where} recordings", TONIC, times["theirs"], times["ours"], TARGET))
    return rows


def recordings(count: int) -> tuple[list[Recording], str]:
    """`count` recordings, and whether they are `real` or `random`."""
    root = configured_root()
    paths = sorted((root / "NMNIST").glob("Train/*/*.bin"))[:count] if root is not None else []
    if len(paths) == count:
        return [read_recording(Path(path)) for path in paths], "real"
    rng, made = np.random.default_rng(0), []
    for _ in range(count):
        events = 4100
        x, y = rng.integers(0, SIDE, (2, events))
        made.append(Recording(t=np.sort(rng.integers(0, 310_000, events)), x=x, y=y, p=rng.integers(0, 2, events)))
    return made, "random"


def _frames(found: Recording, steps: int, options: dict[str, Any]) -> np.ndarray:
    """Frames without the remainder that tonic drops: slices of the size that the division gives, and no more of them."""
    size = options.get("size") or max(1, (len(found) if options["method"] == "count" else int(found.t[-1] - found.t[0])) // steps)
    method = options["method"]
    return frames_from_events(found.t, found.x, found.y, found.p, time_steps=steps, sensor=SIDE, method=method, size=size)


def _record(found: Recording) -> np.ndarray:
    made = np.empty(len(found), _COLUMNS)
    for name in ("x", "y", "t", "p"):
        made[name] = getattr(found, name)
    return made


def _compare(name: str, theirs: list[np.ndarray], ours: list[np.ndarray]) -> None:
    for i, (a, b) in enumerate(zip(theirs, ours, strict=True)):
        if a.shape != b.shape or (np.minimum(a, 255) != b).any():
            raise UserError(f"{name}: recording {i} gives other frames than tonic's; a comparison of times would mean nothing")
