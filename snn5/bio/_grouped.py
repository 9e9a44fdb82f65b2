"""The penalty of the read-out chosen on groups that it was not fitted to: speakers, sessions, cameras.

Generalised cross-validation leaves single samples out; where those of one group resemble each other, it asks for too small a penalty.
Shapes: N samples, p features, K classes.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from snn5.bio._readout import Readout, one_hot, ridge, standardise
from snn5.errors import UserError

GROUPED_ALPHAS = tuple(10.0 ** (e / 2) for e in range(2, 11))  # 1e1 ... 1e5, two a decade


def leave_groups_out(x_Np: Tensor, y_N: Tensor, group_N: Tensor, classes: int, alphas: Sequence[float] = GROUPED_ALPHAS) -> list[float]:
    """For each alpha the share of samples that a read-out of all other groups names rightly.

        W_a = X' V (L + a I)^-1 V' Y,   X X' = V L V' on centred X and Y

    so that one decomposition serves all penalties.

    Args:
        group_N: whole numbers; samples of one group are left out together.
        alphas: each > 0.

    Raises:
        UserError: fewer than two groups, or an alpha that is not positive.
    """
    if len(group_N.unique()) < 2:
        raise UserError(f"group_N holds {len(group_N.unique())} group; leaving one out needs at least two")
    if not all(alpha > 0 for alpha in alphas):
        raise UserError(f"alphas={list(alphas)}; ridge regression needs positive penalties")
    right = [0] * len(alphas)
    for out_N in _each(group_N):
        scale = standardise(x_Np[~out_N])
        x, target, asked = scale(x_Np[~out_N]), one_hot(y_N[~out_N], classes), scale(x_Np[out_N])
        mean_p, mean_K = x.mean(0), target.mean(0)
        x = x - mean_p
        value_N, vector = torch.linalg.eigh(x @ x.T)
        towards, wanted = (asked - mean_p) @ x.T @ vector, vector.T @ (target - mean_K)
        for place, alpha in enumerate(alphas):
            scores_NK = (towards / (value_N.clamp_min(0.0) + alpha)) @ wanted + mean_K
            right[place] += int((scores_NK.argmax(1) == y_N[out_N]).sum())
    return [count / len(y_N) for count in right]


def fit_grouped(
    x_Np: Tensor, y_N: Tensor, group_N: Tensor, classes: int, alphas: Sequence[float] = GROUPED_ALPHAS
) -> tuple[Readout, float]:
    """As `fit`, with the alpha that is best on groups left out (the larger of equals); also that accuracy."""
    found = leave_groups_out(x_Np, y_N, group_N, classes, alphas)
    best = max(range(len(alphas)), key=lambda i: (found[i], alphas[i]))
    scale = standardise(x_Np)
    return ridge(scale(x_Np), one_hot(y_N, classes), alphas[best]).after(scale), found[best]


def _each(group_N: Tensor) -> Iterator[Tensor]:
    for group in group_N.unique():
        yield group_N == group
