"""Mend what a killed run can leave broken, before `dvc repro` reads it: `python -m snn5.recover`. It runs every time: few imports.

DVC puts outputs, cache objects and its run cache in place by renaming, and forgets the locks of dead processes by itself. Two files it
writes in place and refuses to read when they were cut short: dvc.lock and .dvc/tmp/rwlock. Nothing is lost with them: what dvc.lock no
longer names, DVC finds again in its run cache.
"""

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from snn5.errors import UserError
from snn5.files import find_root, write_bytes

_STRAY = re.compile(r"\..+\.part")  # what snn5.files.atomic_path had not renamed yet
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


def recover(root: Path) -> list[str]:
    """Repair dvc.lock and DVC's lock file, remove half-written files below data/ and reports/; what was done, one sentence each.

    While another dvc is at work in this checkout nothing is touched: what looks broken may be half written.

    Raises:
        UserError: dvc.lock holds an unfinished merge, or cannot be repaired.
    """
    done: list[str] = []
    with ExitStack() as locks:
        # The names and the way to lock of dvc.lock.Lock: while we hold them no dvc starts.
        for name in ("lock", "rwlock.lock"):
            if not locks.enter_context(_locked(root / ".dvc" / "tmp" / name)):
                return ["another dvc is at work here: nothing was looked at"]
        holders, broken = _holders(root)
        if any(_is_dvc(pid) for pid in holders):
            return ["another dvc is at work here: nothing was looked at"]
        if holders or broken:
            (root / ".dvc" / "tmp" / "rwlock").unlink()
            done += ["removed .dvc/tmp/rwlock, which a killed dvc left behind"]
        done += _mend_lock(root)
        done += [f"removed the half-written {path.relative_to(root)}" for path in _strays(root) if _removed(path)]
    return done


def _mend_lock(root: Path) -> list[str]:
    path = root / "dvc.lock"
    if not path.is_file():
        return []
    data = path.read_bytes()
    if b"\n<<<<<<< " in b"\n" + data:
        raise UserError("dvc.lock holds an unfinished merge; take one side (`git checkout --ours dvc.lock` or `--theirs`), then run again")
    if _whole(data):
        return []
    kept = _committed(root)
    if _whole(kept):
        write_bytes(path, kept)
        return ["dvc.lock was cut short; took the committed one (what ran since then comes back from DVC's run cache)"]
    path.unlink()
    return ["dvc.lock was cut short and removed (what ran comes back from DVC's run cache)"]


def _committed(root: Path) -> bytes:
    try:
        return subprocess.run(["git", "show", "HEAD:./dvc.lock"], cwd=root, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return b""


def _whole(data: bytes) -> bool:
    """Whether DVC takes it, and no entry lost its end: the shape that dvc.schema asks for, all that DVC says about an output."""
    try:
        raw = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return data.endswith(b"\n") and raw["schema"] == "2.0" and all(_stage_whole(stage) for stage in raw.get("stages", {}).values())
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        return False


def _stage_whole(stage: dict[str, Any]) -> bool:
    return (
        bool(stage["cmd"])
        and all(_item_whole(item) for kind in ("deps", "outs") for item in stage.get(kind, []))
        and all(isinstance(values, dict) for values in stage.get("params", {}).values())
    )


def _item_whole(item: dict[str, Any]) -> bool:
    folder = item["md5"].endswith(".dir")
    return bool(_MD5.fullmatch(item["md5"])) and None not in item.values() and "size" in item and ("nfiles" in item or not folder)


def _holders(root: Path) -> tuple[set[int], bool]:
    """The processes that DVC's lock file names, and whether it is broken."""
    try:
        raw = json.loads((root / ".dvc" / "tmp" / "rwlock").read_text(encoding="utf-8"))
        infos = [*raw.get("write", {}).values(), *(info for readers in raw.get("read", {}).values() for info in readers)]
        return {int(info["pid"]) for info in infos}, False
    except FileNotFoundError:
        return set(), False
    except (AttributeError, KeyError, TypeError, ValueError):
        return set(), True


def _is_dvc(pid: int) -> bool:
    """Numbers come round again, in a container within seconds: a process that is not dvc holds no lock of dvc's."""
    import psutil

    try:
        process = psutil.Process(pid)
        words = process.cmdline()[:3]  # dvc …, python …/bin/dvc …, python -m dvc …
        return process.status() != psutil.STATUS_ZOMBIE and any(os.path.basename(word) == "dvc" for word in words)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _strays(root: Path) -> Iterator[Path]:
    for top in ("data", "reports"):
        for folder, _, names in os.walk(root / top):
            yield from (Path(folder, name) for name in names if _STRAY.fullmatch(name))


def _removed(path: Path) -> bool:
    path.unlink(missing_ok=True)
    return True


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold DVC's lock `path` for the block; False where somebody else holds it."""
    if not path.parent.is_dir():
        yield True
        return
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def main() -> None:
    """Mend the checkout around the working directory, and say what was mended."""
    try:
        for line in recover(find_root()):
            sys.stderr.write(f"recover: {line}\n")
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
