"""The roadmap with its stages side by side: `python -m snn5.repro`, or `make repro`.

It does what `dvc repro` does, with the same results to the last byte. DVC runs one stage after the other; a stage with three seeds leaves
one of two cores idle for a quarter of its time, and every start and end of one leaves all but one idle. Here a stage runs (`dvc repro
--single-item`, DVC's own locks keep the processes apart) as soon as those it reads from are done, as many at once as there are cores for.
First come the stages that most others wait for.

A stage's output goes to .cache/repro/STAGE.log. If one fails, its last lines are shown, those that run are stopped, and no other begins;
given again, the command goes on where they were.
"""

import json
import os
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from snn5 import _dvc
from snn5._dvc import Graph, Outcome, outcome_of, read_graph
from snn5._processes import Child, ends_in_order
from snn5.errors import UserError
from snn5.files import find_root

LOGS, SEEDS = Path(".cache/repro"), 3  # a stage has work for as many processes as there are seeds


def shares(cores: int) -> tuple[int, int]:
    """Stages at once, and processes of each.

    >>> [shares(cores) for cores in (1, 2, 4, 16)]
    [(1, 1), (2, 1), (2, 2), (5, 3)]
    """
    workers = max(1, min(SEEDS, cores // 2))
    return cores // workers, workers


def out_of_date(graph: Graph) -> list[str]:
    """The stages whose inputs or outputs have changed and all that read from them, those first that most others wait for."""
    changed = set(json.loads(next(line for line in reversed(_dvc.ask("status", "--json")) if line.startswith("{"))))
    after: dict[str, set[str]] = {stage: set() for stage in graph.parents}
    for stage in reversed(graph.parents):
        for parent in graph.parents[stage]:
            after[parent] |= {stage} | after[stage]
    todo = changed.union(*(after[stage] for stage in changed)) if changed else set()
    return sorted((stage for stage in graph.parents if stage in todo), key=lambda stage: -len(after[stage]))


def side_by_side(graph: Graph, todo: list[str], *, at_once: int, workers: int) -> None:
    """Run `todo`, each after those of it that it reads from.

    Raises:
        StageFailed: the first that failed.
    """
    left, done, running, begin = list(todo), set(graph.parents) - set(todo), dict[Future[str], str](), time.monotonic()
    children: list[Child] = []

    def one(stage: str) -> str:
        found: dict[str, Outcome] = {}
        with (LOGS / f"{stage}.log").open("w", encoding="utf-8", buffering=1) as log:

            def show(line: str) -> None:
                log.write(f"{line}\n")
                found.update(outcome_of(line))

            extra = {"SNN5_WORKERS": os.environ.get("SNN5_WORKERS", str(workers))}
            _dvc.run("--wait-for-lock", "repro", "--single-item", stage, show=show, extra=extra, begun=children.append)
        return found.get(stage, "unchanged")

    with ThreadPoolExecutor(at_once) as pool:
        try:
            while left or running:
                for stage in [s for s in left if done.issuperset(graph.parents[s])][: at_once - len(running)]:
                    left.remove(stage)
                    running[pool.submit(one, stage)] = stage
                    tell(f"{_since(begin)} {stage} ...")
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    stage = running.pop(future)
                    outcome = future.result()
                    done.add(stage)
                    tell(f"{_since(begin)} {stage}: {outcome} ({len(todo) - len(left) - len(running)} of {len(todo)})")
        finally:
            for child in children if running else ():
                child.stop()


def main() -> None:
    """Everything that is out of date."""
    os.chdir(find_root())
    LOGS.mkdir(parents=True, exist_ok=True)
    graph = read_graph()
    todo = out_of_date(graph)
    if not todo:
        return tell("Data and pipelines are up to date.")
    at_once, workers = shares(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    side_by_side(graph, todo, at_once=at_once, workers=workers)


def tell(text: str) -> None:
    """A line of progress."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _since(begin: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - begin), 60)
    return f"{minutes:3d}:{seconds:02d}"


if __name__ == "__main__":
    with ends_in_order():
        try:
            main()
        except UserError as error:
            sys.exit(f"error: {error}")
