"""A stage as DVC is about to write it to dvc.lock."""

from pathlib import Path

from snn5 import lockfile
from snn5.errors import UserError
from snn5.files import md5
from snn5.lockfile import LockedStage


def declared(root: Path, name: str, out: Path) -> LockedStage:
    """The stage `name` of dvc.yaml: its outputs hashed from disk, its parameters read from params.yaml.

    A stage that dvc.yaml does not have (run by hand with other arguments) has no parameters, and all that lies in `out` as its outputs.

    Raises:
        UserError: dvc.yaml is broken, or a declared output is missing.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import NotDvcRepoError, Repo
    from dvc.stage.exceptions import StageNotFound

    lock = lockfile.read(root)
    params: dict[str, object] = {}
    deps: dict[str, str] = {}
    try:
        with Repo(str(root), _wait_for_lock=True) as repo, repo.lock:  # another dvc may be writing dvc.lock
            stage = repo.stage.load_one(path=str(root / "dvc.yaml"), name=name)
            paths = [item.def_path for item in stage.outs]
            for dep in stage.deps:
                if hasattr(dep, "read_params"):
                    params |= dep.read_params()
                elif dep.def_path.startswith("data/"):
                    deps[dep.def_path] = lock.md5_of(dep.def_path) or md5(root / dep.def_path)
    except (NotDvcRepoError, StageNotFound):
        paths = sorted(path.as_posix() for path in _below(root, out))
    except DvcException as error:
        raise UserError(f"DVC cannot read dvc.yaml: {error}") from error
    missing = [path for path in paths if not (root / path).exists()]
    if missing:
        raise UserError(f"stage {name} did not write {', '.join(missing)}, which dvc.yaml lists as its outputs")
    return LockedStage(name=name, outs={path: md5(root / path) for path in paths}, deps=deps, params=params)


def _below(root: Path, out: Path) -> list[Path]:
    folder = root / out
    return [entry.relative_to(root) for entry in folder.iterdir() if not entry.name.startswith(".")] if folder.is_dir() else []
