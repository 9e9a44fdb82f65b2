"""What p3_tune records of its studies."""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from snn5.record import Run
from snn5.tuning import front


def trial_runs(studies: Sequence[optuna.Study]) -> dict[str, Run]:
    """`trial<k>` of the search, `tradeoff<k>` of the study with two goals."""
    search, tradeoff = studies
    return {f"trial{t.number:03d}": _search_run(t) for t in search.get_trials()} | {
        f"tradeoff{t.number:03d}": _tradeoff_run(t) for t in tradeoff.get_trials()
    }


def study_summary(studies: Sequence[optuna.Study], max_epochs: int) -> dict[str, float]:
    """Trials by how they ended, epochs spent and without pruning, and the size of the front."""
    search, tradeoff = (study.get_trials() for study in studies)
    return {
        "study/complete": float(sum(t.state is TrialState.COMPLETE for t in search)),
        "study/pruned": float(sum(t.state is TrialState.PRUNED for t in search)),
        "study/epochs": float(sum(len(t.intermediate_values) for t in search)),
        "study/epochs_unpruned": float(len(search) * max_epochs),
        "tradeoff/trials": float(len(tradeoff)),
        "tradeoff/front": float(len(front(studies[1]))),
    }


def _search_run(trial: FrozenTrial) -> Run:
    values = sorted(trial.intermediate_values.items())
    return Run(params=_params(trial), metrics={"val/acc": values[-1][1]} if values else {}, curves={"val/acc": values})


def _tradeoff_run(trial: FrozenTrial) -> Run:
    names = ("val/acc", "cost/synops")
    return Run(params=_params(trial), metrics=dict(zip(names, trial.values, strict=True)) if trial.values else {})


def _params(trial: FrozenTrial) -> dict[str, Any]:
    return {**trial.user_attrs.get("point", {}), "state": trial.state.name, "stopped": trial.user_attrs.get("stopped", "")}
