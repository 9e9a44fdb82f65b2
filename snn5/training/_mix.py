"""Mixup and CutMix: a batch is mixed with itself in another order, and the labels in the same proportion lam ~ Beta(a, a).

    y~ = lam y + (1 - lam) y[order]        (one-hot)

One lam and one order a batch, as in the papers; all steps of a sample are mixed alike.
Sources: Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018, arXiv 1710.09412; Yun et al., CutMix: Regularization Strategy
to Train Strong Classifiers with Localizable Features, ICCV 2019, arXiv 1905.04899.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn5.config import Train
from snn5.errors import UserError

Mix = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Mixup:
    """x~ = lam x + (1 - lam) x[order].

    Args:
        alpha: a > 0 of Beta(a, a); small: mostly one of the two, 1: any share alike. classes: K.
    """

    alpha: float
    classes: int

    def __call__(self, x_TNCHW: Tensor, y_N: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """-> mixed x_TNCHW, y_NK."""
        share, order_N = _beta(self.alpha, generator), _order(y_N, generator)
        return torch.lerp(x_TNCHW[:, order_N], x_TNCHW, share), soft(y_N, order_N, share, self.classes)


@dataclass(frozen=True, kw_only=True)
class CutMix:
    """A box of x is that of x[order]. Its sides are sqrt(1 - lam) of the image's, its middle is any pixel; lam becomes the share left.

    Args:
        alpha: a > 0 of Beta(a, a). classes: K.
    """

    alpha: float
    classes: int

    def __call__(self, x_TNCHW: Tensor, y_N: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """-> mixed x_TNCHW, y_NK."""
        share, order_N = _beta(self.alpha, generator), _order(y_N, generator)
        (top, bottom), (left, right) = (_side(size, share, generator) for size in x_TNCHW.shape[-2:])
        mixed = x_TNCHW.clone()
        mixed[..., top:bottom, left:right] = x_TNCHW[:, order_N, :, top:bottom, left:right]
        share = 1 - (bottom - top) * (right - left) / math.prod(x_TNCHW.shape[-2:])
        return mixed, soft(y_N, order_N, share, self.classes)


@dataclass(frozen=True, kw_only=True)
class Sometimes:
    """One of `choices`, all alike, in the share `probability` of the batches; the others stay as they are, with one-hot labels."""

    choices: tuple[Mix, ...]
    probability: float
    classes: int

    def __call__(self, x_TNCHW: Tensor, y_N: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """-> x_TNCHW, y_NK."""
        mixes = torch.rand((), generator=generator).item() < self.probability
        which = int(torch.randint(0, len(self.choices), (), generator=generator))
        if not mixes:
            return x_TNCHW, F.one_hot(y_N, self.classes).to(torch.float32)
        return self.choices[which](x_TNCHW, y_N, generator)


def mix_of(settings: Train, model: nn.Module) -> Mix | None:
    """What params.yaml switches on; None where nothing is mixed (and nothing drawn). With both, each batch gets one of them.

    Raises:
        UserError: `model` does not say its number of classes.
    """
    if not (settings.mixup or settings.cutmix) or not settings.mix_probability:
        return None
    classes = getattr(model, "num_classes", None)
    if not isinstance(classes, int):
        raise UserError(
            f"mixup={settings.mixup}, cutmix={settings.cutmix} need a model with `num_classes`; {type(model).__name__} has none"
        )
    choices: list[Mix] = []
    if settings.mixup:
        choices.append(Mixup(alpha=settings.mixup, classes=classes))
    if settings.cutmix:
        choices.append(CutMix(alpha=settings.cutmix, classes=classes))
    return Sometimes(choices=tuple(choices), probability=settings.mix_probability, classes=classes)


def soft(y_N: Tensor, order_N: Tensor, share: float, classes: int) -> Tensor:
    """share onehot(y) + (1 - share) onehot(y[order]): y_NK, float, rows of sum 1."""
    y_NK = F.one_hot(y_N, classes).to(torch.float32)
    return share * y_NK + (1 - share) * y_NK[order_N]


def _order(y_N: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randperm(len(y_N), generator=generator).to(y_N.device)


def _beta(alpha: float, generator: torch.Generator) -> float:
    # torch's Beta takes no generator.
    seed = int(torch.randint(0, 2**63 - 1, (), generator=generator))
    return float(np.random.default_rng(seed).beta(alpha, alpha))


def _side(size: int, share: float, generator: torch.Generator) -> tuple[int, int]:
    """Begin and end of the box along an axis of `size` pixels, cut off at the image's borders."""
    half, middle = int(size * math.sqrt(1 - share)) // 2, int(torch.randint(0, size, (), generator=generator))
    return max(0, middle - half), min(size, middle + half)
