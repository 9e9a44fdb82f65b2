"""Who is wired to whom in a liquid: neurons on a 3-D grid, near ones more often, excitatory and inhibitory ones by their own odds.

Shapes: n neurons, matrices [post, pre] (row = receiving neuron, column = sending neuron).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from snn5.errors import UserError

GRID = 2.0**-10  # weights are multiples of this: a float32 sum of spikes x weights is then exact, whatever the order of the additions


def grid_positions(n: int) -> Tensor:
    """The first `n` sites of the smallest cube that holds them, [n, 3], in grid spacings."""
    side = next(s for s in range(1, n + 1) if s**3 >= n)
    site = torch.arange(n)
    return torch.stack([site // side**2, site // side % side, site % side], dim=1).float()


def population_signs(n: int, excitatory: float, generator: torch.Generator) -> Tensor:
    """+1 for `round(excitatory * n)` neurons at random places, -1 for the others, [n]: one sign for all of a neuron's targets (Dale)."""
    sign_n = -torch.ones(n)
    sign_n[torch.randperm(n, generator=generator)[: round(excitatory * n)]] = 1.0
    return sign_n


def connection_probability(position_n3: Tensor, sign_n: Tensor, odds: Sequence[float], radius: float) -> Tensor:
    """P(j -> i) = C_ab exp(-D_ij^2 / radius^2), and no neuron onto itself.

    Args:
        position_n3: in grid spacings.
        sign_n: +1 excitatory, -1 inhibitory.
        odds: C[pre -> post] as (E->E, E->I, I->E, I->I), each 0..1. Codes differ in this order; here the sender comes first.
        radius: lambda, in grid spacings, > 0.

    Returns:
        float32 [post, pre], 0..1, with a zero diagonal.

    Raises:
        UserError: the radius is not positive, or the odds are not four values of 0..1.

    Source: Maass, Natschlaeger, Markram, "Real-time computing without stable states", Neural Computation 14, 2002.
    """
    if len(odds) != 4 or not all(0 <= c <= 1 for c in odds) or not radius > 0:
        raise UserError(f"odds={list(odds)}, radius={radius}; need four odds from 0 to 1 (E->E, E->I, I->E, I->I) and a positive radius")
    c_pre_post = torch.tensor(odds, dtype=torch.float64).view(2, 2)
    kind_n = (sign_n < 0).long()
    squared_nn = ((position_n3[:, None] - position_n3[None, :]).double() ** 2).sum(2)
    probability = c_pre_post[kind_n[None, :], kind_n[:, None]] * torch.exp(-squared_nn / radius**2)
    return probability.fill_diagonal_(0.0).float()


def local_probability(n: int, sensor: tuple[int, int, int], radius: float, synapses: float, generator: torch.Generator) -> Tensor:
    """P(pixel -> i) ~ exp(-d^2 / radius^2), d the distance to a place on the sensor that neuron i has drawn: it sees one patch.

    Args:
        sensor: channels, height, width; channels share the patch. radius: in pixels, > 0.
        synapses: expected number of a neuron's input synapses, as far as its patch has room for them.

    Returns:
        float32 [n, channels x height x width], 0..1.
    """
    channels, height, width = sensor
    centre_n2 = torch.rand(n, 2, generator=generator, dtype=torch.float64) * torch.tensor([height - 1.0, width - 1.0], dtype=torch.float64)
    row_nH, column_nW = (
        torch.exp(-((centre_n2[:, axis, None] - torch.arange(side)) ** 2) / radius**2) for axis, side in enumerate((height, width))
    )
    near_nHW = row_nH[:, :, None] * column_nW[:, None, :]
    share_nHW = near_nHW / near_nHW.sum((1, 2), keepdim=True)
    return (share_nHW * synapses / channels).clamp(max=1.0)[:, None].expand(-1, channels, -1, -1).flatten(1).float()


def draw_mask(probability: Tensor, generator: torch.Generator) -> Tensor:
    """One Bernoulli draw per entry; bool, same shape."""
    return torch.rand(probability.shape, generator=generator) < probability


def log_normal(shape: Sequence[int], spread: float, generator: torch.Generator) -> Tensor:
    """exp(spread z), z ~ N(0, 1): positive, median 1, mean exp(spread^2 / 2); float64."""
    return torch.exp(spread * torch.randn(*shape, dtype=torch.float64, generator=generator))


def on_grid(weight: Tensor) -> Tensor:
    """`weight` rounded to multiples of `GRID`, float32."""
    return (torch.round(weight / GRID) * GRID).float()


def balanced_unit(probability: Tensor, sign_n: Tensor) -> float:
    """1 / sqrt(K), K = expected number of excitatory synapses of a neuron: with it the recurrent input does not grow with the network.

    Source: van Vreeswijk, Sompolinsky, "Chaos in neuronal networks with balanced excitatory and inhibitory activity", Science 274, 1996.
    """
    k = float((probability * (sign_n > 0)).sum(1).mean())
    return 1.0 / math.sqrt(k) if k > 0 else 0.0
