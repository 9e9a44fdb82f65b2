"""The running mean of weights, by hand, and that a training with one validates and keeps it."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import snn5.training._fit as fit_module
from snn5.config import Train
from snn5.models import create_model, initialise
from snn5.training import Average, Evaluation, Samples, evaluate, fit
from snn5.training._average import copy_of

SETTINGS = Train(model="sew_resnet8", epochs=3, batch_size=8, lr=1e-2, shift_pixels=0)


def noise(n: int = 32, seed: int = 0) -> Samples:
    generator = torch.Generator().manual_seed(seed)
    x_NTCHW = torch.randint(0, 256, (n, 1, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return Samples(x_NTCHW=x_NTCHW, y_N=torch.randint(0, 3, (n,), generator=generator), scale=64.0)


def net() -> nn.Module:
    lively = {"tau": 1.2, "v_threshold": 0.3}
    model = create_model("sew_resnet8", in_channels=1, num_classes=3, image_size=8, time_steps=2, width=4, neuron_args=lively)
    initialise(model, torch.Generator().manual_seed(0))
    return model


def test_the_mean_by_hand() -> None:
    """d = 2/11, 3/12, then 0.3 (the limit): weights 0 | 11, 4, 10 -> 9, 5.25, 8.575."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = Average(model, 0.3)
    for value, mean in ((11.0, 9.0), (4.0, 5.25), (10.0, 8.575)):
        nn.init.constant_(model.weight, value)
        average.update(model)
        assert average.mean["weight"].item() == pytest.approx(mean)


def test_statistics_are_averaged_and_counters_copied() -> None:
    model = nn.BatchNorm1d(1)
    average = Average(model, 0.5)
    model.running_mean.fill_(11.0)
    model.num_batches_tracked.fill_(7)
    average.update(model)
    assert average.mean["running_mean"].item() == pytest.approx(9.0) and average.mean["num_batches_tracked"].item() == 7


def test_applied_and_put_back_even_after_an_error() -> None:
    model = nn.Linear(2, 2)
    average, own = Average(model, 0.9), copy_of(model)
    nn.init.ones_(model.weight)
    with pytest.raises(ZeroDivisionError), average.applied(model):
        assert torch.equal(model.weight, own["weight"])
        _ = 1 / 0
    assert torch.equal(model.weight, torch.ones(2, 2))


def test_best_and_last_are_the_mean_that_was_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    means, raw, real = [], [], Average.update

    def update(self: Average, model: nn.Module) -> None:
        real(self, model)
        means.append({name: value.clone() for name, value in self.mean.items()})
        raw.append(copy_of(model))

    monkeypatch.setattr(Average, "update", update)
    model = net()
    found = fit(model, noise(), noise(8, 1), replace(SETTINGS, ema_decay=0.9), generator=torch.Generator().manual_seed(0))
    assert len(means) == 12
    for name, value in means[-1].items():
        assert torch.equal(found.last[name], value) and torch.equal(model.state_dict()[name], value), name
        assert torch.equal(found.best[name], means[4 * found.best_epoch + 3][name]), name
    assert not torch.equal(found.last["head.weight"], raw[-1]["head.weight"])
    assert evaluate(model, noise(8, 1)).loss == found.curves["val/loss"][-1][1]


def test_the_steps_are_those_without_a_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """It watches: the losses, and so the weights, of the training itself stay as they are."""
    monkeypatch.setattr(fit_module, "evaluate", lambda _m, data: Evaluation(accuracy=0, loss=0, n=1, rates={}, prediction_N=data.y_N))
    runs = [
        fit(net(), noise(), noise(8, 1), replace(SETTINGS, ema_decay=decay), generator=torch.Generator().manual_seed(0))
        for decay in (0.0, 0.9)
    ]
    assert runs[0].curves == runs[1].curves
