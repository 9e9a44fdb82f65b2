"""Which layers one-shot compression works on, and what stands behind each: found by watching one forward pass.

A layer's neuron is the next one that is run after it, and its norm the batch norm that is run before anything else; where the norm is
folded into the layer (as it is when the network is deployed), row j of the weights is multiplied by

    fold_j = gamma_j / sqrt(variance_j + eps)

Layers without a neuron behind them (the read-out) get the filter M = identity: every step's logits count by themselves.
Left dense, and named in the report: grouped convolutions (each group would need an H of its own), layers that the pass does not run, and
those that it runs more than once (the gates of a recurrent cell, say).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snn5.compression._leak import NO_MEMORY, Leak, is_activation, leak_of
from snn5.errors import UserError

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer to compress.

    Attributes:
        name: of the module. module: a convolution or a linear layer; its weights as a matrix have a row per output, `inputs` columns.
        leak: of the neuron behind it. fold_R: what its norm multiplies each row by, float64.
    """

    name: str
    module: nn.Module
    leak: Leak
    fold_R: Tensor

    @property
    def inputs(self) -> int:
        """d: the length of a row."""
        return int(self.module.weight[0].numel())

    @property
    def rows(self) -> int:
        """How many outputs the layer has."""
        return len(self.module.weight)

    def matrix(self) -> Tensor:
        """The weights as a float64 matrix [R, d]: a copy."""
        return torch.clone(self.module.weight.detach().flatten(1).double())


@torch.no_grad()
def find_layers(model: nn.Module, x_TNCHW: Tensor) -> tuple[list[Layer], list[str]]:
    """The layers in the order they are run, and the names of those left dense.

    Args:
        model: in eval mode. x_TNCHW: any input it takes; one sample is enough.

    Raises:
        UserError: no layer is left.
    """
    names = {module: name for name, module in model.named_modules()}
    candidates = {m for m in names if isinstance(m, _LAYERS)}
    seen = _watch([m for m in names if m in candidates or isinstance(m, _NORMS) or is_activation(m)], model, x_TNCHW)
    found, run = [], [m for m in seen if m in candidates]
    for position, module in enumerate(seen):
        if module not in candidates or getattr(module, "groups", 1) != 1 or run.count(module) > 1:
            continue
        rest = seen[position + 1 :]
        neuron = next((m for m in rest if is_activation(m)), None)
        leak = NO_MEMORY if neuron is None else leak_of(neuron)
        found.append(Layer(name=names[module], module=module, leak=leak, fold_R=_fold(module, rest[0] if rest else None)))
    if not found:
        raise UserError(f"{type(model).__name__} has no convolution or linear layer that one-shot compression could work on")
    taken = {layer.module for layer in found}
    return found, sorted(names[m] for m in candidates - taken)


def _watch(modules: Iterable[nn.Module], model: nn.Module, x_TNCHW: Tensor) -> list[Any]:
    order: list[Any] = []
    handles = [m.register_forward_hook(lambda module, _inputs, _out: order.append(module)) for m in modules]
    try:
        model(x_TNCHW)
    finally:
        for handle in handles:
            handle.remove()
    return order


def _fold(module: nn.Module, after: nn.Module | None) -> Tensor:
    rows = len(module.weight)
    if not isinstance(after, _NORMS) or after.num_features != rows or after.running_var is None:
        return torch.ones(rows, dtype=torch.float64, device=module.weight.device)
    gamma = torch.ones(rows) if after.weight is None else after.weight.detach()
    return gamma.double().to(module.weight.device) / torch.sqrt(after.running_var.double() + after.eps)
