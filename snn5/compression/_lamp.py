"""How many weights each layer may keep: layer-adaptive magnitude scores (LAMP).

With a layer's weights in rising order of w^2,

    score_u = w_u^2 / sum_{v >= u} w_v^2        1 for the largest weight of every layer

and the globally smallest scores go: no layer is emptied as long as as many weights as layers stay. Only the number per layer is used.
Source: Lee, Park, Mo, Ahn, Shin, Layer-adaptive Sparsity for the Magnitude-based Pruning, ICLR 2021, arXiv 2010.07611.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from snn5.errors import UserError


def lamp_scores(weights: Tensor) -> Tensor:
    """Scores in [0, 1], in the shape of `weights`; a zero weight has 0."""
    square = torch.sort(weights.flatten().double() ** 2, stable=True)
    left = square.values.flip(0).cumsum(0).flip(0)
    scores = torch.where(square.values == 0, 0.0, square.values / left.clamp_min(torch.finfo(torch.float64).tiny))
    return torch.empty_like(scores).scatter(0, square.indices, scores).view(weights.shape)


def lamp_budgets(weights: Mapping[str, Tensor], keep: int) -> dict[str, int]:
    """How many weights each layer keeps when `keep` stay in all.

    Args:
        weights: of each layer. keep: as many as layers up to all that are not zero.

    Raises:
        UserError: `keep` is out of that range.
    """
    nonzero = sum(int(w.count_nonzero()) for w in weights.values())
    if not len(weights) <= keep <= nonzero:
        raise UserError(
            f"keep {keep} of {nonzero} non-zero weights in {len(weights)} layers; need {len(weights)} (one a layer) to {nonzero}: "
            "choose another sparsity"
        )
    scores = torch.cat([lamp_scores(w).flatten() for w in weights.values()])
    layer = torch.cat([torch.full((w.numel(),), i, device=scores.device) for i, w in enumerate(weights.values())])
    kept = torch.bincount(layer[scores.argsort(stable=True)[len(scores) - keep :]], minlength=len(weights))
    return dict(zip(weights, map(int, kept), strict=True))
