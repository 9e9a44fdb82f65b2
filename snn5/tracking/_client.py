"""The way to MLflow: which server or database, made once, with errors that a user can act on."""

import logging
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from snn5.errors import UserError
from snn5.files import atomic_path
from snn5.tracking._reach import check_database, check_server, shown, told

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "snn5"  # one for all stages: MLflow compares runs within an experiment


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
        check_database(database)
    elif where.startswith(("http://", "https://")):
        check_server(where)


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
    for name, value in {"MAX_RETRIES": "2", "TIMEOUT": "30", "BACKOFF_FACTOR": "1"}.items():
        os.environ.setdefault(f"MLFLOW_HTTP_REQUEST_{name}", value)
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    prepare(root)
    from mlflow import MlflowClient

    _quiet()
    with told(uri(root)):
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
            f"and MLFLOW_TRACKING_URI={shown(uri(root))}, or choose another name with MLFLOW_EXPERIMENT_NAME"
        )
    return None if found is None else str(found.experiment_id)


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
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        _quiet()
        with atomic_path(database) as temporary:
            disabled = logging.root.manager.disable
            logging.disable(logging.WARNING)  # fifty lines of migrations
            event.listen(Engine, "connect", _unsynced)
            try:
                SqlAlchemyStore(f"sqlite:///{temporary}", (database.parent / "artifacts").as_uri()).engine.dispose()
            finally:
                event.remove(Engine, "connect", _unsynced)
                logging.disable(disabled)


def _unsynced(connection: sqlite3.Connection, record: object) -> None:
    """A hundred migrations without waiting for the disk each time; atomic_path waits once, at the end."""
    connection.execute("PRAGMA synchronous = OFF")


def _quiet() -> None:
    for name in ("alembic", "mlflow.store", "mlflow.tracking"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they log is raised as well


def _database(where: str) -> Path | None:
    return Path(where.removeprefix("sqlite:///")).absolute() if where.startswith("sqlite:///") else None
