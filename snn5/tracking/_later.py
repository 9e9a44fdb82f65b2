"""Runs that whoever started the stages logs for them: importing MLflow and opening its database take a stage three seconds, them once."""

import os
from collections.abc import Collection
from pathlib import Path

from filelock import FileLock

from snn5.files import md5, read_json, write_json
from snn5.tracking._client import enabled
from snn5.tracking._log import git_tags, log_stage

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
        note = {"stage": name, "out": out.as_posix(), "started": started, "tags": git_tags(root), "md5": md5(root / out / "metrics.json")}
        write_json(root / NOTES / f"{name}.json", note)


def log_left(root: Path, *, but: Collection[str] = (), only: str | None = None) -> None:
    """Log the stages that left notes (or `only` one), `but` those that are still to run.

    A note goes when its run is complete, so that who is killed before that logs it next time, or when its outputs are no longer there. The
    next `make repro`, `snn5 track backfill` and a stage that needs the outputs all look for notes. Nothing with SNN5_TRACKING=off.

    Raises:
        UserError: see `log_stage`.
    """
    folder = root / NOTES
    if not enabled() or not folder.is_dir():
        return
    with FileLock(folder / "lock"):
        for path in sorted(folder.glob("*.json")):
            note = read_json(path)
            if note["stage"] in but or only not in (None, note["stage"]):
                continue
            record = root / note["out"] / "metrics.json"
            if record.is_file() and md5(record) == note["md5"]:
                log_stage(note["stage"], Path(note["out"]), root=root, started=note["started"], tags=note["tags"])
            path.unlink()
