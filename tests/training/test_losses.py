"""Losses against numbers worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from snn5.config import Train
from snn5.training import RateLoss, TETLoss, loss_of

# Two steps, one sample, two classes, label 0. Softmax of (ln 3, 0) is (3/4, 1/4).
LOGITS = torch.tensor([[[math.log(3.0), 0.0]], [[0.0, 0.0]]], dtype=torch.float64)
LABEL = torch.tensor([0])


def test_rate_loss_is_the_cross_entropy_of_the_mean() -> None:
    """Mean logits (ln 3 / 2, 0): p_0 = sqrt 3 / (1 + sqrt 3)."""
    assert RateLoss()(LOGITS, LABEL).item() == pytest.approx(-math.log(math.sqrt(3) / (1 + math.sqrt(3))))


def test_tet_loss_is_the_mean_of_the_cross_entropies_and_the_pull_to_one() -> None:
    cross = (-math.log(3 / 4) - math.log(1 / 2)) / 2
    square = ((math.log(3) - 1) ** 2 + 1 + 1 + 1) / 4
    assert TETLoss(lam=0.0)(LOGITS, LABEL).item() == pytest.approx(cross)
    assert TETLoss(lam=1.0)(LOGITS, LABEL).item() == pytest.approx(square)
    assert TETLoss(lam=0.05)(LOGITS, LABEL).item() == pytest.approx(0.95 * cross + 0.05 * square)


def test_label_smoothing() -> None:
    """Share e goes to all K = 2 classes alike: target (1 - e/2, e/2); step 1 gives (3/4, 1/4), step 2 (1/2, 1/2)."""
    first = -0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4)
    assert TETLoss(lam=0.0, label_smoothing=0.2)(LOGITS, LABEL).item() == pytest.approx((first + math.log(2)) / 2)
    assert RateLoss(label_smoothing=0.2)(LOGITS[:1], LABEL).item() == pytest.approx(first)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_tet_pairs_labels_with_samples_at_every_step() -> None:
    """Permuting the samples with their labels changes nothing; permuting the labels alone does."""
    logits_TNK, y_N, order = noise(3, 5, 4), torch.tensor([0, 1, 2, 3, 1]), torch.tensor([2, 0, 4, 1, 3])
    loss = TETLoss()
    assert loss(logits_TNK[:, order], y_N[order]).item() == pytest.approx(loss(logits_TNK, y_N).item(), rel=1e-12)
    assert abs(loss(logits_TNK, y_N[order]).item() - loss(logits_TNK, y_N).item()) > 0.1


def test_tet_never_falls_below_rate() -> None:
    """Cross-entropy is convex in the logits: the mean of the losses is at least the loss of the mean."""
    logits_TNK, y_N = noise(6, 50, 4), torch.arange(50) % 4
    assert TETLoss(lam=0.0)(logits_TNK, y_N) > RateLoss()(logits_TNK, y_N)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_one_hot_labels_are_labels(smoothing: float) -> None:
    logits_TNK, y_N = noise(3, 5, 4), torch.tensor([0, 1, 2, 3, 1])
    y_NK = torch.nn.functional.one_hot(y_N, 4).double()
    for loss in (RateLoss(label_smoothing=smoothing), TETLoss(label_smoothing=smoothing)):
        assert loss(logits_TNK, y_NK).item() == pytest.approx(loss(logits_TNK, y_N).item(), rel=1e-12)


def test_the_loss_of_mixed_labels_is_the_mixed_loss() -> None:
    """Cross-entropy is linear in the target: 0.3 of one labelling's loss and 0.7 of the other's, at every step and sample."""
    logits_TNK, first, second = noise(3, 5, 4), torch.tensor([0, 1, 2, 3, 1]), torch.tensor([3, 1, 0, 0, 2])
    y_NK = 0.3 * torch.nn.functional.one_hot(first, 4).double() + 0.7 * torch.nn.functional.one_hot(second, 4).double()
    for loss in (RateLoss(label_smoothing=0.1), TETLoss(label_smoothing=0.1)):
        mixed = 0.3 * loss(logits_TNK, first) + 0.7 * loss(logits_TNK, second)
        assert loss(logits_TNK, y_NK).item() == pytest.approx(mixed.item(), rel=1e-12)


def test_the_loss_that_params_name() -> None:
    chosen = loss_of(Train(model="m", epochs=2, loss="tet", tet_lambda=0.3, label_smoothing=0.1))
    assert chosen == TETLoss(lam=0.3, label_smoothing=0.1)
    assert loss_of(Train(model="m", epochs=2, loss="rate", label_smoothing=0.1)) == RateLoss(label_smoothing=0.1)
