"""Several processes on one study: exactly the budget, and no trial lost when they are killed."""

import multiprocessing
import os
import signal
import subprocess
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from snn5.tuning import Budget, open_storage, reclaim, work
from snn5.tuning import _workers as workers_module

BUDGET = Budget(trials=6, max_epochs=3)


def toy(trial: optuna.Trial) -> float:
    return 1 - trial.suggest_float("x", -1.0, 1.0) ** 2


def run(storage: Any, tmp_path: Path, objective: Any = toy, **more: Any) -> optuna.Study:
    return work(objective, name="s", storage=storage, budget=BUDGET, seed=5, lock=tmp_path / "lock", **more)


def worker(url: str, folder: Path) -> None:
    """One process's work: slow while the file `slow` is there, so that it can be killed in the middle of a trial."""

    def objective(trial: optuna.Trial) -> float:
        value = toy(trial)
        if (folder / "slow").exists():
            (folder / f"at-work-{os.getpid()}").touch()
            time.sleep(60)
        return value

    run(open_storage(folder, url), folder, objective)


def start(url: str, folder: Path) -> BaseProcess:
    """A fresh process: what other tests left in this one is none of its business."""
    process = multiprocessing.get_context("spawn").Process(target=worker, args=(url, folder))
    process.start()
    return process


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise TimeoutError(path)


def states(study: optuna.Study) -> list[TrialState]:
    return [t.state for t in study.get_trials()]


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_two_workers_killed_and_restarted_lose_no_trial(tmp_path: Path, kind: str) -> None:
    """Each of the two is killed in the middle of a trial; what two new ones leave is the whole budget, with the two points in it."""
    url = f"sqlite:///{tmp_path}/s.db" if kind == "sqlite" else f"journal://{tmp_path}/s.log"
    open_storage(tmp_path, url)  # two fresh sqlite files at once is open_storage's own test
    (tmp_path / "slow").touch()
    killed = [start(url, tmp_path) for _ in range(2)]
    for process in killed:  # both, before the first dies: a worker that starts later would take its trial over
        wait_for(tmp_path / f"at-work-{process.pid}")
    for process in killed:
        process.kill()
    for process in killed:
        process.join(20)
        assert process.exitcode == -signal.SIGKILL
    (tmp_path / "slow").unlink()
    study = optuna.load_study(study_name="s", storage=open_storage(tmp_path, url))
    assert states(study) == [TrialState.RUNNING] * 2
    points = [t.params for t in study.get_trials()]

    again = [start(url, tmp_path) for _ in range(2)]
    for process in again:
        process.join(60)
    assert [process.exitcode for process in again] == [0, 0]
    trials = optuna.load_study(study_name="s", storage=open_storage(tmp_path, url)).get_trials()
    done = [t for t in trials if t.state is TrialState.COMPLETE]
    assert [t.state for t in trials[:2]] == [TrialState.FAIL] * 2 and len(trials) == 8 and len(done) == 6
    retried = {t.user_attrs["retry_of"]: t.params for t in done if "retry_of" in t.user_attrs}
    assert retried == {0: points[0], 1: points[1]}
    assert len({t.user_attrs["worker"][1] for t in trials}) >= 3


def test_one_worker_alone_does_the_whole_budget_once(tmp_path: Path) -> None:
    storage, ticks = InMemoryStorage(), []
    study = run(storage, tmp_path, first={"x": -0.5}, tick=lambda: ticks.append(1))
    assert states(study) == [TrialState.COMPLETE] * 6 and len(ticks) == 6
    assert study.get_trials()[0].params == {"x": -0.5}
    assert len({t.params["x"] for t in study.get_trials()}) == 6
    run(storage, tmp_path, first={"x": -0.5})  # nothing is left
    assert len(study.get_trials()) == 6


def test_trials_in_others_hands_count(tmp_path: Path) -> None:
    """Five finished, one running in a process that lives: nothing to take. That process gone: taken over."""
    storage = InMemoryStorage()
    study = optuna.create_study(study_name="s", storage=storage, direction="maximize")
    for _ in range(5):
        study.add_trial(optuna.trial.create_trial(value=0.5, state=TrialState.COMPLETE))
    other = subprocess.Popen(["sleep", "60"])
    running = study.ask()
    running.suggest_float("x", 0.0, 1.0)
    running.set_user_attr("worker", [os.uname().nodename, other.pid, workers_module.psutil.Process(other.pid).create_time()])
    try:
        run(storage, tmp_path)
        assert len(study.get_trials()) == 6 and reclaim(study) == []
    finally:
        other.kill()
        other.wait()
    run(storage, tmp_path)
    assert states(study) == [TrialState.COMPLETE] * 5 + [TrialState.FAIL, TrialState.COMPLETE]
    assert study.get_trials()[6].params == study.get_trials()[5].params


def test_a_process_number_used_again_is_another_process_and_another_host_is_left_alone(tmp_path: Path) -> None:
    study = optuna.create_study(direction="maximize")
    own = workers_module.psutil.Process()
    for host, start_s in ((os.uname().nodename, own.create_time()), (os.uname().nodename, own.create_time() - 100), ("elsewhere", 0.0)):
        study.ask().set_user_attr("worker", [host, own.pid, start_s])
    assert reclaim(study) == [1]
    assert states(study) == [TrialState.RUNNING, TrialState.FAIL, TrialState.RUNNING, TrialState.WAITING]


def test_an_interrupted_trial_goes_back_and_a_broken_one_does_not(tmp_path: Path) -> None:
    storage = InMemoryStorage()

    def breaks(error: BaseException) -> Any:
        def objective(trial: optuna.Trial) -> float:
            trial.suggest_float("x", -1.0, 1.0)
            raise error

        return objective

    with pytest.raises(KeyboardInterrupt):
        run(storage, tmp_path, breaks(KeyboardInterrupt()))
    with pytest.raises(ZeroDivisionError):
        run(storage, tmp_path, breaks(ZeroDivisionError()))
    study = run(storage, tmp_path)
    assert states(study) == [TrialState.FAIL] * 2 + [TrialState.COMPLETE] * 6
    assert [t.user_attrs.get("retry_of") for t in study.get_trials()[:3]] == [None, 0, None]


def test_pruned_trials_count(tmp_path: Path) -> None:
    def half(trial: optuna.Trial) -> float:
        if trial.number % 2:
            raise optuna.TrialPruned
        return toy(trial)

    assert states(run(InMemoryStorage(), tmp_path, half)) == [TrialState.COMPLETE, TrialState.PRUNED] * 3


def test_several_goals(tmp_path: Path) -> None:
    study = run(InMemoryStorage(), tmp_path, lambda trial: (toy(trial), trial.number), goals=("maximize", "minimize"))
    assert all(len(t.values) == 2 for t in study.get_trials()) and len(study.get_trials()) == 6


def test_it_waits_for_the_lock(tmp_path: Path) -> None:
    """Whoever holds the lock counts alone."""
    with workers_module.FileLock(tmp_path / "lock"):
        process = start(f"journal://{tmp_path}/s.log", tmp_path)
        process.join(0.3)
        assert process.exitcode is None
    process.join(60)
    assert process.exitcode == 0
