"""Read a source's recordings one after the other: into memory, or into files from which an interrupted preparation goes on."""

import hashlib
import json
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from snn5.datasets._registry import Progress, Samples
from snn5.datasets._source import Source
from snn5.errors import UserError

_EVERY = 100  # recordings between two calls of `progress` and between two writes


class _Memory:
    """Samples in one array, and a line of notes on each recording."""

    def __init__(self, source: Source) -> None:
        self.notes: list[dict[str, Any]] = []
        self.x_NTCHW = np.empty((len(source.names), *_final(source)), np.uint8)
        self.kept = 0

    def add(self, note: dict[str, Any], frames: np.ndarray | None) -> None:
        self.notes.append(note)
        if frames is not None:
            self.x_NTCHW[self.kept] = frames
            self.kept += 1

    def flush(self) -> None:
        """Nothing to do."""

    def samples(self) -> np.ndarray:
        return self.x_NTCHW[: self.kept]


class _Files:
    """The same in `samples.u8` and `notes.jsonl`; samples are written first, so a note always has its sample."""

    def __init__(self, source: Source, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.x, self.lines, self.shape = folder / "samples.u8", folder / "notes.jsonl", _final(source)
        self.notes = _notes(self.lines)
        size, kept = prod(self.shape), sum("sha256" in note for note in self.notes)
        if not self.x.is_file() or self.x.stat().st_size < kept * size:
            self.notes, kept = [], 0
        self.waiting: list[bytes] = []
        self.written = len(self.notes)
        with self.x.open("ab") as file:
            file.truncate(kept * size)
        self._rewrite()

    def _rewrite(self) -> None:
        self.lines.write_text("".join(json.dumps(note) + "\n" for note in self.notes), encoding="utf-8")

    def add(self, note: dict[str, Any], frames: np.ndarray | None) -> None:
        if frames is not None:
            self.waiting.append(np.ascontiguousarray(frames).tobytes())
        self.notes.append(note)  # last: interrupted before it, a sample without a note is cut off again

    def flush(self) -> None:
        with self.x.open("ab") as file:
            file.write(b"".join(self.waiting))
        with self.lines.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(note) + "\n" for note in self.notes[self.written :])
        self.waiting, self.written = [], len(self.notes)

    def samples(self) -> np.ndarray:
        kept = sum("sha256" in note for note in self.notes)
        if not kept:
            return np.empty((0, *self.shape), np.uint8)
        return np.memmap(self.x, np.uint8, "r", shape=(kept, *self.shape))


def _notes(path: Path) -> list[dict[str, Any]]:
    """The whole lines of an earlier run; one that was cut off is read again."""
    found: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []:
        if not line.endswith("\n"):
            break
        found.append(json.loads(line))
    return found


def collect(source: Source, *, on_error: str = "stop", progress: Progress | None = None, scratch: Path | None = None) -> Samples:
    """Read all recordings of `source`.

    Samples are square, as every network wants them (see `Source.square`): zeros follow the shorter side where they are not
    (`info["padded_from"]` is [H, W]).

    Args:
        source: what to read.
        on_error: `stop` at the first empty or damaged recording, or `skip` it; its name and what is wrong go into `info["skipped"]`.
        progress: called with (done, total).
        scratch: a folder for the samples; None keeps them in memory. With the same folder an interrupted call goes on where it was, and
            the memory it takes does not depend on the number of recordings (200 are held at once).

    Raises:
        UserError: a damaged recording with `stop`, or none is left.
    """
    store: _Memory | _Files = _Memory(source) if scratch is None else _Files(source, scratch / source.stamp[:16])
    total = len(source.names)
    try:
        for i in range(len(store.notes), total):
            store.add(*_one(source, i, on_error))
            if (i + 1) % _EVERY == 0 or i + 1 == total:
                store.flush()
                if progress is not None:
                    progress(i + 1, total)
    except OSError as error:
        raise UserError(f"could not keep samples in {scratch}: {error.strerror or error}; free some space, then run again") from error
    finally:
        if isinstance(store, _Files) and len(store.notes) > store.written:
            store.flush()
    originals = total if source.originals is None else source.originals
    notes, kept_N = store.notes, np.array([i for i, note in enumerate(store.notes) if "sha256" in note], np.int64)
    skipped = [{"name": source.names[i], "reason": note["skipped"]} for i, note in enumerate(notes) if "skipped" in note and i < originals]
    if not len(kept_N):
        raise UserError(
            f"all {total} recordings are damaged, the first {skipped[0]['name']}: {skipped[0]['reason']}" if total else "no recordings"
        )
    seen: dict[str, int] = {}
    first_N = np.array([seen.setdefault(notes[i]["sha256"], n) for n, i in enumerate(kept_N)], np.int64)
    place = {int(i): n for n, i in enumerate(kept_N)}
    made = Samples(
        x_TNCHW=store.samples().transpose(1, 0, 2, 3, 4),
        y_N=source.y_N[kept_N],
        scale=source.scale,
        info={
            **source.info,
            **({"padded_from": list(source.shape[2:])} if _final(source) != source.shape else {}),
            "skipped": skipped,
            "events_left_out": sum(note.get("left_out", 0) for note in notes),
        },
        index_N=kept_N,
        first_N=first_N,
        keys_N=[notes[i]["key"] for i in kept_N] if source.digest is not None else None,
        classes=source.classes,
        copy_of_N=np.array([-1 if i < originals else place[int(i) % originals] for i in kept_N], np.int64) if originals < total else None,
    )
    official = {name: marks[kept_N] for name in ("test_N", "val_N") if (marks := getattr(source, name)) is not None}
    return replace(made, **official)


def _final(source: Source) -> tuple[int, int, int, int]:
    """The shape of the samples as they are kept."""
    steps, channels, height, width = source.shape
    side = max(height, width)
    return (steps, channels, side, side) if source.square else source.shape


def _one(source: Source, i: int, on_error: str) -> tuple[dict[str, Any], np.ndarray | None]:
    try:
        key = source.digest(i) if source.digest is not None else ""
        frames, left_out = source.read(i)
    except UserError as error:
        if on_error == "stop":
            raise UserError(f"{error} (on_error: skip leaves such recordings out, named and counted)") from error
        return {"skipped": str(error).replace(f"{source.root}/", "")}, None
    if frames.shape != source.shape or frames.dtype != np.uint8:
        raise ValueError(f"{source.names[i]}: {frames.dtype}{list(frames.shape)}, promised were uint8{list(source.shape)}")
    height, width = _final(source)[2:]
    if (height, width) != frames.shape[2:]:
        frames = np.pad(frames, ((0, 0), (0, 0), (0, height - frames.shape[2]), (0, width - frames.shape[3])))
    return {"sha256": hashlib.sha256(np.ascontiguousarray(frames).data).hexdigest(), "key": key, "left_out": left_out}, frames
