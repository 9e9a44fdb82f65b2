"""What one call of a layer costs, by its type. `RULES` is open: a module that multiplies in a way of its own adds its rule.

Notation: input element i has value x_i and meets f_i non-zero weights and F_i weights in all (its fan-out; see `_fanout`).

    dense                 sum_i F_i               every product inside the image; padding is no work
    nonzero               sum_{x_i != 0} f_i      products of which neither factor is zero
    events                sum_i x_i f_i           additions, if x_i counts spikes: two spikes at one synapse are two additions
    nonzero_any_weight, events_any_weight         the same with F_i for f_i: zero weights count as work

A product of two activations has no weights; both factors are inputs. For y = a b with [i, j] and [j, k], and for g * x element by element:

    dense                 i j k; every element of the result
    nonzero               products of which neither factor is zero
    events                sum of the result, if both factors count spikes: a pair of counts m and n is m n additions. On spikes these are
                          the coincidences; where one factor is itself a sum (k' v in attention) every spike in that sum counts again,
                          so that no figure is too small

A state space (DiagonalSSM) multiplies real numbers in every step, whatever its input: A' h and C h of each channel are work that no silence
saves, B' x and D x only where x is not zero. All of it counts as multiplications, also where x is a spike and an addition would do.

Where a factor is a real number, all products of two non-zero factors are multiplications, also those with a spike for the other factor,
which a chip could do by adding the number or passing it on.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import prod

import torch
from torch import Tensor, nn

from snn5.benchmark._fanout import CONVOLUTIONS, conv_fanout, linear_fanout
from snn5.errors import UserError
from snn5.models import DiagonalSSM, Gate, HeadSum, MatMul


@dataclass(kw_only=True)
class Work:
    """Sums over all samples and steps of one or several calls.

    Attributes:
        dense, nonzero, nonzero_any_weight, events, events_any_weight: see above.
        padded: multiply-accumulates as papers count them, products with the padding included.
        binary, integer: every input was 0 or 1; every input was a non-negative integer.
        inputs_nonzero: input elements that are not zero. outputs: output elements.
        input_size, output_size: elements of one sample at one step. weights: elements of the kernel, 0 for products of two activations.
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


Rule = Callable[[nn.Module, tuple[Tensor, ...], Tensor], Work]
"""(module, inputs, output) -> its work in this call."""


def kinds(x: Tensor) -> tuple[bool, bool]:
    """Whether every element is 0 or 1; whether every element is a non-negative integer."""
    if not x.numel():
        return True, True
    low, high = x.aminmax()
    integer = bool(low >= 0) and bool((x == x.floor()).all())
    return integer and bool(high <= 1), integer


def work_of(x_BI: Tensor, fanout_I: Tensor, fanout_nonzero_I: Tensor) -> Work:
    """Work of inputs x_BI (samples and steps in the first axis) on weights of the given fan-outs, which have the shape of one input."""
    binary, integer = kinds(x_BI)
    on_I = (x_BI != 0).sum(0).to(torch.float64)
    value_I = on_I if binary else x_BI.sum(0, dtype=torch.float64)
    return Work(
        dense=len(x_BI) * fanout_I.sum().item(),
        nonzero=(on_I * fanout_nonzero_I).sum().item(),
        nonzero_any_weight=(on_I * fanout_I).sum().item(),
        events=(value_I * fanout_nonzero_I).sum().item(),
        events_any_weight=(value_I * fanout_I).sum().item(),
        binary=binary,
        integer=integer,
        inputs_nonzero=int(on_I.sum().item()),
        input_size=fanout_I.numel(),
    )


def conv_work(layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Work:
    """A convolution on [T, N, C, ...] or [N, C, ...].

    Raises:
        UserError: an input without a sample axis.
    """
    x, weight = inputs[0], layer.weight
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


def linear_work(layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Work:
    """A linear layer on [..., in]."""
    x, weight = inputs[0], layer.weight
    mask = (weight != 0).detach()
    work = work_of(x.reshape(-1, x.shape[-1]), linear_fanout(torch.ones_like(mask)), linear_fanout(mask))
    work.outputs, work.output_size, work.weights, work.padded = out.numel(), out.shape[-1], weight.numel(), work.dense
    return work


def sum_work(_module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Work:
    """A sum over channels of [T, N, ...]: every input is added once, to one output."""
    x_BI = inputs[0].flatten(0, 1)
    ones_I = torch.ones(x_BI.shape[1:], dtype=torch.float64, device=x_BI.device)
    work = work_of(x_BI, ones_I, ones_I)
    work.outputs, work.output_size, work.padded = out.numel(), prod(out.shape[2:]), work.dense
    return work


def matmul_work(_module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Work:
    """a b of [T, N, ..., i, j] and [T, N, ..., j, k]: element j of a row meets element j of a column, so sums over i and k go first."""
    a, b = inputs
    meetings_J = (a != 0).sum(-2, dtype=torch.float64) * (b != 0).sum(-1, dtype=torch.float64)
    events_J = a.sum(-2, dtype=torch.float64) * b.sum(-1, dtype=torch.float64)
    return product_work(a, b, out, dense=float(out.numel() * a.shape[-1]), nonzero=meetings_J.sum().item(), events=events_J.sum().item())


def gate_work(_module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Work:
    """g * x of [T, N, ...], element by element with broadcasting."""
    gate, x = inputs
    nonzero = ((gate != 0) & (x != 0)).sum().item()
    return product_work(gate, x, out, dense=float(out.numel()), nonzero=float(nonzero), events=out.sum(dtype=torch.float64).item())


def ssm_work(ssm: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Work:
    """A DiagonalSSM on [T, N, D], as it runs step by step on a chip; in training it may be computed as a convolution."""
    x = inputs[0]
    of_state, of_input = ssm.macs
    on = int(x.count_nonzero())
    nonzero = float(x.numel() * of_state + on * of_input)
    return Work(
        dense=float(x.numel() * (of_state + of_input)),
        padded=float(x.numel() * (of_state + of_input)),
        nonzero=nonzero,
        nonzero_any_weight=nonzero,
        binary=False,
        integer=False,
        inputs_nonzero=on,
        outputs=out.numel(),
        input_size=x.shape[-1],
        output_size=out.shape[-1],
        weights=x.shape[-1] * (of_state + of_input),
    )


def product_work(a: Tensor, b: Tensor, out: Tensor, *, dense: float, nonzero: float, events: float) -> Work:
    """Work of a product of two activations, both of which are inputs."""
    (binary_a, integer_a), (binary_b, integer_b) = kinds(a), kinds(b)
    return Work(
        dense=dense,
        padded=dense,
        nonzero=nonzero,
        nonzero_any_weight=nonzero,
        events=events,
        events_any_weight=events,
        binary=binary_a and binary_b,
        integer=integer_a and integer_b,
        inputs_nonzero=int(a.count_nonzero() + b.count_nonzero()),
        outputs=out.numel(),
        input_size=prod(a.shape[2:]) + prod(b.shape[2:]),
        output_size=prod(out.shape[2:]),
    )


RULES: dict[type[nn.Module], Rule] = {
    **dict.fromkeys(CONVOLUTIONS, conv_work),
    nn.Linear: linear_work,
    MatMul: matmul_work,
    Gate: gate_work,
    DiagonalSSM: ssm_work,
    HeadSum: sum_work,
}


def rule_of(module: nn.Module) -> Rule | None:
    """The rule of the most special registered base class of `module`, or None."""
    return next((RULES[cls] for cls in type(module).__mro__ if cls in RULES), None)
