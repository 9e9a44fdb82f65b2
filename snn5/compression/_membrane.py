"""Shared scale (P4.2, after MINT): each neuron layer counts its potential in steps of the layer before it.

A step is a power of two, and biases are rounded to it; then what a neuron layer gets is a whole number of steps and integers alone run the
network behind the first convolution (see snn5.neurons.MembraneLIF). Which layer is before a neuron is seen in a pass of the model.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from snn5.compression._lsq import WeightLSQ
from snn5.errors import UserError
from snn5.models import SpikingModel, quantise_membranes
from snn5.neurons import IF, LIF, PLIF, MembraneLIF


class OnSteps(nn.Module):
    """A bias as a whole number of steps; the rounding passes gradients unchanged."""

    def __init__(self, step_now: Callable[[], Tensor]) -> None:
        super().__init__()
        self.step_now = step_now  # a method of the weights' module, so that its parameter is registered there alone

    def forward(self, bias: Tensor) -> Tensor:
        """round(bias / s) s."""
        step = self.step_now().detach()
        return ((bias / step).round() * step).detach() + (bias - bias.detach())


@torch.no_grad()
def feeding(model: nn.Module) -> dict[str, str]:
    """The layer whose output is the current of each LIF, PLIF or IF, by the neuron's name.

    Raises:
        UserError: a current that is no layer's output as it is (a sum, a pool), or two neurons on one layer's current.
    """
    outputs: list[tuple[str, Tensor]] = []
    found: dict[str, str] = {}

    def note_output(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _m, _i, y: outputs.append((name, y))

    def note_input(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            made = [layer for layer, y in outputs if y.data_ptr() == inputs[0].data_ptr()]
            if not made or made[-1] in found.values():
                raise UserError(
                    f"the current of neuron {name} is not one layer's output alone; a shared scale needs that (sew_resnet has it): "
                    f"take a scheme without membrane_bits"
                )
            found[name] = made[-1]

        return hook

    handles = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            handles.append(module.register_forward_hook(note_output(name)))
        elif isinstance(module, LIF | PLIF | IF):
            handles.append(module.register_forward_pre_hook(note_input(name)))
    was_training = model.training
    try:
        model.eval()
        model(_blank(model))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    if not found:
        raise UserError(f"membrane_bits is for networks of lif, plif or if neurons; this {type(model).__name__} has none of them")
    return found


@contextmanager
def integer_membranes(model: nn.Module, made: Mapping[str, WeightLSQ], bits: int) -> Iterator[dict[str, str]]:
    """Put MembraneLIFs for the neurons; while it is open they and the biases follow the present steps of the weights.

    Gives the feeding layer of each neuron, by the neuron's name. The MembraneLIFs stay; call `settle` to give them their last steps.
    """
    fed = feeding(model)
    quantise_membranes(model, list(fed), bits)
    on_steps = []
    try:
        for neuron, layer in fed.items():
            membrane: Any = model.get_submodule(neuron)
            membrane.to(next(model.parameters()).device)
            membrane.step_now = made[layer].positive_step
            if model.get_submodule(layer).bias is not None:
                parametrize.register_parametrization(model.get_submodule(layer), "bias", OnSteps(made[layer].positive_step))
                on_steps.append(layer)
        yield fed
    finally:
        for neuron in fed:
            membrane = model.get_submodule(neuron)
            membrane.step_now = None
        for layer in on_steps:
            parametrize.remove_parametrizations(model.get_submodule(layer), "bias", leave_parametrized=True)


@torch.no_grad()
def settle(model: nn.Module, fed: Mapping[str, str]) -> None:
    """Give each MembraneLIF the step of its layer (`weight_step`) and round the layer's bias to it.

    Raises:
        UserError: a threshold that its potential cannot reach; names the neuron.
    """
    for neuron, layer_name in fed.items():
        membrane, layer = model.get_submodule(neuron), model.get_submodule(layer_name)
        if not isinstance(membrane, MembraneLIF):
            raise TypeError(f"{neuron} is a {type(membrane).__name__}")
        step: Tensor = layer.weight_step
        membrane.step.copy_(step)
        if layer.bias is not None:
            layer.bias.copy_((layer.bias / step).round() * step)
        integers = membrane.integers()
        if integers["threshold"] > 2 ** (membrane.bits - 1) - 1:
            raise UserError(
                f"neuron {neuron} fires at {integers['threshold']} steps, more than {membrane.bits} bits hold; raise membrane_bits"
            )


def _blank(model: nn.Module) -> Tensor:
    """One sample of zeros in the model's shape."""
    if not isinstance(model, SpikingModel):
        raise UserError(f"membrane_bits needs a registered model; got a {type(model).__name__}")
    size = model.image_size * model.bin_pixels
    return torch.zeros(1, 1, model.in_channels, size, size, device=next(model.parameters()).device)
