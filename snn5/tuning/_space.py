"""The search space of P3.1: what is tried, in which range, on which scale."""

import math
from dataclasses import replace
from typing import Any

import optuna

from snn5.config import Train
from snn5.neurons import SURROGATES

# name: (low, high, log scale)
SPACE = {
    "lr": (1e-3, 3e-2, True),
    "weight_decay": (1e-6, 1e-1, True),
    "log_tau_minus_1": (math.log(0.1), math.log(7.0), False),
    "alpha": (0.5, 10.0, True),
    "tet_lambda": (0.0, 0.1, False),
    "label_smoothing": (0.0, 0.2, False),
    "rate_penalty": (1e-6, 1e-1, True),
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "surrogate": ("atan", "sigmoid", "triangle"),
    "reset": ("hard", "soft"),
    "detach_reset": (True, False),
}
_V_RESET = {"hard": 0.0, "soft": None}


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """Draw one point.

    lr, weight decay and rate penalty are log-uniform; tau is drawn as log(tau - 1), since 1/tau bunches up near 1; alpha is the width of
    the surrogate, of whichever family. T and the threshold are not searched: T would change what an epoch costs, and batch norm makes the
    threshold a second scale of the weights.
    """
    point: dict[str, Any] = {name: trial.suggest_float(name, low, high, log=log) for name, (low, high, log) in SPACE.items()}
    point |= {name: trial.suggest_categorical(name, among) for name, among in CHOICES.items()}
    return {"tau": 1.0 + math.exp(point.pop("log_tau_minus_1")), **point}


def point_of(settings: Train) -> dict[str, Any]:
    """Today's settings as a point of the space, in Optuna's names; what lies outside is moved to the nearest end."""
    neuron_args = settings.model_args.get("neuron_args", {})
    surrogate = neuron_args.get("surrogate", "atan")
    values = {
        "lr": settings.lr,
        "weight_decay": settings.weight_decay,
        "log_tau_minus_1": math.log(neuron_args.get("tau", 2.0) - 1.0),
        "alpha": neuron_args.get("alpha", SURROGATES[surrogate][1]),
        "tet_lambda": settings.tet_lambda,
        "label_smoothing": settings.label_smoothing,
        "rate_penalty": 0.0,
    }
    return {
        **{name: min(max(value, SPACE[name][0]), SPACE[name][1]) for name, value in values.items()},
        "surrogate": surrogate if surrogate in CHOICES["surrogate"] else "atan",
        "reset": "soft" if neuron_args.get("v_reset", 0.0) is None else "hard",
        "detach_reset": neuron_args.get("detach_reset", True),
    }


def apply(settings: Train, point: dict[str, Any], epochs: int) -> Train:
    """`settings` with the point's values and a schedule of `epochs`. The rate penalty is no setting of a network; see `rate_penalty`."""
    point = {name: value for name, value in point.items() if name != "rate_penalty"}
    own = {name: point.pop(name) for name in ("tau", "alpha", "surrogate", "detach_reset")} | {"v_reset": _V_RESET[point.pop("reset")]}
    neuron_args = {**settings.model_args.get("neuron_args", {}), **own}
    return replace(settings, epochs=epochs, model_args={**settings.model_args, "neuron_args": neuron_args}, **point)
