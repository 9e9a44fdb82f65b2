"""DVC as Prefect tasks."""

from collections.abc import Callable
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from snn5 import _dvc
from snn5._dvc import Outcome, StageFailed, outcome_of


def _heals(task: Any, run: Any, state: Any) -> bool:
    """Retry only what time heals: another DVC process held the lock. A failing training fails again."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, StageFailed) and error.busy


_TASK: dict[str, Any] = {
    "cache_policy": NO_CACHE,  # DVC is the only cache
    "persist_result": False,
    "retries": 3,
    "retry_delay_seconds": [5, 20, 60],
    "retry_condition_fn": _heals,
}


@task(name="dvc status", **_TASK)
def stale(stages: list[str]) -> list[str]:
    """Those of `stages` whose outputs do not belong to their present inputs, in the given order."""
    if not stages:
        return []
    found = _dvc.changed(*stages)
    return [stage for stage in stages if stage in found]


@task(name="dvc repro", task_run_name="{stage}", **_TASK)
def repro(stage: str, force: bool = False) -> dict[str, Outcome]:
    """Bring `stage` and all it depends on up to date.

    Args:
        stage: a name from dvc.yaml.
        force: run `stage`, and nothing else, even if it is up to date. Only for a caller who knows that all it depends on is up to date:
            DVC does not look then (--single-item, its only way to force one stage without forcing all before it).

    Returns:
        Every stage that DVC mentioned and what became of it.

    Raises:
        StageFailed: with the last lines of the output.
    """
    log = get_run_logger()
    outcomes: dict[str, Outcome] = {}

    def show(line: str) -> None:
        log.info("%s", line)
        outcomes.update(outcome_of(line))

    _run("repro", *(["--force", "--single-item"] if force else []), stage, show=show)
    return outcomes


def _run(*arguments: str, show: Callable[[str], None]) -> None:
    """The stage's tracking run learns which flow run triggered it."""
    _dvc.run(*arguments, show=show, extra={"SNN5_TRIGGER": str(flow_run.id)} if flow_run.id else {})
