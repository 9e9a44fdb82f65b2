"""dvc.lock, read only: which stage made which bytes, and from which parameters."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from configparser import ConfigParser, Error
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from snn5.errors import UserError, unknown
from snn5.files import md5

PATIENCE_S = 10.0  # with a dvc that holds its lock


@dataclass(frozen=True, kw_only=True)
class LockedStage:
    """One stage as DVC last ran it; paths are relative to the project, md5s of folders end in `.dir`."""

    name: str
    outs: dict[str, str] = field(default_factory=dict)
    deps: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)  # dotted key -> value, from params.yaml

    @property
    def out(self) -> str:
        """The folder that the stage writes: p1_train@a-b -> data/p1_train/a-b."""
        return "data/" + self.name.replace("@", "/", 1)


@dataclass(frozen=True, kw_only=True)
class Lock:
    """All of dvc.lock, and the cache that holds its bytes."""

    root: Path
    stages: dict[str, LockedStage]

    def stage(self, name: str) -> LockedStage:
        """The stage `name`.

        Raises:
            UserError: DVC has not run it.
        """
        if name not in self.stages:
            raise unknown("stage in dvc.lock", name, self.stages, f"run `dvc repro {name}`")
        return self.stages[name]

    def producer(self, path: str) -> tuple[LockedStage, str] | None:
        """The stage and its output that `path` is or lies in."""
        for stage in self.stages.values():
            for out in stage.outs:
                if path == out or path.startswith(out + "/"):
                    return stage, out
        return None

    def md5_of(self, path: str) -> str | None:
        """The md5 that dvc.lock gives `path`, an output or a file inside one; None where it names none."""
        found = self.producer(path)
        if found is None:
            return None
        stage, out = found
        return stage.outs[out] if path == out else self.files(out, stage.outs[out]).get(path)

    def files(self, out: str, digest: str) -> dict[str, str]:
        """The md5 of every file of the output `out`, from its bytes on disk or in the cache; empty where neither has them."""
        if not digest.endswith(".dir"):
            return {out: digest}
        manifest = self.cached(digest)
        if manifest is not None:
            return {f"{out}/{entry['relpath']}": entry["md5"] for entry in json.loads(manifest.read_bytes())}
        folder = self.root / out
        if folder.is_dir() and md5(folder) == digest:
            return {f"{out}/{f.relative_to(folder).as_posix()}": md5(f) for f in sorted(folder.rglob("*")) if f.is_file()}
        return {}

    def cached(self, digest: str) -> Path | None:
        """The whole, verified object `digest` in DVC's local cache."""
        path = cache_folder(self.root) / "files" / "md5" / digest[:2] / digest[2:]
        if path.is_file() and md5(path) == digest.removesuffix(".dir"):
            return path
        return None

    def find(self, path: str, digest: str) -> Path | None:
        """A file with the bytes `digest`: at its own place, or in the cache."""
        own = self.root / path
        return own if own.is_file() and md5(own) == digest else self.cached(digest)


def read(root: Path) -> Lock:
    """Read dvc.lock; without one there are no stages.

    Raises:
        UserError: it is broken.
    """
    with _while_no_dvc_writes(root):
        text = _text(root)
    return parse(text, root)


def parse(text: str, root: Path) -> Lock:
    """The lock that `text`, a dvc.lock of the project `root`, describes.

    Raises:
        UserError: it is broken.
    """
    try:
        raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        stages = {name: _stage(name, entry) for name, entry in (raw.get("stages") or {}).items()}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"dvc.lock is broken ({type(error).__name__}); repair it with `python -m snn5.recover`") from error
    return Lock(root=root, stages=stages)


@contextmanager
def _while_no_dvc_writes(root: Path) -> Iterator[None]:
    """Hold DVC's lock, as dvc.lock.Lock does, while a file is read that it writes in place; after `PATIENCE_S` do without it."""
    path, deadline = root / ".dvc" / "tmp" / "lock", time.monotonic() + PATIENCE_S
    if not os.access(path.parent, os.W_OK):  # no dvc has run here, or none can write
        yield
        return
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.05)
        yield


def _text(root: Path) -> str:
    try:
        return (root / "dvc.lock").read_text(encoding="utf-8")
    except FileNotFoundError:
        return "stages: {}"


def cache_folder(root: Path) -> Path:
    """DVC's cache, which `dvc cache dir` may have put elsewhere."""
    config = ConfigParser(interpolation=None)
    try:
        config.read([root / ".dvc" / "config", root / ".dvc" / "config.local"], encoding="utf-8")
    except Error as error:
        raise UserError(f"{root / '.dvc' / 'config'} is not valid: {error}; restore it with `git checkout .dvc/config`") from error
    folder = config.get("cache", "dir", fallback="cache").strip("\"'")
    return (root / ".dvc" / folder).resolve()


def _stage(name: str, entry: dict[str, Any]) -> LockedStage:
    def digests(kind: str) -> dict[str, str]:
        return {item["path"]: item["md5"] for item in entry.get(kind) or [] if "md5" in item}

    params: dict[str, Any] = {}
    for values in (entry.get("params") or {}).values():
        params.update(values)
    return LockedStage(name=name, outs=digests("outs"), deps=digests("deps"), params=params)
