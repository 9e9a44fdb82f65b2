"""Where studies are kept: `SNN5_OPTUNA_STORAGE` (any URL that Optuna takes, or journal:///a/file), else one sqlite file in the checkout.

Two processes that open a new sqlite file at once crash in its migrations, so the file is made once, aside, and renamed.
"""

import os
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from snn5.errors import UserError

_JOURNAL = "journal://"  # an append-only file: what to take where many workers write, or on a network drive


def open_storage(root: str | Path, url: str | None = None) -> BaseStorage:
    """The storage at `url`, else at $SNN5_OPTUNA_STORAGE, else `<root>/.cache/optuna/studies.db`.

    Raises:
        UserError: it cannot be opened.
    """
    url = url or os.environ.get("SNN5_OPTUNA_STORAGE")
    if url is None:
        path = Path(root).resolve() / ".cache" / "optuna" / "studies.db"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                fresh = path.with_suffix(f".{os.getpid()}.part")
                fresh.unlink(missing_ok=True)
                RDBStorage(f"sqlite:///{fresh}").engine.dispose()
                fresh.replace(path)
        url = f"sqlite:///{path}"
    try:
        if url.startswith(_JOURNAL):
            return JournalStorage(JournalFileBackend(url.removeprefix(_JOURNAL)))
        return optuna.storages.get_storage(url)
    except Exception as error:  # the URL decides which driver complains, and how
        raise UserError(f"cannot open the study storage {url!r} ({error}); start its server, or unset SNN5_OPTUNA_STORAGE") from error
