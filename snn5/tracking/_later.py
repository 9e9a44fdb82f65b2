"""Runs that whoever started the stages logs for them: importing MLflow and opening its database take a stage three seconds, them once."""

import os
from collections.abc import Collection
from pathlib import Path

from snn5.files import read_json, write_json
from snn5.tracking._client import enabled
from snn5.tracking._log import log_stage

LATER = "SNN5_LOG_LATER"  # set by snn5.repro for its stages, by nobody else
NOTES = Path(".cache", "unlogged")


def leave_or_log(name: str, out: Path, *, root: Path, started: float) -> None:
    """Log the stage `name` (see `log_stage`), or leave a note for `log_left` where $SNN5_LOG_LATER is set.

    Args:
        started: when it began, seconds since the epoch.
    """
    if not os.environ.get(LATER):
        log_stage(name, out, root=root, started=started)
    elif enabled():
        write_json(root / NOTES / f"{name}.json", {"stage": name, "out": out.as_posix(), "started": started})


def log_left(root: Path, *, but: Collection[str] = ()) -> None:
    """Log the stages that left notes, `but` those that are still to run.

    A note goes when its run is complete: who is killed before that logs it next time.

    Raises:
        UserError: see `log_stage`.
    """
    for path in sorted((root / NOTES).glob("*.json")):
        note = read_json(path)
        if note["stage"] not in but:
            log_stage(note["stage"], Path(note["out"]), root=root, started=note["started"])
            path.unlink()
