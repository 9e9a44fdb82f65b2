"""What every phase's flow does: check or rebuild what it stands on, bring its stages up to date one task each, report."""

import logging
import time
from typing import Literal, TypedDict

from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from flows._dvc import repro, stale
from flows._summary import Targets, write_summary
from snn5._dvc import StageFailed, read_graph
from snn5.errors import UserError
from snn5.files import find_root
from snn5.recover import recover

Upstream = Literal["check", "rebuild"]


def _plainly(record: logging.LogRecord) -> bool:
    """What the user can mend is logged as its message, without the traceback through Prefect."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, UserError):
        record.msg, record.args, record.exc_info, record.exc_text = "%s", (error,), None, None
    return True


logging.getLogger("prefect.flow_runs").addFilter(_plainly)


class Row(TypedDict):
    """A line of the table of stages; a stage that ran only for the sake of another has no seconds of its own."""

    stage: str
    outcome: str
    seconds: str


def run_phase(phase: str, upstream: Upstream, force: bool, targets: Targets | None = None) -> dict[str, str]:
    """Bring the stages of `phase` up to date inside the flow that calls this.

    Args:
        phase: the prefix of its stages in dvc.yaml (`p1`).
        upstream: a stage of another phase that this one depends on is out of date: "check" fails and names it, "rebuild" runs it.
        force: run the stages of this phase, and only these, even if they are up to date.
        targets: what the roadmap demands of a metric: {"test/acc": (">=", 0.95)}.

    Returns:
        Each stage that DVC looked at and what became of it.

    Raises:
        UserError: dvc.yaml has no such stage, or stages of other phases are out of date and must not be rebuilt.
        StageFailed: a stage failed; those after it did not run.
    """
    log = get_run_logger()
    for line in recover(find_root()):
        log.warning("%s", line)
    graph = read_graph()
    own = graph.stages(phase)
    if not own:
        raise UserError(f"dvc.yaml has no stage {phase}_...; it has {', '.join(graph.parents) or 'none at all'}")
    others = graph.before(own)
    if upstream == "check" and (old := stale(others)):
        raise UserError(
            f"{phase} depends on {len(old)} stage{'s' * (len(old) > 1)} whose results are out of date: {', '.join(old)}; "
            f"run the phases they belong to, or choose upstream=rebuild (`snn5 run {phase} --upstream rebuild`)"
        )
    direct = [stage for stage in others if any(stage in graph.parents[mine] for mine in own)]
    return run_stages(phase, own, targets=targets, first=direct if upstream == "rebuild" else [], force=force)


def run_stages(
    key: str, stages: list[str], *, targets: Targets | None = None, first: list[str] | None = None, force: bool = False
) -> dict[str, str]:
    """Bring `first`, then `stages` up to date, one task each; report as artifacts `<key>-progress`, `<key>-stages`, `<key>-summary`."""
    todo = [(stage, False) for stage in first or []] + [(stage, force) for stage in stages]
    rows: dict[str, Row] = {}
    progress = create_progress_artifact(progress=0.0, key=f"{key}-progress", description=f"0 of {len(todo)} stages")
    for done, (stage, forced) in enumerate(todo, start=1):
        begin = time.monotonic()
        try:
            outcomes = repro(stage, forced)
        except StageFailed:
            rows[stage] = Row(stage=stage, outcome="failed", seconds=_since(begin))
            _write_table(key, rows)
            raise
        for name, outcome in outcomes.items():
            if name != stage and outcome != "unchanged":
                rows[name] = Row(stage=name, outcome=outcome, seconds="")
        # A stage that ran for the sake of another is met again, unchanged: what counts is that it ran.
        rows.setdefault(stage, Row(stage=stage, outcome=outcomes.get(stage, "unchanged"), seconds=_since(begin)))
        update_progress_artifact(progress, progress=100.0 * done / len(todo), description=f"{done} of {len(todo)} stages")
    _write_table(key, rows)
    write_summary(key, stages, targets or {})
    return {name: row["outcome"] for name, row in rows.items()}


def _since(begin: float) -> str:
    return f"{time.monotonic() - begin:.1f}"


def _write_table(key: str, rows: dict[str, Row]) -> None:
    create_table_artifact(
        [dict(row) for row in rows.values()], key=f"{key}-stages", description="What became of each stage; seconds include DVC's own."
    )
