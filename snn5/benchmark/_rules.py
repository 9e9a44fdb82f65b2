"""What one call of a layer costs, by its type. `RULES` is open: an attention module adds the rule for its products of two activations.

Notation: input element i has value x_i and meets f_i non-zero weights and F_i weights in all (its fan-out; see `_fanout`).

    dense                 sum_i F_i               every product inside the image; padding is no work
    nonzero               sum_{x_i != 0} f_i      products of which neither factor is zero
    events                sum_i x_i f_i           additions, if x_i counts spikes: two spikes at one synapse are two additions
    nonzero_any_weight, events_any_weight         the same with F_i for f_i: zero weights count as work
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import prod

import torch
from torch import Tensor, nn

from snn5.benchmark._fanout import CONVOLUTIONS, conv_fanout, linear_fanout
from snn5.errors import UserError


@dataclass(kw_only=True)
class Work:
    """Sums over all samples and steps of one or several calls.

    Attributes:
        dense, nonzero, nonzero_any_weight, events, events_any_weight: see above.
        padded: multiply-accumulates as papers count them, products with the padding included.
        binary, integer: every input was 0 or 1; every input was a non-negative integer.
        inputs_nonzero: input elements that are not zero. outputs: output elements.
        input_size, output_size: elements of one sample at one step. weights: elements of the kernel.
    """

    dense: float = 0.0
    nonzero: float = 0.0
    nonzero_any_weight: float = 0.0
    events: float = 0.0
    events_any_weight: float = 0.0
    padded: float = 0.0
    binary: bool = True
    integer: bool = True
    inputs_nonzero: int = 0
    outputs: int = 0
    input_size: int = 0
    output_size: int = 0
    weights: int = 0

    def __add__(self, other: "Work") -> "Work":
        """Two calls of one layer: counts add, the smaller truth holds, sizes stay."""
        joined = {}
        for f in fields(self):
            a, b = getattr(self, f.name), getattr(other, f.name)
            if f.name in ("binary", "integer"):
                joined[f.name] = a and b
            else:
                joined[f.name] = max(a, b) if f.name in ("input_size", "output_size", "weights") else a + b
        return Work(**joined)


Rule = Callable[[nn.Module, Tensor, Tensor], Work]


def work_of(x_BI: Tensor, fanout_I: Tensor, fanout_nonzero_I: Tensor) -> Work:
    """Work of inputs x_BI (samples and steps in the first axis) on weights of the given fan-outs, which have the shape of one input."""
    on_I = (x_BI != 0).sum(0).to(torch.float64)
    value_I = x_BI.sum(0, dtype=torch.float64)
    integer = bool((x_BI >= 0).all()) and bool((x_BI == x_BI.floor()).all())
    return Work(
        dense=len(x_BI) * fanout_I.sum().item(),
        nonzero=(on_I * fanout_nonzero_I).sum().item(),
        nonzero_any_weight=(on_I * fanout_I).sum().item(),
        events=(value_I * fanout_nonzero_I).sum().item(),
        events_any_weight=(value_I * fanout_I).sum().item(),
        binary=integer and bool((x_BI <= 1).all()),
        integer=integer,
        inputs_nonzero=int(on_I.sum().item()),
        input_size=fanout_I.numel(),
    )


def conv_work(layer: nn.Module, x: Tensor, out: Tensor) -> Work:
    """A convolution on [T, N, C, ...] or [N, C, ...].

    Raises:
        UserError: an input without a sample axis.
    """
    weight: Tensor = layer.weight
    space = weight.ndim - 2
    if x.ndim not in (space + 2, space + 3):
        raise UserError(f"{type(layer).__name__} was given an input of shape {list(x.shape)}; need [N, C, ...] or [T, N, C, ...]")
    x_BI = x.flatten(0, 1) if x.ndim == space + 3 else x
    shape = x_BI.shape[1:]
    mask = (weight != 0).detach()
    fanout_I = conv_fanout(layer, shape, torch.ones_like(mask))
    work = work_of(x_BI, fanout_I, fanout_I if bool(mask.all()) else conv_fanout(layer, shape, mask))
    work.outputs, work.output_size, work.weights = out.numel(), prod(out.shape[-space - 1 :]), weight.numel()
    work.padded = float(out.numel() * prod(weight.shape[1:]))
    return work


def linear_work(layer: nn.Module, x: Tensor, out: Tensor) -> Work:
    """A linear layer on [..., in]."""
    weight: Tensor = layer.weight
    mask = (weight != 0).detach()
    work = work_of(x.reshape(-1, x.shape[-1]), linear_fanout(torch.ones_like(mask)), linear_fanout(mask))
    work.outputs, work.output_size, work.weights, work.padded = out.numel(), out.shape[-1], weight.numel(), work.dense
    return work


RULES: dict[type[nn.Module], Rule] = {**dict.fromkeys(CONVOLUTIONS, conv_work), nn.Linear: linear_work}


def rule_of(module: nn.Module) -> Rule | None:
    """The rule of the most special registered base class of `module`, or None."""
    return next((RULES[cls] for cls in type(module).__mro__ if cls in RULES), None)
