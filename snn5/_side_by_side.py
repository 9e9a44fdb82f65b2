"""Stages side by side: each a `dvc repro --single-item` of its own, as soon as those it reads from are done."""

import os
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from snn5 import _dvc, tracking
from snn5._dvc import Graph, Outcome, StageFailed, outcome_of
from snn5.errors import UserError
from snn5.files import find_root

LOGS = Path(".cache/repro")
BUSY_S, TRIES = 5.0, 60  # another dvc, of a flow, say, works on the same stage


def side_by_side(graph: Graph, todo: list[str], at_once: int, extra: dict[str, str]) -> None:
    """Run `todo`, each after those of it that it reads from.

    Their runs are logged here, one after the other.

    Raises:
        StageFailed: one failed; no other runs any more. UserError: MLflow does not work.
    """
    root, extra = find_root(), {**extra, tracking.LATER: "1"}
    left, done, running, begin = list(todo), set(graph.parents) - set(todo), dict[Future[Outcome], str](), time.monotonic()
    failed: list[UserError] = []
    LOGS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(at_once) as pool:
        try:
            while running or (left and not failed):
                ready = [] if failed else [stage for stage in left if done.issuperset(graph.parents[stage])]
                for stage in ready[: at_once - len(running)]:
                    left.remove(stage)
                    running[pool.submit(_one, stage, extra)] = stage
                    tell(f"{_since(begin)} {stage} ...")
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    stage = running.pop(future)
                    try:
                        outcome = future.result()
                        tracking.log_left(root, but=set(todo) - done - {stage})
                    except UserError as error:
                        failed.append(error)
                        what = f"FAILED, see {log_of(stage)}" if isinstance(error, StageFailed) else "is done, but not logged"
                        tell(f"{_since(begin)} {stage} {what}; still running: {', '.join(running.values()) or 'none'}")
                        continue
                    done.add(stage)
                    tell(f"{_since(begin)} {stage}: {outcome} ({len(todo) - len(left) - len(running)} of {len(todo)})")
        except (KeyboardInterrupt, SystemExit):
            leave()
    if failed:
        raise failed[0]


def _one(stage: str, extra: dict[str, str]) -> Outcome:
    """Bring one stage up to date."""
    found: dict[str, Outcome] = {}
    with log_of(stage).open("w", encoding="utf-8", buffering=1) as log:

        def show(line: str) -> None:
            log.write(f"{line}\n")
            found.update(outcome_of(line))

        for attempt in range(TRIES):
            try:
                _dvc.run("--wait-for-lock", "repro", "--single-item", stage, show=show, extra=extra)
                break
            except StageFailed as error:
                if not error.busy or attempt == TRIES - 1:
                    raise
                time.sleep(BUSY_S)
    return found.get(stage, "unchanged")


def log_of(stage: str) -> Path:
    """Where a stage's output goes."""
    return LOGS / f"{stage.replace('/', '_')}.log"


def tell(text: str) -> None:
    """A line of progress."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _since(begin: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - begin), 60)
    return f"{minutes:3d}:{seconds:02d}"


def leave() -> None:
    """End at once: the guards of the stages' processes end them when we are gone; the threads would wait for the stages."""
    sys.stderr.write("interrupted; the same command goes on where it was\n")
    sys.stderr.flush()
    os._exit(130)
