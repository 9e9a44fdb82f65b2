"""An Optuna study whose trials are the same on every run, and which goes on where a killed one stopped.

Each trial's sampler is seeded by the trial's number, so what trial k draws depends on the trials before it and on nothing else. Hyperband
takes its bracket from the study's name and the trial's number, so the name is fixed by the caller.
Source: Akiba et al. 2019 (Optuna), Li et al. 2018 (Hyperband), arXiv 1603.06560.
"""

from collections.abc import Callable
from dataclasses import dataclass

import optuna
from optuna.pruners import HyperbandPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from snn5.errors import UserError

STARTUP_TRIALS = 5  # drawn at random before TPE has anything to go by
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much a study may spend: trials, epochs of a full trial, and Hyperband's reduction factor."""

    trials: int
    max_epochs: int
    reduction_factor: int = 3


def search(
    objective: Callable[[optuna.Trial], float],
    *,
    name: str,
    storage: BaseStorage,
    budget: Budget,
    seed: int,
    first: dict[str, float] | None = None,
    tick: Callable[[], None] = lambda: None,
) -> optuna.Study:
    """Run `objective` until the study holds `budget.trials` finished trials.

    Args:
        objective: reports the value to maximise after each epoch and may raise `optuna.TrialPruned`.
        name: of the study; a study of that name that was cut off is continued, a finished one is run anew.
        first: the point of trial 0, usually today's settings, so that the best is never worse than they are.
        tick: called once a trial.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = _finished(name, storage)
    if len(kept) >= budget.trials:
        kept = []
    if name in optuna.get_all_study_names(storage):
        optuna.delete_study(study_name=name, storage=storage)
    pruner = HyperbandPruner(min_resource=1, max_resource=budget.max_epochs, reduction_factor=budget.reduction_factor)
    study = optuna.create_study(study_name=name, storage=storage, direction="maximize", pruner=pruner)
    for trial in kept:
        study.add_trial(trial)
        tick()
    if first is not None and not kept:
        study.enqueue_trial(first)
    for number in range(len(kept), budget.trials):
        study.sampler = TPESampler(seed=seed + number, n_startup_trials=STARTUP_TRIALS)
        study.optimize(objective, n_trials=1)
        tick()
    return study


def best(study: optuna.Study) -> FrozenTrial:
    """The complete trial with the highest value; of equal ones that with the lowest validation loss, then the first.

    Raises:
        UserError: no trial is complete.
    """
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    if not complete:
        raise UserError(f"no trial of study {study.study_name!r} is complete; raise p3.trials, or look at why all were pruned")
    return max(complete, key=lambda t: (t.value, -t.user_attrs.get("val/loss", 0.0), -t.number))


def _finished(name: str, storage: BaseStorage) -> list[FrozenTrial]:
    """The trials before the first that was cut off."""
    if name not in optuna.get_all_study_names(storage):
        return []
    kept = []
    for trial in optuna.load_study(study_name=name, storage=storage).get_trials():
        if trial.state not in DONE:
            break
        kept.append(trial)
    return kept
