"""Who is wired to whom in a liquid: neurons on a 3-D grid, near ones more often, excitatory and inhibitory ones by their own odds.

Shapes: n neurons, matrices [post, pre] (row = receiving neuron, column = sending neuron).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

GRID = 2.0**-10  # weights are multiples of this: a float32 sum of spikes x weights is then exact, whatever the order of the additions


def grid_positions(n: int) -> Tensor:
    """The first `n` sites of the smallest cube that holds them, [n, 3], in grid spacings."""
    side = math.ceil(round(n ** (1 / 3), 9))
    sites = torch.arange(n)
    return torch.stack([sites // (side * side), sites // side % side, sites % side], dim=1).to(torch.float32)


def population_signs(n: int, excitatory: float, generator: torch.Generator) -> Tensor:
    """+1 for `round(excitatory * n)` randomly placed neurons, -1 for the others, [n]: each neuron has one sign for all its targets (Dale)."""
    signs = -torch.ones(n)
    signs[torch.randperm(n, generator=generator)[: round(excitatory * n)]] = 1.0
    return signs


def connection_probability(position_n3: Tensor, sign_n: Tensor, odds: Sequence[float], radius: float) -> Tensor:
    """P(j -> i) = C_ab exp(-D_ij^2 / radius^2), no neuron onto itself.

    Args:
        position_n3: in grid spacings.
        sign_n: +1 excitatory, -1 inhibitory.
        odds: C[pre -> post] as (E->E, E->I, I->E, I->I); codes differ in this order, here the sender comes first.
        radius: in grid spacings, > 0.

    Returns:
        [post, pre], 0..1 with a zero diagonal.

    Source: Maass, Natschlaeger & Markram 2002 (doi 10.1162/089976602760407955).
    """
    ee, ei, ie, ii = odds
    c_pre_post = torch.tensor([[ee, ei], [ie, ii]])
    kind_n = (sign_n < 0).long()
    c_post_pre = c_pre_post[kind_n[None, :], kind_n[:, None]]
    squared = ((position_n3[:, None] - position_n3[None, :]) ** 2).sum(2)
    probability = c_post_pre * torch.exp(-squared / radius**2)
    return probability.fill_diagonal_(0.0)


def draw_mask(probability: Tensor, generator: torch.Generator) -> Tensor:
    """One Bernoulli draw per pair; bool, same shape."""
    return torch.rand(probability.shape, generator=generator) < probability


def log_normal(shape: Sequence[int], spread: float, generator: torch.Generator) -> Tensor:
    """exp(spread * N(0, 1)): median 1, all positive."""
    return torch.exp(spread * torch.randn(*shape, generator=generator) - spread**2 / 2)


def on_grid(weight: Tensor) -> Tensor:
    """`weight` rounded to multiples of `GRID`."""
    return torch.round(weight / GRID) * GRID
