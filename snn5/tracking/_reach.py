"""Whether MLflow can be reached, and what to say and do when not."""

import os
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from snn5.errors import UserError

OFF = "or switch tracking off with SNN5_TRACKING=off"

_ANSWER_S = 5.0


@contextmanager
def told(where: str) -> Iterator[None]:
    """Turn what MLflow at `where` raises into what the user can do about it."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = " ".join(str(error).split())
        if "out-of-date database schema" in reason:
            raise UserError(f"{shown(where)} was made by an older MLflow; run `mlflow db upgrade {shown(where)}`, {OFF}") from error
        if "Max retries exceeded" in reason:
            raise silent(where, reason[:200]) from error
        raise UserError(f"MLflow at {shown(where)}: {reason[:500]}; mend it, {OFF}") from error


def check_database(database: Path) -> None:
    """Raise UserError where the sqlite file (or the folder it is to lie in) cannot be used."""
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


def check_server(where: str) -> None:
    """Raise UserError where nothing answers at the URL `where` within five seconds."""
    parts = urlsplit(where)
    address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/") + "/health", "", ""))
    try:
        with urllib.request.urlopen(address, timeout=_ANSWER_S):
            pass
    except urllib.error.HTTPError as error:
        error.close()  # it answers; what it wants, MLflow knows
    except (OSError, ValueError) as error:
        raise silent(where, str(getattr(error, "reason", error))) from error


def silent(where: str, reason: str) -> UserError:
    """The error for a server that does not answer."""
    parts = urlsplit(where)
    start = f"mlflow server --host {parts.hostname} --port {parts.port or 80}"
    return UserError(
        f"the tracking server {shown(where)} does not answer ({reason}); start it with `{start}`, correct MLFLOW_TRACKING_URI, {OFF}"
    )


def shown(where: str) -> str:
    """Without the password."""
    parts = urlsplit(where)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else where
