"""Neurons by name; `relu` is what an ANN twin has in their place."""

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from snn5.errors import UserError, unknown
from snn5.neurons._adaptive_lif import AdaptiveLIF
from snn5.neurons._dynamic_glif import DynamicGLIF
from snn5.neurons._glif import GLIF
from snn5.neurons._latch import TTFSLatch
from snn5.neurons._lif import IF, LIF, PLIF

NEURONS: dict[str, Callable[..., nn.Module]] = {
    "lif": LIF,
    "plif": PLIF,
    "if": IF,
    "glif": GLIF,
    "dynamic_glif": DynamicGLIF,
    "adaptive_lif": AdaptiveLIF,
    "ttfs": TTFSLatch,
}


def create_neuron(name: str, *, channels: int | None = None, time_steps: int | None = None, **args: Any) -> nn.Module:
    """One neuron layer (`relu` for the twins, which takes no arguments and ignores all).

    Args:
        name: see `NEURONS`.
        channels: C, size of axis 2 of the layer's currents [T, N, C, ...]; neurons with parameters per channel need it.
        time_steps: T, the most steps between two resets; neurons with parameters per step, or with a window, need it.
        args: arguments of that neuron, e.g. `v_threshold=0.5`.

    Raises:
        UserError: nobody registered `name`, the neuron has no such argument, or it needs channels or time_steps and they are missing.
    """
    if name == "relu":
        return nn.ReLU()
    if name not in NEURONS:
        raise unknown("neuron", name, NEURONS)
    known = inspect.signature(NEURONS[name]).parameters
    shape = {key: value for key, value in (("channels", channels), ("time_steps", time_steps)) if key in known}
    own = [key for key in known if key not in shape]
    for key in args:
        if key not in own:
            raise unknown("argument", key, own, f"for neuron {name!r}")
    for key, value in shape.items():
        if value is None and known[key].default is inspect.Parameter.empty:
            raise UserError(f"neuron {name!r} needs {key}; pass create_neuron({name!r}, {key}=...)")
    return NEURONS[name](**{key: value for key, value in shape.items() if value is not None}, **args)
