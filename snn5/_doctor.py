"""`snn5 doctor`: what is installed, what is missing, and what to do about it."""

import os
import platform
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from snn5.errors import UserError

INSTALL = "run `make install`"
_DISK_GB = 5.0  # the environment takes 2.5, the cache of a few runs of the roadmap less than one


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the table: `state` is ok, note (it works, but worth knowing) or missing (something required is not there)."""

    what: str
    found: str
    state: str = "ok"
    remedy: str = ""


def examine(root: Path) -> list[Finding]:
    """All findings about the checkout `root` and this Python."""
    return [finding for check in _CHECKS for finding in check(root)]


def _python(root: Path) -> Iterator[Finding]:
    fits = sys.version_info[:2] == (3, 11)
    yield Finding(
        what="Python",
        found=f"{platform.python_version()} ({sys.executable})",
        state="ok" if fits else "missing",
        remedy="" if fits else "SNN5 needs Python 3.11; delete .venv, then `make install`",
    )


def _packages(root: Path) -> Iterator[Finding]:
    """What snn5 itself requires, one line each; the rest of constraints.txt only where it is not as pinned."""
    pins = _pins(root / "constraints.txt")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required: dict[str, Requirement] = {canonicalize_name(r.name): r for r in map(Requirement, project["dependencies"])}
    for name in sorted(required.keys() | pins.keys()):
        version, pin, need = _installed(name), pins.get(name), required.get(name)
        shown = f"{version or 'not installed'} (pinned {pin})" if pin else version or "not installed"
        if version is None:
            if need is not None:
                yield Finding(what=name, found=shown, state="missing", remedy=INSTALL)
            else:
                yield Finding(what=name, found=shown, state="note", remedy=f"something may need it; {INSTALL}")
        elif need is not None and not need.specifier.contains(Version(version).public, prereleases=True):
            yield Finding(what=name, found=shown, state="missing", remedy=f"need {need.specifier}; {INSTALL}")
        elif pin is not None and Version(version).public != pin:
            yield Finding(what=name, found=shown, state="note", remedy=f"not the verified version; {INSTALL}")
        elif need is not None:
            yield Finding(what=name, found=shown)
    present = sum(_installed(name) is not None for name in pins)
    yield Finding(what="constraints.txt", found=f"{present} of {len(pins)} pinned packages are installed")


def _torch(root: Path) -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding(what="torch device", found=f"does not import: {error}", state="missing", remedy=INSTALL)
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no CUDA"
    yield Finding(what="torch device", found=f"CPU, {torch.get_num_threads()} threads on {cores} cores; {gpu}")


def _lava(root: Path) -> Iterator[Finding]:
    from snn5.hardware import lava_importable

    version = _installed("lava-nc")
    if version is None:
        how = "`pip install --no-deps --ignore-requires-python lava-nc==0.10.0`"
        yield Finding(what="Lava", found="not installed", state="note", remedy=f"only the Loihi 2 port (P5.2) needs it: {how}")
        return
    try:
        with lava_importable():
            import lava.magma.runtime.runtime  # noqa: F401 - the module that does not import by itself
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs in the table
        yield Finding(what="Lava", found=f"{version} does not import: {error}", state="note", remedy=f"P5.2 cannot run; {INSTALL}")
        return
    yield Finding(what="Lava", found=f"{version}, imports")


def _dvc(root: Path) -> Iterator[Finding]:
    from snn5 import lockfile

    if not (root / ".dvc" / "config").is_file():
        yield Finding(what="DVC", found=f"no .dvc folder in {root}", state="missing", remedy="clone the repository anew, or `dvc init`")
        return
    config = ConfigParser(interpolation=None)
    config.read([root / ".dvc" / "config", root / ".dvc" / "config.local"], encoding="utf-8")
    remotes = [match[1] for section in config.sections() if (match := re.fullmatch(r"'?remote \"(.+)\"'?", section))]
    yield Finding(
        what="DVC remote",
        found=", ".join(remotes) or "none",
        state="ok" if remotes else "note",
        remedy="" if remotes else "results stay on this machine; to share them: `dvc remote add -d NAME URL`, `dvc push --run-cache`",
    )
    lock = lockfile.read(root)
    outs = [(path, digest) for stage in lock.stages.values() for path, digest in stage.outs.items()]
    folder = lockfile.cache_folder(root) / "files" / "md5"
    cached = sum((folder / digest[:2] / digest[2:]).is_file() for _, digest in outs)
    whole = cached == len(outs)
    yield Finding(
        what="DVC cache",
        found=f"{cached} of {len(outs)} outputs of dvc.lock",
        state="ok" if whole else "note",
        remedy="" if whole else "the rest comes back with `dvc pull`, or is made again by `dvc repro`",
    )


def _tracking(root: Path) -> Iterator[Finding]:
    from snn5 import tracking
    from snn5.tracking import shown

    try:
        tracking.check(root)
    except UserError as error:
        yield Finding(what="MLflow tracking", found="does not work", state="missing", remedy=str(error))
        return
    yield Finding(what="MLflow tracking", found=shown(tracking.uri(root)) if tracking.enabled() else "off (SNN5_TRACKING=off)")


def _data(root: Path) -> Iterator[Finding]:
    from snn5.datasets import describe

    folder = os.environ.get("SNN5_DATA_ROOT", "")
    found = [row["name"] for row in describe() if row["state"] == "found"]
    if not folder:
        yield Finding(what="SNN5_DATA_ROOT", found="not set", remedy="only real data sets need it; the default ones are built in")
    elif not Path(folder).expanduser().is_dir():
        remedy = "set it to the folder that holds the data sets, or unset it"
        yield Finding(what="SNN5_DATA_ROOT", found=f"{folder} does not exist", state="missing", remedy=remedy)
    else:
        names = ", ".join(found) or "none of the known sets"
        yield Finding(
            what="SNN5_DATA_ROOT", found=f"{folder}: {names}", remedy="" if found else "`snn5 data list` says which files go where"
        )


def _disk(root: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(root).free / 1e9
    enough = free >= _DISK_GB
    yield Finding(
        what="disk",
        found=f"{free:.1f} GB free",
        state="ok" if enough else "note",
        remedy="" if enough else f"less than {_DISK_GB:g} GB; free some, e.g. `dvc gc --workspace`",
    )


_CHECKS: list[Callable[[Path], Iterator[Finding]]] = [_python, _packages, _torch, _lava, _dvc, _tracking, _data, _disk]


def _pins(path: Path) -> dict[str, str]:
    """name -> version of every `name==version` in a constraints file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = (line.partition("#")[0].strip().partition("==") for line in lines)
    return {canonicalize_name(name): version for name, _, version in found if version}


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
