"""An Optuna study whose trials are the same on every run, and which goes on where a killed one stopped.

Each trial's sampler is seeded by the trial's number, so what trial k draws depends on the trials before it and on nothing else.
Asynchronous successive halving (ASHA) stops trials: one goes on past 2, 2 eta, 2 eta^2 ... epochs only if its accuracy there is among the
best 1/eta of all trials that have come so far (the best, of fewer than 2 eta). Not after the first epoch, which is the warm-up's: on
digits that lost the best points, 97.0 % on validation instead of 98.5. Not Hyperband: nearly half of its trials are in brackets that stop
them late or never, so that a dozen trials seldom save half of the epochs, and TPE learns within a bracket only.
Source: Akiba et al. 2019 (Optuna), Li et al. 2020 (ASHA), arXiv 1810.05934.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from snn5.errors import UserError

FIRST_RUNG = 2  # epochs
STARTUP_TRIALS = 5  # drawn at random before TPE has anything to go by
DONE = (TrialState.COMPLETE, TrialState.PRUNED)
Values = float | tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much a study may spend: trials, epochs of a full trial, ASHA's eta; without `prune` all trials are full."""

    trials: int
    max_epochs: int
    reduction_factor: int = 3
    prune: bool = True

    def pruner(self) -> BasePruner:
        """ASHA over epochs."""
        if not self.prune:
            return NopPruner()
        return SuccessiveHalvingPruner(min_resource=FIRST_RUNG, reduction_factor=self.reduction_factor)


def search(
    objective: Callable[[optuna.Trial], Values],
    *,
    name: str,
    storage: BaseStorage,
    budget: Budget,
    seed: int,
    first: dict[str, Any] | None = None,
    goals: Sequence[str] = ("maximize",),
    tick: Callable[[], None] = lambda: None,
) -> optuna.Study:
    """Run `objective` until the study holds `budget.trials` finished trials.

    Args:
        objective: reports the value to maximise after each epoch and may raise `optuna.TrialPruned`.
        name: of the study; a study of that name that was cut off is continued, a finished one is run anew.
        first: the point of trial 0, usually today's settings, so that the best is never worse than they are.
        goals: `maximize` or `minimize` of each of the objective's values; Optuna has no pruner for more than one.
        tick: called once a trial.
    """
    kept = finished(name, storage)
    if len(kept) >= budget.trials:
        kept = []
    if name in optuna.get_all_study_names(storage):
        optuna.delete_study(study_name=name, storage=storage)
    study = create(name, storage, budget, goals)
    for trial in kept:
        study.add_trial(trial)
        tick()
    if first is not None and not kept:
        study.enqueue_trial(first)
    for number in range(len(kept), budget.trials):
        study.sampler = sampler(seed + number)
        study.optimize(objective, n_trials=1)
        tick()
    return study


def create(name: str, storage: BaseStorage, budget: Budget, goals: Sequence[str] = ("maximize",), *, join: bool = False) -> optuna.Study:
    """A new study, or with `join` the one that is there."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = budget.pruner() if len(goals) == 1 else NopPruner()
    return optuna.create_study(study_name=name, storage=storage, directions=list(goals), pruner=pruner, load_if_exists=join)


def sampler(seed: int) -> TPESampler:
    """TPE as all studies here have it."""
    return TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS)


def best(study: optuna.Study) -> FrozenTrial:
    """The complete trial with the highest value; of equal ones that with the lowest validation loss, then the first.

    Raises:
        UserError: no trial is complete.
    """
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    if not complete:
        raise UserError(f"no trial of study {study.study_name!r} is complete; raise p3.trials, or look at why all were pruned")
    return max(complete, key=lambda t: (t.value, -t.user_attrs.get("val/loss", 0.0), -t.number))


def front(study: optuna.Study) -> list[FrozenTrial]:
    """The complete trials that no other beats in one goal without losing in another, by number; of equal ones the first."""
    found: list[FrozenTrial] = []
    for trial in sorted(study.best_trials, key=lambda t: t.number):
        if all(trial.values != other.values for other in found):
            found.append(trial)
    return found


def finished(name: str, storage: BaseStorage) -> list[FrozenTrial]:
    """The trials before the first that was cut off."""
    if name not in optuna.get_all_study_names(storage):
        return []
    kept = []
    for trial in optuna.load_study(study_name=name, storage=storage).get_trials():
        if trial.state not in DONE:
            break
        kept.append(trial)
    return kept
