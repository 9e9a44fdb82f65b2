"""The task of spike order: no information in counts, all of it in time; what the liquid makes of it."""

import pytest
import torch
from scipy.stats import chi2

from snn5.bio import EASY, HARD, Liquid, OrderTask, accuracy, bin_counts, draw, fit, observe, order_trial, prototypes
from snn5.config import Liquid as Settings
from snn5.errors import UserError

SETTINGS = Settings(neurons=300)
CLEAN = OrderTask(classes=3, inputs=10, jitter_ms=0.0, noise=0.0)


def test_prototypes_are_permutations() -> None:
    times = prototypes(HARD, torch.Generator().manual_seed(0))
    assert times.shape == (6, 40)
    assert all(torch.equal(row.sort().values, times[0].sort().values) for row in times)
    assert len({tuple(row.tolist()) for row in times}) == 6
    assert times.min().item() == pytest.approx(5.0) and times.max().item() == pytest.approx(95.0)


@pytest.mark.parametrize("dt_ms", [0.5, 1.0, 2.0])
def test_clean_samples_are_the_prototypes(dt_ms: float) -> None:
    generator = torch.Generator().manual_seed(0)
    times = prototypes(CLEAN, generator)
    x_TNC, y_N = draw(CLEAN, times, 7, dt_ms=dt_ms, generator=generator)
    assert x_TNC.shape == (100 / dt_ms, 7, 10) and x_TNC.dtype == torch.uint8
    assert y_N.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert (x_TNC.sum(0) == 1).all()  # every input fires exactly once
    assert torch.equal(x_TNC.argmax(0), (times[y_N] / dt_ms).floor().long())


def test_jitter_and_noise() -> None:
    generator = torch.Generator().manual_seed(1)
    centre = torch.full((2, 10), 50.0)
    jittered = draw(OrderTask(classes=2, inputs=10, jitter_ms=6.0, noise=0.0), centre, 400, dt_ms=1.0, generator=generator)[0]
    assert (jittered.sum(0) == 1).all()
    assert jittered.argmax(0).float().std().item() == pytest.approx(6.0, rel=0.05)
    noisy = draw(OrderTask(classes=2, inputs=10, jitter_ms=0.0, noise=0.02), centre, 400, dt_ms=1.0, generator=generator)[0]
    background = torch.cat([noisy[:50], noisy[51:]]).sum(0).double()  # Binomial(99, 0.02)
    assert background.mean().item() == pytest.approx(1.98, rel=0.05) and background.var().item() == pytest.approx(1.94, rel=0.1)


def test_counts_carry_no_information() -> None:
    """Homogeneity of the distribution of counts over classes, chi-squared at p > 0.001; and the spikes' times do differ."""
    generator = torch.Generator().manual_seed(2)
    x_TNC, y_N = draw(HARD, prototypes(HARD, generator), 1200, dt_ms=1.0, generator=generator)
    counts_NC = x_TNC.long().sum(0).clamp(max=4)
    table = torch.stack([torch.bincount(counts_NC[y_N == k].flatten(), minlength=5)[1:] for k in range(6)]).double()
    expected = table.sum(1, keepdim=True) * table.sum(0) / table.sum()
    assert float(((table - expected) ** 2 / expected).sum()) < chi2.ppf(0.999, (6 - 1) * (4 - 1))
    early = torch.stack([x_TNC[:50, y_N == k].double().mean((0, 1)) for k in range(6)])
    assert early.std(0).mean() > 0.2 * early.mean()


def test_the_liquid_solves_it_and_counts_do_not() -> None:
    made = order_trial(SETTINGS, EASY, seed=7, bins=5).metrics
    assert made["test/acc"] >= 0.95
    assert made["test/acc_input_counts"] <= 1 / 4 + 0.05
    assert made["test/acc_reversed"] <= 1 / 4 + 0.05
    assert made["cost/readout_macs"] == 300 * 5 * 4 and made["cost/neuron_updates"] == 300 * 100
    assert made["cost/spikes"] == pytest.approx(made["cost/spike_rate"] * 300 * 100)


@pytest.mark.parametrize("seed", [11, 12])
def test_recurrence_helps_where_time_bins_do_not(seed: int) -> None:
    """Whole-window counts; cutting the recurrence costs 20 points or more, and time reversal brings the liquid to chance."""
    whole = order_trial(SETTINGS, HARD, seed=seed, bins=1).metrics
    cut = order_trial(Settings(neurons=300, gain=0.0), HARD, seed=seed, bins=1).metrics
    assert whole["test/acc"] >= cut["test/acc"] + 0.2
    assert whole["test/acc_reversed"] <= 1 / 6 + 0.05


def test_shuffled_labels_give_chance() -> None:
    generator = torch.Generator().manual_seed(3)
    times = prototypes(EASY, generator)
    x_train, y_train = draw(EASY, times, 300, dt_ms=1.0, generator=generator)
    x_test, y_test = draw(EASY, times, 600, dt_ms=1.0, generator=generator)
    liquid = Liquid(40, Settings(neurons=100), input_rate=0.014, generator=generator)
    seen, shown = (observe(liquid, x, lambda s: bin_counts(s, 5)).features_Np for x in (x_train, x_test))
    orders = [torch.randperm(300, generator=generator) for _ in range(40)]  # samples of a class are alike, so a single shuffle scatters
    by_shuffle = [accuracy(fit(seen, y_train[order], 4, (10.0,))(shown), y_test) for order in orders]
    assert sum(by_shuffle) / 40 == pytest.approx(0.25, abs=0.06)
    assert accuracy(fit(seen, y_train, 4)(shown), y_test) > 0.9


def test_a_silent_liquid_is_an_error_or_a_finding() -> None:
    mute = Settings(neurons=30, threshold=500.0)
    with pytest.raises(UserError, match="population is silent"):
        order_trial(mute, EASY, seed=0, bins=1)
    found = order_trial(mute, EASY, seed=0, bins=1, alive=False).metrics
    assert found["cost/spike_rate"] == 0.0 and found["test/acc"] == pytest.approx(0.25)


def test_impossible_task() -> None:
    with pytest.raises(UserError, match=r"classes=1.*need two classes"):
        OrderTask(classes=1)
