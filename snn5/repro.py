"""The roadmap with its stages side by side: `python -m snn5.repro`, or `make repro`.

It does what `dvc repro` does, with the same results to the last byte. DVC runs one stage after the other: of three seeds on two cores one
runs alone, and while a stage starts or ends, nothing else does. Here a stage runs (`dvc repro --single-item`; DVC's own locks keep the
processes apart) as soon as those it reads from are done, as many at once as there are cores for; first what the end waits longest for.

A stage's output goes to .cache/repro/STAGE.log. If one fails, those that run come to their end, no other begins, and its last lines are
shown. Interrupted or failed, the same command goes on where it was. On a machine with a GPU one stage runs at a time.
"""

import argparse
import os
import sys
from pathlib import Path

from snn5 import _dvc, tracking
from snn5._dvc import Graph, read_graph
from snn5._processes import ends_in_order
from snn5._side_by_side import leave, side_by_side, tell
from snn5.errors import UserError
from snn5.files import find_root
from snn5.recover import recover

GPU = Path("/dev/nvidiactl")
USUAL_SECONDS = 30.0  # of a stage whose meta in dvc.yaml has no other
MOST_WORKERS = 3  # of a stage: as many as it usually has seeds


def shares(cores: int, wanted: str = "", *, gpu: bool = False) -> tuple[int, dict[str, str]]:
    """How many stages run at once, and the environment of each.

    Args:
        wanted: processes of a stage as $SNN5_WORKERS has it; empty: half of the cores, three at most.

    Raises:
        UserError: `wanted` is no whole number of at least 1.

    >>> [shares(cores) for cores in (1, 2, 16)]
    [(1, {'SNN5_WORKERS': '1'}), (2, {'SNN5_WORKERS': '1'}), (5, {'SNN5_WORKERS': '3'})]
    """
    if wanted and not (wanted.isdecimal() and int(wanted) >= 1):
        raise UserError(f"SNN5_WORKERS={wanted!r}; need a whole number of at least 1, or unset it")
    if gpu:
        return 1, {}
    workers = int(wanted) if wanted else max(1, min(MOST_WORKERS, cores // 2))
    return max(1, cores // workers), {"SNN5_WORKERS": str(workers)}


def out_of_date(graph: Graph) -> list[str]:
    """The stages whose inputs or outputs have changed and all that read from them, those first whose longest way to the end is longest.

    way(s) = seconds(s) + max(way(r) for r that read from s)
    """
    way: dict[str, float] = {}
    readers: dict[str, list[str]] = {stage: [] for stage in graph.parents}
    for stage in reversed(graph.parents):
        way[stage] = graph.seconds.get(stage, USUAL_SECONDS) + max((way[r] for r in readers[stage]), default=0.0)
        for parent in graph.parents[stage]:
            readers[parent].append(stage)
    todo = _dvc.changed()
    for stage in graph.parents:  # parents first
        if todo.intersection(graph.parents[stage]):
            todo.add(stage)
    return sorted((stage for stage in graph.parents if stage in todo), key=lambda stage: -way[stage])


def main(at_once: int | None = None) -> None:
    """Everything that is out of date.

    Raises:
        UserError: `at_once` below 1, or what `recover` and DVC refuse. StageFailed: see `side_by_side`.
    """
    if at_once is not None and at_once < 1:
        raise UserError(f"--at-once {at_once}; need at least 1 stage")
    root = find_root()
    os.chdir(root)
    for line in recover(root):
        tell(line)
    graph = read_graph()
    todo = out_of_date(graph)
    tracking.log_left(root, but=todo)  # of a run that was killed
    if not todo:
        return tell("Data and pipelines are up to date.")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    usual, extra = shares(cores, os.environ.get("SNN5_WORKERS", "").strip(), gpu=GPU.exists())
    try:
        side_by_side(graph, todo, at_once or usual, extra)
    finally:
        _dvc.put_lock_in_order()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--at-once", type=int, help="stages at once; default: as many as there are cores for. Fewer need less memory")
    asked = parser.parse_args()
    with ends_in_order():
        try:
            main(asked.at_once)
        except UserError as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:  # before the first stage or after the last
            leave()
