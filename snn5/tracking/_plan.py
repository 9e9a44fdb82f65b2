"""What MLflow shall hold about a stage, told from its files alone: the same for a stage that just ran and for one that ran long ago."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from snn5 import record
from snn5.lockfile import Lock, LockedStage
from snn5.record import Record

DATA = "data/p7_data/"  # the splits, which MLflow lists as a run's datasets
_SMALL = 1_000_000  # bytes
_FOR_PEOPLE = {".json", ".csv", ".png", ".svg", ".md", ".txt"}
_BAD = re.compile(r"[^\w\-. :/]")  # MLflow takes no other characters in a name


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The parent run of a stage, and the Record whose runs become its children.

    Attributes:
        folder: the small files for people, among them the record's.
        files: md5 of every output file, by path.
    """

    stage: LockedStage
    record: Record
    files: dict[str, str]
    folder: Path

    @property
    def tags(self) -> dict[str, str]:
        """dvc.stage, snn5.phase, `out.<path>` for every output, `file.<path>` for every checkpoint, `in.<path>` for the data it read."""
        tags = {"dvc.stage": self.stage.name, "snn5.phase": re.split(r"[_@]", self.stage.name)[0]}
        tags["mlflow.source.name"] = f"dvc repro {self.stage.name}"
        tags |= outs(self.stage)
        tags |= {key(f"file.{path}"): digest for path, digest in self.files.items() if path.endswith(".safetensors")}
        return tags | {key(f"in.{path}"): digest for path, digest in self.inputs.items()}

    @property
    def params(self) -> dict[str, str]:
        """The stage's parameters, one per dotted name, as the profile leaves them."""
        return {key(name): text(value) for name, value in effective(self.stage.params).items()}

    @property
    def inputs(self) -> dict[str, str]:
        """md5 of the outputs of earlier stages that it read."""
        return {path: digest for path, digest in self.stage.deps.items() if path.startswith("data/")}


def outs(stage: LockedStage) -> dict[str, str]:
    """The tags that say which bytes a stage left."""
    return {key(f"out.{path}"): digest for path, digest in stage.outs.items()}


@contextmanager
def plan(stage: LockedStage, lock: Lock) -> Iterator[Plan | None]:
    """Gather the stage's files, wherever they are; None where its record is neither on disk nor in the cache."""
    files: dict[str, str] = {}
    for out, digest in stage.outs.items():
        files |= lock.files(out, digest)
    with TemporaryDirectory(prefix="snn5-") as name:
        folder = Path(name)
        for path, digest in files.items():
            place = Path(path)
            if place.parent.as_posix() == stage.out and place.suffix in _FOR_PEOPLE:
                found = lock.find(path, digest)
                if found is not None and (found.stat().st_size <= _SMALL or place.name in ("metrics.json", "curves.csv")):
                    shutil.copyfile(found, folder / place.name)
        if not ((folder / "metrics.json").is_file() and (folder / "curves.csv").is_file()):
            yield None
            return
        yield Plan(stage=stage, record=record.load(folder), files=files, folder=folder)


def effective(params: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten `params` and lay the chosen profile's entries over them, as snn5.config does.

    >>> effective({"profile": "big", "p1.frames": {"lr": 0.1, "epochs": 2}, "profiles": {"big": {"p1": {"frames": {"epochs": 9}}}}})
    {'profile': 'big', 'p1.frames.lr': 0.1, 'p1.frames.epochs': 9}
    """
    leaves = flatten(params)
    prefix = f"profiles.{params.get('profile', 'default')}."
    top = {name.removeprefix(prefix): value for name, value in leaves.items() if name.startswith(prefix)}
    base = {name: value for name, value in leaves.items() if name != "profiles" and not name.startswith("profiles.")}
    tracked = [name for name in params if not name.startswith("profiles")]
    top = {name: value for name, value in top.items() if any(name == t or name.startswith(t + ".") for t in tracked)}
    replaced = {name[: name.index(".model_args.") + len(".model_args.")] for name in top if ".model_args." in name}
    return {name: value for name, value in base.items() if not name.startswith(tuple(replaced))} | top


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}; lists and empty mappings stay values."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def key(name: str) -> str:
    """`name` in the characters and the length that MLflow takes."""
    return _BAD.sub("_", name)[-250:]


def text(value: Any) -> str:
    """A parameter as text: words as they are, all else as JSON."""
    return (value if isinstance(value, str) else json.dumps(value, sort_keys=True))[:6000]
