"""Archives unpacked so that no member leaves the folder, nothing is overwritten, and no half of one is ever seen."""

import gzip
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from snn5.errors import UserError

Member = tuple[str, int, bool, IO[bytes] | None]  # name, bytes, whether a folder, the content
_TAR = (".tar.gz", ".tgz", ".tar")
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError)


def unpack(archive: Path, folder: Path) -> list[str]:
    """Unpack a .zip or .tar(.gz) into `folder`; returns the names at its top. What is there under such a name stays as it is.

    All members are checked and written into a hidden folder first; then the top entries are moved to their places, one by one.

    Raises:
        UserError: no such archive, a damaged one, a member that would leave the folder or is no plain file or folder, an encrypted one,
            or too little space; names it. Nothing is left behind.
    """
    if not archive.name.endswith((".zip", *_TAR)):
        raise UserError(f"{archive} is no .zip, .tar.gz or .tar; unpack it by hand into {folder}")
    if not archive.is_file():
        raise UserError(f"{archive} is missing; download it first")
    folder.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder))
    try:
        _check(archive, folder)
        for name, _, is_folder, content in _members(archive):
            target = hidden / name
            (target if is_folder else target.parent).mkdir(parents=True, exist_ok=True)
            if content is not None:
                with content, target.open("wb") as file:
                    shutil.copyfileobj(content, file)
        top = sorted(path.name for path in hidden.iterdir())
        for name in top:
            if not os.path.lexists(folder / name):
                (hidden / name).rename(folder / name)
    except _BROKEN as error:
        raise UserError(f"{archive} is damaged ({error}); download it again") from error
    except (RuntimeError, OSError) as error:  # zipfile: RuntimeError for an encrypted member
        raise UserError(f"could not unpack {archive}: {error}; see to it, then run again") from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return top


def _check(archive: Path, folder: Path) -> None:
    """Every member's name, and that there is room for all of them."""
    total = 0
    for name, size, is_folder, content in _members(archive):
        parts = PurePosixPath(name).parts
        if not (parts or is_folder) or ".." in parts or name.startswith("/") or "\\" in name or "\0" in name or PureWindowsPath(name).drive:
            raise UserError(f"{archive}: the member {name!r} would leave {folder}; this is not the official archive: delete it")
        total += size
        if content is not None:
            content.close()
    free = shutil.disk_usage(folder).free
    if total > free:
        raise UserError(f"{archive} unpacks to {total / 1e9:.1f} GB, {folder} has {free / 1e9:.1f} GB free; free some space")


def _members(archive: Path) -> Iterator[Member]:
    return _of_zip(archive) if archive.name.endswith(".zip") else _of_tar(archive)


def _of_zip(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as found:
        for info in found.infolist():
            kind = (info.external_attr >> 16) & 0o170000
            if kind not in (0, 0o100000, 0o040000):
                raise UserError(
                    f"{archive}: the member {info.filename!r} is a link or a device; this is not the official archive: delete it"
                )
            # The name as it stands in the archive: zipfile cuts it at a NUL and turns the system's separators.
            yield info.orig_filename, info.file_size, info.is_dir(), None if info.is_dir() else found.open(info)


def _of_tar(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive) as found:
        for info in found:
            if not (info.isfile() or info.isdir()):
                raise UserError(f"{archive}: the member {info.name!r} is a link or a device; this is not the official archive: delete it")
            yield info.name, info.size, info.isdir(), found.extractfile(info) if info.isfile() else None
