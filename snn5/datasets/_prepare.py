"""Write the splits that the stages read, check them, and list what there is."""

import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np

from snn5.config import Config, Datasets
from snn5.datasets._load import SPLITS, divide, gather
from snn5.datasets._partition import first_copies, samples_sha256, split_sha256
from snn5.datasets._registry import Entry, Progress, Request, find, list_datasets
from snn5.datasets._root import configured_root
from snn5.datasets._split import Split, Splits, load_split, write_split
from snn5.errors import UserError, unknown

SLOTS = tuple(field.name for field in fields(Datasets))


def prepare(
    config: Config, slot: str, *, folder: str | Path | None = None, scratch: str | Path | None = None, progress: Progress | None = None
) -> Splits:
    """Read the data set of `config.data.<slot>` and write train, val and test `.safetensors`; their samples stay on disk.

    Args:
        config: all settings. slot: `frames` or `events`.
        folder: where to; None takes the place where the stages look for it, data/p7_data/<slot> under the working directory.
        scratch: where samples wait until all recordings are read; None takes .cache/prepare under the working directory. What an
            interrupted call left there is taken up by the next one with the same settings and files; a finished one removes it.
        progress: called with (done, total).

    Raises:
        UserError: unknown slot, a set of the other kind in this slot, or whatever `load` or the disk has to say.
    """
    if slot not in SLOTS:
        raise unknown("data slot", slot, SLOTS)
    data = getattr(config.data, slot)
    entry = find(data.dataset)
    if entry.kind != slot:
        raise UserError(
            f"data.{slot}.dataset={data.dataset!r} is a set of {entry.kind}; put it under data.{entry.kind} or choose a set of {slot}"
        )
    request = Request(
        root=Path(),
        time_steps=data.time_steps,
        camera=data.camera,
        binning=data.binning,
        augment=data.augment,
        folder=data.folder,
        cochlea=data.cochlea,
        progress=progress,
    )
    waiting = Path(scratch) if scratch is not None else Path(".cache", "prepare")
    samples = gather(data.dataset, request, on_error=data.on_error, seed=data.split_seed, scratch=waiting / slot)
    portions = divide(
        entry,
        samples,
        time_steps=data.time_steps,
        val_fraction=data.val_fraction,
        test_fraction=data.test_fraction,
        split_seed=data.split_seed,
    )
    target = Path("data", "p7_data", slot) if folder is None else Path(folder)
    made = {
        side: write_split(samples.x_TNCHW, p.chosen_N, p.y_N, p.index_N, p.info, target / f"{side}.safetensors")
        for side, p in zip(SPLITS, portions, strict=True)
    }
    shutil.rmtree(waiting / slot, ignore_errors=True)
    return Splits(**made)


def skipped(split: Split) -> list[str]:
    """One line for each recording that was left out when `split` was made: its name and what is wrong with it."""
    return [f"skipped {item['name']}: {item['reason']}" for item in split.info.get("skipped", [])]


def verify(folder: str | Path) -> list[str]:
    """What is wrong with the splits in `folder`; an empty list when all is well.

    Recomputes the hashes of samples and labels, and checks the counts, the labels, that the three files belong together, and that
    no sample is in two of them, neither by its index nor by its bytes.
    """
    splits: dict[str, Split] = {}
    findings: list[str] = []
    for side in SPLITS:
        try:
            splits[side] = load_split(Path(folder, f"{side}.safetensors"))
        except UserError as error:
            findings.append(str(error))
    for side, split in splits.items():
        findings += [f"{Path(folder, side)}.safetensors: {text}" for text in _findings(side, split)]
    for a, b in (("train", "val"), ("train", "test"), ("val", "test")):
        if a in splits and b in splits:
            findings += [f"{folder}: {text}" for text in _between(a, splits[a], b, splits[b])]
    return findings


def _findings(side: str, split: Split) -> Iterator[str]:
    info, remedy = split.info, "; make it again with `dvc repro p7_data`"
    if info.get("split") != side:
        yield f"holds the split {info.get('split')!r}{remedy}"
    if len(split) != info.get("counts", {}).get(side):
        yield f"has {len(split)} samples, its header says {info.get('counts', {}).get(side)}{remedy}"
    if split_sha256(split.index_N, split.y_N) != info.get("split_sha256"):
        yield f"indices and labels do not have the hash in the header{remedy}"
    if samples_sha256(split.x_TNCHW) != info.get("samples_sha256"):
        yield f"the samples do not have the hash in the header{remedy}"
    if len(np.unique(split.index_N)) != len(split):
        yield f"the same index occurs twice{remedy}"
    if len(split) and not 0 <= split.y_N.min() <= split.y_N.max() < info.get("num_classes", 0):
        yield f"labels go from {split.y_N.min()} to {split.y_N.max()}, num_classes is {info.get('num_classes')}{remedy}"


_OWN = ("split", "split_sha256", "samples_sha256")  # what differs between the three headers


def _between(a: str, first: Split, b: str, second: Split) -> Iterator[str]:
    ours, theirs = ({k: v for k, v in s.info.items() if k not in _OWN} for s in (first, second))
    if ours != theirs:
        different = sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k))
        yield f"{a} and {b} were not made together ({', '.join(different)} differ); make both again with `dvc repro p7_data`"
        return
    shared = np.intersect1d(first.index_N, second.index_N)
    if len(shared):
        yield f"{a} and {b} share {len(shared)} indices, the first is {shared[0]}"
    copies = first_copies(np.concatenate([first.x_TNCHW, second.x_TNCHW], axis=1))[len(first) :]
    crossing = np.flatnonzero(copies < len(first))
    if len(crossing):
        yield f"{len(crossing)} samples of {b} are copies of samples of {a}, the first has the index {second.index_N[crossing[0]]}"


def describe() -> list[dict[str, str]]:
    """One row for each known data set: name, kind, classes, state, files, licence, source, citation; for `snn5 data list`."""
    return [
        {
            "name": entry.name,
            "kind": entry.kind,
            "classes": str(len(entry.classes) or "by folder"),
            "state": _state(entry),
            "files": entry.files or "none (built in)",
            "licence": entry.licence,
            "source": entry.source,
            "citation": entry.citation,
        }
        for entry in map(find, list_datasets())
    ]


def _state(entry: Entry) -> str:
    if entry.own:
        return "your own folder"
    if not entry.files:
        return "built in"
    root = configured_root()
    if root is None:
        return "SNN5_DATA_ROOT is not set"
    return "found" if any((root / path).is_dir() for path in entry.paths) else "files missing"
