"""Several processes on one study: each takes the next trial until enough are finished, and takes over what a killed one left behind.

Who works on a trial is written into it (host, process, the process's start), so that a trial whose process is gone can be told from one
that takes long, in any storage that Optuna has: journal file, sqlite, a database server. Trials of other hosts are left to workers there.
The order in which trials end decides what is drawn next, so unlike `search` this draws other points on every run.
"""

import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
import psutil
from filelock import FileLock
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from snn5.tuning._study import DONE, Budget, Values, create, sampler

_WORKER, _RETRY = "worker", "retry_of"


def work(
    objective: Callable[[optuna.Trial], Values],
    *,
    name: str,
    storage: BaseStorage,
    budget: Budget,
    seed: int,
    lock: Path,
    first: dict[str, Any] | None = None,
    goals: Sequence[str] = ("maximize",),
    tick: Callable[[], None] = lambda: None,
) -> optuna.Study:
    """Take trials of the study until none is left to be taken. Start as many processes of it as there are cores, on as many hosts.

    Args:
        objective, name, storage, budget, first, goals, tick: see `search`; whoever comes first makes the study.
        seed: of this trial's draw together with its number.
        lock: a file; workers with the same file never start one trial more than the budget has. Hosts that share none may, by one each.

    Returns:
        The study; others may still be at work on its last trials.
    """
    with FileLock(lock):
        study = create(name, storage, budget, goals, join=True)
        if first is not None and not study.get_trials(deepcopy=False):
            study.enqueue_trial(first)
    while (trial := _take(study, budget, seed, lock)) is not None:
        try:
            value = objective(trial)
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        except (KeyboardInterrupt, SystemExit):
            _give_back(study, trial.number, trial.params)
            raise
        except Exception:
            study.tell(trial, state=TrialState.FAIL)
            raise
        else:
            study.tell(trial, value)
        tick()
    return study


def reclaim(study: optuna.Study) -> list[int]:
    """Fail every running trial of this host whose process is gone, and put its point back in the queue; their numbers."""
    found = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        host, pid, start = (trial.user_attrs.get(_WORKER) or ["", 0, 0.0])[:3]
        if host == platform.node() and not _lives(pid, start):
            _give_back(study, trial.number, trial.params)
            found.append(trial.number)
    return found


def _give_back(study: optuna.Study, number: int, params: dict[str, Any]) -> None:
    study.tell(number, state=TrialState.FAIL)
    study.enqueue_trial(params, user_attrs={_RETRY: number})


def _take(study: optuna.Study, budget: Budget, seed: int, lock: Path) -> optuna.Trial | None:
    """The next trial, marked with this process; None where the budget is spent or in others' hands."""
    with FileLock(lock):
        reclaim(study)
        trials = study.get_trials(deepcopy=False)
        taken = sum(t.state in (*DONE, TrialState.RUNNING) for t in trials)
        if taken >= budget.trials:
            return None
        study.sampler = sampler(seed + len(trials))
        trial = study.ask()
        trial.set_user_attr(_WORKER, [platform.node(), os.getpid(), psutil.Process().create_time()])
        return trial


def _lives(pid: int, start: float) -> bool:
    """Whether the process is there and is no later one with its number."""
    try:
        process = psutil.Process(pid)
        return process.create_time() == start and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
