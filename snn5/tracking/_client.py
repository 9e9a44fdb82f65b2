"""The way to MLflow: which server or database, made once, with errors that a user can act on."""

import logging
import os
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from filelock import FileLock

from snn5.errors import UserError
from snn5.files import atomic_path

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "snn5"  # one for all stages: MLflow compares runs within an experiment
OFF = "or switch tracking off with SNN5_TRACKING=off"

_ANSWER_S = 5.0


def enabled() -> bool:
    """Whether runs are tracked: SNN5_TRACKING is `on` (the default) or `off`.

    Raises:
        UserError: it is something else.
    """
    value = os.environ.get("SNN5_TRACKING", "").strip().lower() or "on"
    if value not in ("on", "off"):
        raise UserError(f"SNN5_TRACKING={value!r}; need on or off")
    return value == "on"


def uri(root: Path) -> str:
    """Where MLflow keeps its runs: $MLFLOW_TRACKING_URI, or the project's own database."""
    return os.environ.get("MLFLOW_TRACKING_URI", "").strip() or f"sqlite:///{home(root) / 'mlflow.db'}"


def home(root: Path) -> Path:
    """The folder .mlflow; an experiment that DVC runs in a throw-away copy below .dvc/tmp/exps uses the real checkout's."""
    for folder in root.parents:
        if folder.name == "exps" and folder.parent.name == "tmp" and folder.parent.parent.name == ".dvc":
            return folder.parent.parent.parent / ".mlflow"
    return root / ".mlflow"


def check(root: Path) -> None:
    """Look whether tracking will work, at no cost: called before the work that is to be tracked.

    Raises:
        UserError: the server does not answer, or the database cannot be used.
    """
    if not enabled():
        return
    where = uri(root)
    database = _database(where)
    if database is not None:
        _check_database(database)
    elif where.startswith(("http://", "https://")):
        _check_server(where)


def prepare(root: Path) -> None:
    """Make the database if there is none yet, once, whoever else is about to (call it before any fan-out)."""
    database = _database(uri(root)) if enabled() else None
    if database is not None:
        _create(database)


def client(root: Path) -> "MlflowClient":
    """A client for the project's tracking server and registry.

    Raises:
        UserError: see `check`.
    """
    check(root)
    # MLflow's defaults retry for minutes; a value the user has set stays.
    for name, value in {"MAX_RETRIES": "1", "TIMEOUT": "10", "BACKOFF_FACTOR": "1"}.items():
        os.environ.setdefault(f"MLFLOW_HTTP_REQUEST_{name}", value)
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    prepare(root)
    from mlflow import MlflowClient

    _quiet()
    with told(root):
        return MlflowClient(tracking_uri=uri(root), registry_uri=uri(root))


def experiment(client: "MlflowClient", root: Path, *, create: bool = True) -> str | None:
    """The id of the project's experiment ($MLFLOW_EXPERIMENT_NAME or `snn5`); None where it is missing and not to be made."""
    from mlflow.exceptions import MlflowException

    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "").strip() or EXPERIMENT
    found = client.get_experiment_by_name(name)
    if found is None and create:
        database = _database(uri(root))
        place = None if database is None else (database.parent / "artifacts").as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=place))
        except MlflowException:  # somebody else made it in between
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found is not None and found.lifecycle_stage != "active":
        raise UserError(
            f"MLflow's experiment {name!r} is deleted; restore it with `mlflow experiments restore --experiment-id {found.experiment_id}` "
            f"and MLFLOW_TRACKING_URI={_shown(uri(root))}, or choose another name with MLFLOW_EXPERIMENT_NAME"
        )
    return None if found is None else str(found.experiment_id)


@contextmanager
def told(root: Path) -> Iterator[None]:
    """Turn what MLflow raises into what the user can do about it."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        where, reason = uri(root), " ".join(str(error).split())
        if "out-of-date database schema" in reason:
            raise UserError(f"{where} was made by another version of MLflow; run `mlflow db upgrade {where}`, {OFF}") from error
        if "Max retries exceeded" in reason:
            raise _silent(where, reason[:200]) from error
        raise UserError(f"MLflow at {_shown(where)}: {reason[:500]}; mend it, {OFF}") from error


def _create(database: Path) -> None:
    """Two processes that open a new database at once crash in its migrations: so it appears whole, under a lock."""
    if database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(database.with_name(database.name + ".lock")):
        if database.exists():
            return
        for stray in database.parent.glob(f".{database.name}.*.part*"):  # of a process that was killed here
            stray.unlink(missing_ok=True)
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        _quiet()
        with atomic_path(database) as temporary:
            disabled = logging.root.manager.disable
            logging.disable(logging.WARNING)  # fifty lines of migrations
            try:
                SqlAlchemyStore(f"sqlite:///{temporary}", (database.parent / "artifacts").as_uri()).engine.dispose()
            finally:
                logging.disable(disabled)


def _quiet() -> None:
    for name in ("alembic", "mlflow.store", "mlflow.tracking"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they log is raised as well


def _database(where: str) -> Path | None:
    return Path(where.removeprefix("sqlite:///")).absolute() if where.startswith("sqlite:///") else None


def _check_database(database: Path) -> None:
    if database.exists():
        try:
            with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=20)) as connection:
                connection.execute("SELECT count(*) FROM alembic_version").fetchone()
        except sqlite3.Error as error:
            raise UserError(f"{database} cannot be used ({error}); delete it, make it again with `snn5 track backfill`, {OFF}") from error
        place = database
    else:
        place = next(folder for folder in database.parents if folder.exists())
    if not os.access(place, os.W_OK):
        raise UserError(f"{place} is not writable; set MLFLOW_TRACKING_URI to another place, {OFF}")


def _check_server(where: str) -> None:
    parts = urlsplit(where)
    address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/") + "/health", "", ""))
    try:
        with urllib.request.urlopen(address, timeout=_ANSWER_S):
            pass
    except urllib.error.HTTPError as error:
        error.close()  # it answers; what it wants, MLflow knows
    except (OSError, ValueError) as error:
        raise _silent(where, str(getattr(error, "reason", error))) from error


def _silent(where: str, reason: str) -> UserError:
    parts = urlsplit(where)
    start = f"mlflow server --host {parts.hostname} --port {parts.port or 80}"
    return UserError(
        f"the tracking server {_shown(where)} does not answer ({reason}); start it with `{start}`, correct MLFLOW_TRACKING_URI, {OFF}"
    )


def _shown(where: str) -> str:
    """Without the password."""
    parts = urlsplit(where)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else where
