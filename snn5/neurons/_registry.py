"""Neurons by name; `relu` is what an ANN twin has in their place."""

from collections.abc import Callable
from typing import Any

from torch import nn

from snn5.errors import unknown
from snn5.neurons._lif import LIF, PLIF

NEURONS: dict[str, Callable[..., nn.Module]] = {"lif": LIF, "plif": PLIF}


def create_neuron(name: str, **args: Any) -> nn.Module:
    """One neuron layer (`relu` for the twins, which takes no arguments).

    Raises:
        UserError: nobody registered `name`.
    """
    if name == "relu":
        return nn.ReLU()
    if name not in NEURONS:
        raise unknown("neuron", name, NEURONS)
    return NEURONS[name](**args)
