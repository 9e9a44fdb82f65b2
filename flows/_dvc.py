"""The one place that starts DVC: each call is a child process group that ends with its flow."""

import json
import os
import re
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Literal

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from snn5._processes import Child
from snn5.errors import UserError
from snn5.files import find_root

Outcome = Literal["ran", "cached", "unchanged"]

TAIL = 15  # lines of a failed stage that the error repeats

_EVENTS: dict[Outcome, re.Pattern[str]] = {
    "ran": re.compile(r"^Running stage '(.+)':$"),
    "cached": re.compile(r"^Stage '(.+)' is cached - skipping run"),
    "unchanged": re.compile(r"^Stage '(.+)' didn't change, skipping$"),
}
_EDGE = re.compile(r'^(?:"([^"]+)" -> )?"([^"]+)";$')
_BUSY = re.compile(r"Unable to acquire lock|is busy, it is being blocked by")


class StageFailed(UserError):
    """A DVC command failed; `tail` holds its last lines, `busy` says that another DVC process held the lock."""

    def __init__(self, command: str, status: int, tail: list[str]) -> None:
        super().__init__(command, status, tail)
        self.tail = tail
        self.busy = any(_BUSY.search(line) for line in tail)

    def __str__(self) -> str:
        command, status, tail = self.args
        return "\n".join([f"`{command}` failed with exit status {status}; its last lines:", *(f"  {line}" for line in tail)])


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The pipeline as dvc.yaml declares it: stage -> the stages it reads from, in an order that has these first."""

    parents: dict[str, list[str]]

    def stages(self, prefix: str) -> list[str]:
        """The stages of the phase `prefix` (`p1` -> p1_..., p1_...@...), each after those it reads from."""
        return [stage for stage in self.parents if stage.startswith(f"{prefix}_")]

    def before(self, stages: list[str]) -> list[str]:
        """All stages that `stages` depend on, themselves left out."""
        found: set[str] = set()
        todo = list(stages)
        while todo:
            new = set(self.parents[todo.pop()]) - found
            found |= new
            todo.extend(new)
        return [stage for stage in self.parents if stage in found and stage not in stages]


def read_graph() -> Graph:
    """Ask DVC for the pipeline (`dvc dag` has the names of `dvc stage list` and what depends on what)."""
    parents: dict[str, list[str]] = {}
    for line in _ask("dag", "--dot"):
        if match := _EDGE.match(line):
            reads, stage = match.groups()
            parents.setdefault(stage, []).extend([reads] if reads else [])
    return Graph(parents={stage: parents[stage] for stage in TopologicalSorter(parents).static_order()})


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
    status = json.loads(next(line for line in reversed(_ask("status", "--json", *stages)) if line.startswith("{")))
    return [stage for stage in stages if stage in status]


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
        for outcome, pattern in _EVENTS.items():
            if match := pattern.match(line):
                outcomes[match[1]] = outcome

    _run("repro", *(["--force", "--single-item"] if force else []), stage, show=show)
    return outcomes


def _ask(*arguments: str) -> list[str]:
    lines: list[str] = []
    _run(*arguments, show=lines.append)
    return lines


def _run(*arguments: str, show: Callable[[str], None]) -> None:
    tail: deque[str] = deque(maxlen=TAIL)
    child = Child([sys.executable, "-m", "dvc", *arguments], cwd=find_root(), env=_environment())
    try:
        for line in child.lines:
            if line := line.rstrip():
                tail.append(line)
                show(line)
        status = child.wait()
    finally:
        child.stop()
    if status:
        raise StageFailed(f"dvc {' '.join(arguments)}", status, list(tail))


def _environment() -> dict[str, str]:
    """The stage's `python` is ours, its lines come as they are printed, and its tracking run learns which flow run triggered it."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    extra = {"PATH": path, "PYTHONUNBUFFERED": "1"}
    if flow_run.id:
        extra["SNN5_TRIGGER"] = str(flow_run.id)
    return {**os.environ, **extra}
