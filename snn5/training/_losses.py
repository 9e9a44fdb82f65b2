"""Losses on logits_TNK. Labels are y_N, class indices, or y_NK, a probability for each class (mixup, CutMix)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from snn5.config import Train


@dataclass(frozen=True, kw_only=True)
class RateLoss:
    """Cross-entropy of the mean over steps: CE(1/T sum_t O(t), y)."""

    label_smoothing: float = 0.0

    def __call__(self, logits_TNK: Tensor, y_N: Tensor) -> Tensor:
        """y_N or y_NK -> scalar."""
        return F.cross_entropy(logits_TNK.mean(0), y_N, label_smoothing=self.label_smoothing)


@dataclass(frozen=True, kw_only=True)
class TETLoss:
    """Temporal efficient training: every step must answer, which is what an early exit needs.

        L = (1 - lam) 1/T sum_t CE(O(t), y) + lam 1/T sum_t MSE(O(t), phi),   phi = V_th = 1

    Source: Deng et al., Temporal Efficient Training of Spiking Neural Network via Gradient Re-weighting, ICLR 2022, arXiv 2202.11946.
    """

    lam: float = 0.05
    label_smoothing: float = 0.0

    def __call__(self, logits_TNK: Tensor, y_N: Tensor) -> Tensor:
        """y_N or y_NK -> scalar."""
        y_TN = y_N.repeat(logits_TNK.shape[0], *[1] * (y_N.ndim - 1))
        cross = F.cross_entropy(logits_TNK.flatten(0, 1), y_TN, label_smoothing=self.label_smoothing)
        return (1 - self.lam) * cross + self.lam * F.mse_loss(logits_TNK, torch.ones_like(logits_TNK))


def loss_of(settings: Train) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss that params.yaml names."""
    if settings.loss == "rate":
        return RateLoss(label_smoothing=settings.label_smoothing)
    return TETLoss(lam=settings.tet_lambda, label_smoothing=settings.label_smoothing)
