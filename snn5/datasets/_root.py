"""Where the real data sets lie: the one place that reads SNN5_DATA_ROOT."""

import os
from pathlib import Path

from snn5.errors import UserError

VARIABLE = "SNN5_DATA_ROOT"


def configured_root() -> Path | None:
    """The folder that SNN5_DATA_ROOT names; None when it is unset or empty."""
    value = os.environ.get(VARIABLE, "")
    return Path(value).expanduser() if value else None


def data_root(root: str | Path | None, dataset: str, files: str) -> Path:
    """The folder that holds the real data sets, each in a folder of its own.

    Args:
        root: the caller's choice; None takes SNN5_DATA_ROOT.
        dataset: who asks; files: what must lie under the folder. Both are for the message.

    Raises:
        UserError: no folder was named, or it does not exist.
    """
    folder = Path(root) if root is not None else configured_root()
    if folder is None:
        raise UserError(f"data set {dataset!r} is read from your disk; set {VARIABLE} to a folder that holds {files}")
    if not folder.is_dir():
        raise UserError(f"data set {dataset!r}: the folder {folder} does not exist; set {VARIABLE} to the one that holds {files}")
    return folder


def need(path: Path, dataset: str, files: str) -> Path:
    """`path`, which is there.

    Raises:
        UserError: it is not; the message names it and the whole layout.
    """
    if not path.exists():
        raise UserError(f"data set {dataset!r}: {path} is missing; provide it (the whole set: {files})")
    return path


def own_folder(root: str | Path | None, dataset: str, path: str) -> Path:
    """The user's own folder: `path` as it is where it is absolute, else under `root` or SNN5_DATA_ROOT.

    Raises:
        UserError: no path was given, it is no folder, or a relative one has nothing to be relative to.
    """
    layout = "a folder of [train|val|test/]<class>/<file>"
    if not path:
        raise UserError(f"data set {dataset!r} reads your own files; set folder.path in params.yaml to {layout}")
    folder = Path(path).expanduser()
    if not folder.is_absolute():
        folder = data_root(root, dataset, f"the folder {path}, {layout}") / folder
    if not folder.is_dir():
        raise UserError(f"data set {dataset!r}: {folder} is no folder; set folder.path in params.yaml to {layout}")
    return folder
