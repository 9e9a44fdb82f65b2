"""The small training loop."""

import pytest
import torch
from torch import nn

from snn5.coding._fit import Fit, Samples, accuracy, fit, share_right
from snn5.neurons import TTFS

GENERATOR = torch.Generator().manual_seed(2)
X = torch.rand(90, 4, dtype=torch.float64, generator=GENERATOR)
SAMPLES = Samples(X, X[:, :3].argmax(1))
VAL = Samples(SAMPLES.x_NI[:12], SAMPLES.y_N[:12])  # few, so that epochs tie


def trained(epochs: int = 12, model: nn.Module | None = None) -> tuple[nn.Module, Fit, list[int]]:
    model, ticks = model or TTFS([4, 20, 3]).twin(), []
    result = fit(
        model,
        SAMPLES,
        VAL,
        epochs=epochs,
        batch_size=16,
        lr=1e-2,
        label_smoothing=0.1,
        generator=torch.Generator().manual_seed(1),
        tick=lambda: ticks.append(1),
    )
    return model, result, ticks


def test_it_learns_and_says_which_epoch_validation_chose() -> None:
    model, result, ticks = trained(20)
    scores = [value for _, value in result.curves["val/acc"]]
    losses = [value for _, value in result.curves["train/loss"]]
    assert len(ticks) == len(scores) == len(losses) == 20
    assert losses[-1] < losses[0] and max(scores) > 0.9
    assert scores.count(max(scores)) > 1  # a tie to break
    assert result.epoch == 1 + scores.index(max(scores))  # the earliest of the best
    model.load_state_dict(result.selected)
    assert accuracy(model, VAL) == max(scores)
    model.load_state_dict(result.last)
    assert accuracy(model, VAL) == scores[-1]


def test_a_seed_fixes_every_bit_and_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    one, two = trained(3)[1], trained(3)[1]
    assert torch.equal(torch.get_rng_state(), before)
    assert one.curves == two.curves and all(torch.equal(one.last[name], two.last[name]) for name in one.last)


def test_share_right() -> None:
    assert share_right(torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0]]), torch.tensor([1, 1, 1])) == pytest.approx(2 / 3)
