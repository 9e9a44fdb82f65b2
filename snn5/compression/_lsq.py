"""LSQ on weights: a parametrisation that shows a layer its weights on a grid and learns the grid's step (see snn5.neurons.lsq).

first step  s = 2 mean|w| / sqrt(h)        over the weights that are not 0, h the highest level
share of the step's gradient  1/sqrt(N h)   N weights share the step
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from snn5.compression._grids import Grid
from snn5.compression._scheme import Scheme
from snn5.neurons import SMALLEST_STEP, lsq


class WeightLSQ(nn.Module):
    """Weights on `grid`; `step` is learned, [C_out] or [1].

    Args:
        grid: the levels. weight: what the first steps are taken from. scheme: how many weights share a step.
    """

    def __init__(self, grid: Grid, weight: Tensor, scheme: Scheme) -> None:
        super().__init__()
        self.grid = grid
        self.step = nn.Parameter(first_step(grid, weight, scheme))
        self.power_of_two = scheme.power_of_two
        self.share = 1 / math.sqrt(weight.numel() / self.step.numel() * grid.high)

    def forward(self, weight: Tensor) -> Tensor:
        """The nearest levels times the step."""
        step = aligned(self.positive_step(), weight)
        return lsq(weight, step, self.grid.nearest, low=self.grid.low, high=self.grid.high, share=self.share)

    def positive_step(self) -> Tensor:
        """The step that is in force: > 0 whatever the optimiser did; the nearest power of two where the scheme says so."""
        step = self.step.abs().clamp_min(SMALLEST_STEP)
        return power_of_two(step.detach()) + (step - step.detach()) if self.power_of_two else step


def first_step(grid: Grid, weight: Tensor, scheme: Scheme) -> Tensor:
    """The paper's first step, for each output channel or for the layer: [C_out] or [1]."""
    axes = scheme.reduced(weight)
    mean = weight.detach().abs().sum(axes) / weight.detach().count_nonzero(axes).clamp_min(1)
    return (2 * mean / math.sqrt(grid.high)).clamp_min(SMALLEST_STEP).reshape(-1)


def power_of_two(step: Tensor) -> Tensor:
    """The power of two nearest to each step, on a logarithmic scale; exact."""
    mantissa, _ = torch.frexp(step)  # step = mantissa 2^e with mantissa in [1/2, 1), so step / mantissa is 2^e without rounding
    return step / mantissa * torch.where(mantissa < math.sqrt(0.5), 0.5, 1.0)


def aligned(step: Tensor, weight: Tensor) -> Tensor:
    """A step per output channel (or one) in the shape that multiplies `weight`."""
    return step.reshape(-1, *[1] * (weight.ndim - 1))


@contextmanager
def quantised_weights(model: nn.Module, grids: Mapping[str, Grid], scheme: Scheme) -> Iterator[dict[str, WeightLSQ]]:
    """While it is open, the named layers of `model` compute with weights on their grids; the float ones behind them and the steps learn.

    Leaving it puts the float weights back.
    """
    made = {}
    try:
        for name, grid in grids.items():
            layer = model.get_submodule(name)
            made[name] = WeightLSQ(grid, layer.get_parameter("weight"), scheme)
            parametrize.register_parametrization(layer, "weight", made[name])
        yield made
    finally:
        for name in made:
            parametrize.remove_parametrizations(model.get_submodule(name), "weight", leave_parametrized=False)


@torch.no_grad()
def best_steps(grid: Grid, weight: Tensor, scheme: Scheme, tries: int = 100) -> Tensor:
    """The step with the least squared rounding error among `tries` even fractions of max|w| / h: [C_out] or [1]."""
    axes = scheme.reduced(weight)
    largest = weight.abs().amax(axes).reshape(-1)
    best = torch.full_like(largest, SMALLEST_STEP)
    least = torch.full_like(largest, math.inf)
    for part in range(1, tries + 1):
        step = (largest / grid.high * (part / tries)).clamp_min(SMALLEST_STEP)
        wide = aligned(step, weight)
        error = (grid.nearest(weight / wide) * wide - weight).square().sum(axes).reshape(-1)
        best, least = torch.where(error < least, step, best), torch.minimum(error, least)
    return power_of_two(best) if scheme.power_of_two else best
