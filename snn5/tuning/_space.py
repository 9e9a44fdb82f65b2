"""The search space of P3.1: what is tried, in which range, on which scale."""

import math
from dataclasses import replace
from typing import Any

import optuna

from snn5.config import Train

# name: (low, high, log scale)
SPACE = {
    "lr": (1e-3, 3e-2, True),
    "weight_decay": (1e-6, 1e-1, True),
    "log_tau_minus_1": (math.log(0.1), math.log(7.0), False),
    "alpha": (0.5, 10.0, True),
    "tet_lambda": (0.0, 0.1, False),
    "label_smoothing": (0.0, 0.2, False),
}


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """Draw one point.

    lr and weight decay are log-uniform; tau is drawn as log(tau - 1), since 1/tau bunches up near 1; alpha is the width of ATan.
    """
    point = {name: trial.suggest_float(name, low, high, log=log) for name, (low, high, log) in SPACE.items()}
    return {"tau": 1.0 + math.exp(point.pop("log_tau_minus_1")), **point}


def point_of(settings: Train) -> dict[str, float]:
    """Today's settings as a point of the space, in Optuna's names; what lies outside is moved to the nearest end."""
    neuron_args = settings.model_args.get("neuron_args", {})
    values = {
        "lr": settings.lr,
        "weight_decay": settings.weight_decay,
        "log_tau_minus_1": math.log(neuron_args.get("tau", 2.0) - 1.0),
        "alpha": neuron_args.get("alpha", 2.0),
        "tet_lambda": settings.tet_lambda,
        "label_smoothing": settings.label_smoothing,
    }
    return {name: min(max(value, SPACE[name][0]), SPACE[name][1]) for name, value in values.items()}


def apply(settings: Train, point: dict[str, Any], epochs: int) -> Train:
    """`settings` with the point's values and a schedule of `epochs`."""
    point = dict(point)
    neuron_args = {**settings.model_args.get("neuron_args", {}), "tau": point.pop("tau"), "alpha": point.pop("alpha")}
    return replace(settings, epochs=epochs, model_args={**settings.model_args, "neuron_args": neuron_args}, **point)
