"""Neurons by name; `relu` is what an ANN twin has in their place."""

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from snn5.errors import unknown
from snn5.neurons._lif import LIF, PLIF

NEURONS: dict[str, Callable[..., nn.Module]] = {"lif": LIF, "plif": PLIF}


def create_neuron(name: str, *, channels: int | None = None, time_steps: int | None = None, **args: Any) -> nn.Module:
    """One neuron layer (`relu` for the twins, which takes no arguments).

    Raises:
        UserError: nobody registered `name`, or the neuron has no such argument.
    """
    if name == "relu":
        return nn.ReLU()
    if name not in NEURONS:
        raise unknown("neuron", name, NEURONS)
    known = inspect.signature(NEURONS[name]).parameters
    for key in args:
        if key not in known:
            raise unknown("argument", key, known, f"for neuron {name!r}")
    return NEURONS[name](**args)
