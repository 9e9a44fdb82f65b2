"""The read-out: ridge regression in closed form on standardised features, and a local rule that reaches it without any matrix inverse.

Shapes: N samples, p features, K classes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from snn5.errors import UserError

ALPHAS = tuple(10.0 ** (e / 2) for e in range(-8, 7))  # 1e-4 ... 1e3, two a decade


class Readout(NamedTuple):
    """scores_NK = x_Np @ weight_pK + bias_K, in float64.

    Attributes:
        alpha: the ridge penalty that made it.
    """

    weight_pK: Tensor
    bias_K: Tensor
    alpha: float

    def __call__(self, x_Np: Tensor) -> Tensor:
        """Scores [N, K]."""
        return x_Np.double() @ self.weight_pK + self.bias_K

    @property
    def macs(self) -> int:
        """Multiply-accumulates per sample (standardisation folded into the weights)."""
        return self.weight_pK.numel()


class Standardise(NamedTuple):
    """(x - mean) / sd with the statistics of one set; a feature that is constant there becomes 0."""

    mean_p: Tensor
    scale_p: Tensor

    def __call__(self, x_Np: Tensor) -> Tensor:
        """Standardised features, float64."""
        return (x_Np.double() - self.mean_p) * self.scale_p


def standardise(x_Np: Tensor) -> Standardise:
    """The map that gives `x_Np` (the training set, never another) mean 0 and sd 1."""
    x = x_Np.double()
    sd = x.std(0, correction=0)
    flat = sd <= 1e-12 * x.abs().amax(0).clamp_min(1e-300)
    return Standardise(x.mean(0), torch.where(flat, 0.0, 1.0 / torch.where(flat, 1.0, sd)))


def one_hot(y_N: Tensor, classes: int) -> Tensor:
    """+1 for the class, -1 for the others, float64 [N, K]."""
    return torch.nn.functional.one_hot(y_N.long(), classes).double() * 2 - 1


def ridge(x_Np: Tensor, target_NK: Tensor, alpha: float) -> Readout:
    """argmin_W,b |X W + b - Y|^2 + alpha |W|^2: the intercept is not penalised.

    Solved for centred data by a float64 Cholesky factor of the smaller of X'X + alpha I (primal) and X X' + alpha I (dual).

    Raises:
        UserError: alpha is not positive, or the lengths differ.
    """
    if not alpha > 0 or len(x_Np) != len(target_NK):
        raise UserError(f"ridge needs alpha > 0 and a target for each sample; got alpha={alpha}, {len(x_Np)} samples, {len(target_NK)} targets")
    x, y = x_Np.double(), target_NK.double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    n, p = x.shape
    if n < p:
        weight = x.T @ torch.cholesky_solve(y, torch.linalg.cholesky(x @ x.T + alpha * torch.eye(n, dtype=x.dtype)))
    else:
        weight = torch.cholesky_solve(x.T @ y, torch.linalg.cholesky(x.T @ x + alpha * torch.eye(p, dtype=x.dtype)))
    return Readout(weight, y_mean - x_mean @ weight, alpha)


def gcv(x_Np: Tensor, target_NK: Tensor, alphas: Sequence[float] = ALPHAS) -> list[float]:
    """Generalised cross-validation error for each alpha: N |Y - Yhat|^2 / (N - tr H)^2, the intercept counted in tr H.

    Source: Golub, Heath & Wahba 1979 (doi 10.1080/00401706.1979.10489751).
    """
    x, y = x_Np.double(), target_NK.double()
    x, y = x - x.mean(0), y - y.mean(0)
    n = len(x)
    values, vectors = torch.linalg.eigh(x @ x.T)
    values, power = values.clamp_min(0.0), ((vectors.T @ y) ** 2).sum(1)
    errors = []
    for alpha in alphas:
        shrink = alpha / (values + alpha)  # eigenvalues of I - H on the centred data; the constant vector (value 0) is fitted by the intercept
        errors.append(float(n * (shrink**2 * power).sum() / (shrink.sum() - 1) ** 2))
    return errors


def fit(x_Np: Tensor, y_N: Tensor, classes: int, alphas: Sequence[float] = ALPHAS) -> Readout:
    """Ridge for +-1 one-hot targets with the alpha that generalised cross-validation prefers (the larger one of equals).

    The features are standardised with their own statistics, which are folded into the result: it takes raw features.
    """
    scale = standardise(x_Np)
    x, target = scale(x_Np), one_hot(y_N, classes)
    errors = gcv(x, target, alphas)
    best = min(range(len(alphas)), key=lambda i: (errors[i], -alphas[i]))
    return _fold(ridge(x, target, alphas[best]), scale)


def _fold(readout: Readout, scale: Standardise) -> Readout:
    weight = readout.weight_pK * scale.scale_p[:, None]
    return Readout(weight, readout.bias_K - scale.mean_p @ weight, readout.alpha)


def accuracy(scores_NK: Tensor, y_N: Tensor) -> float:
    """The share of samples whose highest score is their class."""
    return float((scores_NK.argmax(1) == y_N).double().mean())
