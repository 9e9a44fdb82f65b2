"""The one place that starts DVC: each call is a child process group that ends with its parent."""

import json
import os
import re
import sys
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Literal

import yaml

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
    """The pipeline as dvc.yaml declares it.

    Attributes:
        parents: stage -> the stages it reads from, in an order that has these first.
        seconds: what a stage takes on a core, roughly, of those whose `meta` says so: only for the order in which stages begin.
    """

    parents: dict[str, list[str]]
    seconds: dict[str, float] = field(default_factory=dict)

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
    """Ask DVC for the pipeline (`dvc dag` has the names of `dvc stage list` and what depends on what); `meta` only dvc.yaml has."""
    parents: dict[str, list[str]] = {}
    for line in ask("dag", "--dot"):
        if match := _EDGE.match(line):
            reads, stage = match.groups()
            parents.setdefault(stage, []).extend([reads] if reads else [])
    declared = yaml.safe_load((find_root() / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    told = {stage: (declared.get(stage.split("@")[0], {}).get("meta") or {}).get("seconds") for stage in parents}
    seconds = {stage: float(value) for stage, value in told.items() if isinstance(value, int | float)}
    return Graph(parents={stage: parents[stage] for stage in TopologicalSorter(parents).static_order()}, seconds=seconds)


def changed(*stages: str) -> set[str]:
    """Those of `stages` (default: all) whose outputs do not belong to their present inputs; what reads from them is not followed."""
    return set(json.loads(next(line for line in reversed(ask("status", "--json", *stages)) if line.startswith("{"))))


def put_lock_in_order() -> None:
    """Sort dvc.lock as one `dvc repro` from nothing would have written it: DVC appends a new stage when it ends, and side by side that is
    chance."""
    from dvc.repo import Repo
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
    from dvc.utils.serialize import modify_yaml

    root = find_root()
    if not (root / "dvc.lock").is_file():
        return
    with warnings.catch_warnings(), Repo(str(root), _wait_for_lock=True) as repo, repo.lock:
        warnings.simplefilter("ignore", DeprecationWarning)  # DVC's, about what it calls
        order = [stage.addressing for stage in plan_repro(get_active_graph(repo.index.graph), collect_stages(repo, ["dvc.yaml"]))]
        with modify_yaml(str(root / "dvc.lock")) as lock:
            stages, place = lock.get("stages") or {}, {name: i for i, name in enumerate(order)}
            for name in sorted(stages, key=lambda name: place.get(name, len(place))):
                stages[name] = stages.pop(name)


def outcome_of(line: str) -> dict[str, Outcome]:
    """What a line of DVC's says about a stage: its name and what became of it; empty for other lines."""
    return {match[1]: outcome for outcome, pattern in _EVENTS.items() if (match := pattern.match(line))}


def ask(*arguments: str) -> list[str]:
    """The lines that `dvc arguments...` prints."""
    lines: list[str] = []
    run("--wait-for-lock", *arguments, show=lines.append)
    return lines


def run(*arguments: str, show: Callable[[str], None], extra: Mapping[str, str] | None = None) -> None:
    """Run `dvc arguments...` in the project; `show` gets each line that is not empty.

    Args:
        extra: environment variables beside ours.

    Raises:
        StageFailed: with the last lines of the output.
    """
    tail: deque[str] = deque(maxlen=TAIL)
    child = Child([sys.executable, "-m", "dvc", *arguments], cwd=find_root(), env=environment(extra or {}))
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


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The stage's `python` is ours, and its lines come as they are printed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **extra}
