"""Studies as a stage runs them: each in a process of its own, or several processes on each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from snn5.parallel import Tick, run_jobs
from snn5.tuning._storage import open_storage
from snn5.tuning._study import Budget, Values, finished, search
from snn5.tuning._workers import work


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One study: its fixed name, what a trial does, what may be spent, the point of trial 0, and what is better in each value."""

    name: str
    objective: Callable[[optuna.Trial], Values]
    budget: Budget
    first: dict[str, Any] | None = None
    goals: tuple[str, ...] = ("maximize",)


def run_plans(plans: Sequence[Plan], *, root: Path, seed: int, workers: int = 1, label: str = "trials") -> list[optuna.Study]:
    """Run every study until its budget is spent; one that was cut off goes on, a finished one is run anew.

    Args:
        root: the checkout, for the default storage (see `open_storage`) and the workers' lock files.
        workers: processes per study; 1 draws the same trials on every run, more of them do not (see `work`).
        label: of the progress bar.
    """
    folder = root / ".cache" / "optuna"

    def alone(plan: Plan, tick: Tick) -> None:
        given = {"name": plan.name, "storage": open_storage(root), "first": plan.first, "goals": plan.goals}
        search(plan.objective, budget=plan.budget, seed=seed, tick=tick, **given)

    def together(plan: Plan, tick: Tick) -> None:
        given = {"name": plan.name, "storage": open_storage(root), "first": plan.first, "goals": plan.goals}
        work(plan.objective, budget=plan.budget, seed=seed, lock=folder / f"{plan.name}.lock", tick=tick, **given)

    trials = max(plan.budget.trials for plan in plans)
    if workers == 1:
        run_jobs(alone, plans, label=label, total=trials)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        storage = open_storage(root)
        for plan in plans:
            if len(finished(plan.name, storage)) >= plan.budget.trials:
                optuna.delete_study(study_name=plan.name, storage=storage)
        jobs = [plan for plan in plans for _ in range(workers)]
        run_jobs(together, jobs, label=label, total=-(-trials // workers))
    return [optuna.load_study(study_name=plan.name, storage=open_storage(root)) for plan in plans]
