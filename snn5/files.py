"""Files that are whole or absent: written beside their place, flushed, then renamed."""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snn5.errors import UserError

_NOT_WRITABLE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EIO,
    errno.EFBIG,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
}


def find_root(start: Path | None = None) -> Path:
    """The checkout that `start` (default: the working directory) lies in: the nearest folder with a dvc.yaml.

    Raises:
        UserError: there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise UserError(f"no dvc.yaml in {here} or above it; change into your SNN5 checkout first")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary file in the same folder, renamed to `path` when the block ends well, removed when it does not.

    Raises:
        UserError: the disk is full or the place is not writable; `path` is then what it was before.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        temporary = None
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        reason = error.strerror or str(error)
        raise UserError(f"could not write {path}: {reason}; free some space or check the permissions, then run again") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) to `path`, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON with sorted keys: equal values give equal bytes.

    Raises:
        ValueError: a NaN or an infinity is in it; a figure that is not a number is not a result.
    """
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: str | Path, made_by: str = "dvc repro") -> Any:
    """Read a JSON file that an earlier stage made.

    Raises:
        UserError: the file is missing or broken; the message names `made_by`, the command that makes it.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} is missing; make it with `{made_by}`")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); delete it and make it again with `{made_by}`") from error


def md5(path: str | Path) -> str:
    """The md5 that DVC writes to dvc.lock for `path`: of the bytes of a file, of the sorted manifest of a folder."""
    path = Path(path)
    if path.is_dir():
        entries = [
            {"md5": md5(file), "relpath": file.relative_to(path).as_posix()}
            for file in sorted(path.rglob("*"), key=lambda f: f.relative_to(path).as_posix())
            if file.is_file()
        ]
        return hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
