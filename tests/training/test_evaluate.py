"""Accuracy, loss and spike rates of hand-made models."""

import math

import pytest
import torch
from torch import Tensor, nn

from snn5.neurons import LIF
from snn5.training import Samples, evaluate, spike_rates


class Echo(nn.Module):
    """Answers its input, one step a row: logits_TNK = x[..., 0, 0] with C = K channels."""

    def __init__(self) -> None:
        super().__init__()
        self.modes: list[bool] = []

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        self.modes.append(self.training)
        return x_TNCHW[..., 0, 0]


def data(logits_TNK: list[list[list[int]]], labels: list[int]) -> Samples:
    x_TNCHW = torch.tensor(logits_TNK, dtype=torch.uint8)[..., None, None]
    return Samples(x_NTCHW=x_TNCHW.transpose(0, 1).contiguous(), y_N=torch.tensor(labels), scale=1.0)


# Sample 0: steps (3,0), (0,1): mean (1.5, .5) -> 0.   Sample 1: (0,1), (0,1) -> 1.   Sample 2: (2,0), (0,3): mean (1, 1.5) -> 1.
SET = data([[[3, 0], [0, 1], [2, 0]], [[0, 1], [0, 1], [0, 3]]], [0, 1, 0])


@pytest.mark.parametrize("batch_size", [1, 2, 256])
def test_accuracy_and_loss_by_hand(batch_size: int) -> None:
    found = evaluate(Echo(), SET, batch_size)
    assert found.prediction_N.tolist() == [0, 1, 1] and found.n == 3
    assert found.accuracy == 2 / 3 and found.rates == {}
    cross = [math.log(1 + math.exp(-1.0)), math.log(1 + math.exp(-1.0)), math.log(1 + math.exp(0.5))]
    assert found.loss == pytest.approx(sum(cross) / 3, rel=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_runs_in_eval_mode_and_puts_the_mode_back(training: bool) -> None:
    model = Echo().train(training)
    evaluate(model, SET)
    assert model.modes == [False] and model.training is training


def test_keeps_no_graph() -> None:
    class Scaled(Echo):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x_TNCHW: Tensor) -> Tensor:
            out = self.scale * super().forward(x_TNCHW)
            assert not out.requires_grad
            return out

    assert evaluate(Scaled(), SET).accuracy == 2 / 3


def test_rates_by_hand() -> None:
    """tau = 2, T = 2, two neurons: X = 2 fires at every step, X = 1.5 (V = .75, 1.125) at the second only: 3 spikes of 4."""
    model = nn.Sequential(LIF(), LIF(tau=2.0))
    with spike_rates(model) as rates:
        model(torch.tensor([[[2.0, 1.5]], [[2.0, 1.5]]]))
    assert rates["0"] == [3.0, 4.0]
    assert rates["1"] == [0.0, 4.0]  # spikes of 1 into tau = 2 settle below 1


def test_rates_count_over_batches_and_the_hooks_go() -> None:
    model = nn.Sequential(LIF())
    with spike_rates(model) as rates:
        model(torch.full((1, 3), 2.0))
        model(torch.full((1, 3), 0.0))
    assert rates["0"] == [3.0, 6.0]
    model(torch.full((1, 3), 2.0))
    assert rates["0"] == [3.0, 6.0]
    with pytest.raises(ZeroDivisionError), spike_rates(model):
        1 / 0  # noqa: B018
    assert not model[0]._forward_hooks
