"""The read-out: ridge regression in closed form on standardised features.

Shapes: N samples, p features, K classes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from snn5.errors import UserError

ALPHAS = tuple(10.0 ** (e / 2) for e in range(-8, 7))  # 1e-4 ... 1e3, two a decade


class Readout(NamedTuple):
    """A linear map in float64: scores_NK = x_Np W + b.

    Attributes:
        alpha: the penalty that it was made with.
    """

    weight_pK: Tensor
    bias_K: Tensor
    alpha: float

    def __call__(self, x_Np: Tensor) -> Tensor:
        """Scores [N, K]; the class is the highest."""
        return x_Np.double() @ self.weight_pK + self.bias_K

    @property
    def macs(self) -> int:
        """Multiply-accumulates per sample."""
        return self.weight_pK.numel()

    def after(self, scale: "Standardise") -> "Readout":
        """The read-out of raw features that this one is of standardised ones: one map, no extra multiplications."""
        weight_pK = self.weight_pK * scale.factor_p[:, None]
        return Readout(weight_pK, self.bias_K - scale.mean_p @ weight_pK, self.alpha)


class Standardise(NamedTuple):
    """(x - mean) factor, factor = 1 / sd of the set that it was made from, 0 for a feature that is constant there."""

    mean_p: Tensor
    factor_p: Tensor

    def __call__(self, x_Np: Tensor) -> Tensor:
        """Standardised features, float64."""
        return (x_Np.double() - self.mean_p) * self.factor_p


def standardise(x_Np: Tensor) -> Standardise:
    """The map that gives `x_Np`, the training set and never another, mean 0 and sd 1."""
    x_Np = x_Np.double()
    constant_p = (x_Np == x_Np[0]).all(0)
    sd_p = x_Np.std(0, correction=0)
    return Standardise(x_Np.mean(0), torch.where(constant_p, 0.0, 1.0 / torch.where(constant_p, 1.0, sd_p)))


def one_hot(y_N: Tensor, classes: int) -> Tensor:
    """+1 for the class, -1 for the others; float64 [N, K]."""
    return torch.nn.functional.one_hot(y_N.long(), classes).double() * 2 - 1


def ridge(x_Np: Tensor, target_NK: Tensor, alpha: float) -> Readout:
    """argmin over W, b of |X W + b - Y|^2 + alpha |W|^2: the intercept is not penalised.

        W = (X'X + alpha I)^-1 X'Y = X' (X X' + alpha I)^-1 Y   on centred X and Y;   b = mean(Y) - mean(X) W

    by a float64 Cholesky factor of the first form, or of the second where N < p.

    Raises:
        UserError: alpha is not positive, or the lengths differ.
    """
    if not alpha > 0:
        raise UserError(f"alpha={alpha}; ridge regression needs a positive penalty")
    return _ridge(_centred(x_Np, target_NK), alpha)


def gcv(x_Np: Tensor, target_NK: Tensor, alphas: Sequence[float] = ALPHAS) -> list[float]:
    """Generalised cross-validation error of each alpha: N |Y - Yhat|^2 / (N - tr H)^2, H the hat matrix, its intercept included.

    Source: Golub, Heath, Wahba, "Generalized cross-validation as a method for choosing a good ridge parameter", Technometrics 21, 1979.
    """
    return _gcv(_centred(x_Np, target_NK), alphas)


def fit(x_Np: Tensor, y_N: Tensor, classes: int, alphas: Sequence[float] = ALPHAS) -> Readout:
    """A classifier of raw features: standardised by the training set, +-1 targets, the alpha of the least GCV error (the larger of equals).

    Args:
        x_Np, y_N: the training set; nothing else decides anything.
    """
    scale = standardise(x_Np)
    problem = _centred(scale(x_Np), one_hot(y_N, classes))
    errors = _gcv(problem, alphas)
    best = min(range(len(alphas)), key=lambda i: (errors[i], -alphas[i]))
    return _ridge(problem, alphas[best]).after(scale)


def solution_macs(samples: int, features: int, classes: int) -> float:
    """Multiply-accumulates of `fit`, to leading order.

        N p m + 4.5 m^3 + m^3 / 6 + 2 N p K,   m = min(N, p)

    the Gram matrix, its eigenvectors, the Cholesky factor of it with the penalty, and the products with the targets.

    Source: Golub, Van Loan, Matrix Computations, for a symmetric matrix: 9 m^3 operations for all eigenvectors, m^3 / 3 for a factor.
    """
    m = min(samples, features)
    return float(samples) * features * m + (4.5 + 1 / 6) * m**3 + 2.0 * samples * features * classes


def accuracy(scores_NK: Tensor, y_N: Tensor) -> float:
    """The share of samples whose highest score is their class."""
    return float((scores_NK.argmax(1) == y_N).double().mean())


class _Centred(NamedTuple):
    """A regression without its means, and the smaller of X X' and X'X."""

    x_Np: Tensor
    y_NK: Tensor
    x_mean_p: Tensor
    y_mean_K: Tensor
    gram: Tensor

    @property
    def dual(self) -> bool:
        return self.x_Np.shape[0] < self.x_Np.shape[1]


def _centred(x_Np: Tensor, target_NK: Tensor) -> _Centred:
    if x_Np.ndim != 2 or target_NK.ndim != 2 or len(x_Np) != len(target_NK):
        raise UserError(f"a read-out needs features [N, p] and targets [N, K]; got {list(x_Np.shape)} and {list(target_NK.shape)}")
    x, y = x_Np.double(), target_NK.double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    return _Centred(x, y, x_mean, y_mean, x @ x.T if x.shape[0] < x.shape[1] else x.T @ x)


def _ridge(problem: _Centred, alpha: float) -> Readout:
    x, y, x_mean, y_mean, gram = problem
    factor = torch.linalg.cholesky(gram + alpha * torch.eye(len(gram), dtype=x.dtype))
    weight = x.T @ torch.cholesky_solve(y, factor) if problem.dual else torch.cholesky_solve(x.T @ y, factor)
    return Readout(weight, y_mean - x_mean @ weight, alpha)


def _gcv(problem: _Centred, alphas: Sequence[float]) -> list[float]:
    x, y, _, _, gram = problem
    value_r, vector = torch.linalg.eigh(gram)
    value_r = value_r.clamp_min(0.0)
    if problem.dual:
        power_r = ((vector.T @ y) ** 2).sum(1)
    else:  # u = X v / sqrt(value) spans the same space
        power_r = ((vector.T @ (x.T @ y)) ** 2).sum(1) / value_r.clamp_min(1e-300)
        power_r = torch.where(value_r > 1e-12 * value_r[-1], power_r, 0.0)
    outside = (y**2).sum() - power_r.sum()
    errors = []
    for alpha in alphas:
        keep_r = alpha / (value_r + alpha)  # 1 - eigenvalues of H; 1 outside the span, 0 for the intercept
        residual = (keep_r**2 * power_r).sum() + outside
        errors.append(float(len(x) * residual / (keep_r.sum() + len(x) - len(value_r) - 1) ** 2))
    return errors
