"""A trial on recordings, and what all seeds say together."""

from dataclasses import replace

import pytest
import torch

from snn5.bio import ABLATIONS, HARD, counts_trial, order_trial, recordings_trial, verdict
from snn5.bio._ablation import TASKS, ablation_summary, group_of
from snn5.bio._paired import half_width, paired_gain
from snn5.bio._trials import Samples
from snn5.config import Liquid as Settings
from snn5.config import Plasticity
from snn5.errors import UserError
from snn5.record import Run

SETTINGS = Settings(neurons=60, bins=3)


def recordings(samples: int, seed: int) -> Samples:
    """Three classes: a third of the pixels is busy in the first, in the second or in the last part of the window."""
    y_N = torch.arange(samples) % 3
    rate_TNC = torch.full((60, samples, 2, 3, 3), 0.02)
    for k in range(3):
        rate_TNC[20 * k : 20 * k + 20, y_N == k, :, k] = 0.3
    return (torch.rand(rate_TNC.shape, generator=torch.Generator().manual_seed(seed)) < rate_TNC).to(torch.uint8), y_N


SETS = (recordings(60, 0), recordings(30, 1), recordings(30, 2))


def test_recordings_trial() -> None:
    made = recordings_trial(SETTINGS, *SETS, classes=3, seed=4)
    assert made.metrics["test/acc"] > 0.9 and made.metrics["val/acc"] > 0.9 and made.metrics["test/acc_online"] > 0.9
    assert made.metrics["test/acc_reversed"] < made.metrics["test/acc"]
    assert made.metrics["cost/readout_macs"] == 60 * 3 * 3 and made.metrics["cost/neuron_updates"] == 60 * 60
    assert made.details["n_test"] == 30 and len(made.details["raster"]["points"]) <= 3000
    assert all(0 <= neuron < 60 and 0 <= step < 60 for neuron, step in made.details["raster"]["points"])


def test_same_seed_same_bits_other_seed_other_bits() -> None:
    first, again, other = (recordings_trial(SETTINGS, *SETS, classes=3, seed=s, batch=b) for s, b in ((4, 64), (4, 7), (5, 64)))
    assert first == again
    assert all(first.details["sha256"][key] != other.details["sha256"][key] for key in ("wiring", "train", "test", "readout"))


def test_no_figure_is_constant() -> None:
    """Every metric that a trial can move does move when the input doubles its rate or the seed changes."""
    busy = tuple(((torch.rand(x.shape, generator=torch.Generator().manual_seed(9)) < 0.1).to(torch.uint8) | x, y) for x, y in SETS)
    quiet, loud = (recordings_trial(SETTINGS, *sets, classes=3, seed=4).metrics for sets in (SETS, busy))
    fixed = ("cost/readout_macs", "cost/neuron_updates", "cost/train_macs")  # sizes
    moving = [name for name in quiet if name.startswith(("liquid/", "cost/")) and name not in fixed]
    assert len(moving) == 10 and all(quiet[name] != loud[name] for name in moving)


def test_the_test_set_decides_nothing() -> None:
    """Scrambled test labels change the figures about them and no hash."""
    scrambled = (SETS[2][0], SETS[2][1].roll(1))
    honest, cheated = (recordings_trial(SETTINGS, SETS[0], SETS[1], test, classes=3, seed=4) for test in (SETS[2], scrambled))
    assert cheated.details["sha256"] == honest.details["sha256"] and cheated.metrics["test/acc"] < 0.2


def test_silence_is_an_error() -> None:
    with pytest.raises(UserError, match="excitatory population is silent"):
        recordings_trial(replace(SETTINGS, drive=0.01), *SETS, classes=3, seed=0)


def test_counts_trial() -> None:
    made = counts_trial(SETS[0], SETS[2], classes=3, bins=3).metrics
    assert made["cost/acc_macs"] == 18 * 3 and made["cost/acc_bins_macs"] == 18 * 3 * 3 and made["test/acc_bins"] > 0.9


def group(accuracy: float, **more: float) -> list[Run]:
    return [Run(metrics={"test/acc": accuracy + shift, **more}, details={"sha256": {"test": str(shift)}}) for shift in (-0.01, 0.01)]


GROUPS = {
    "events": group(0.96),
    "events_gain0": group(0.95),
    "order_easy": group(0.99, **{"test/acc_input_counts": 0.26}),
    "order_hard": group(0.9, **{"test/acc_reversed": 0.1}),
    "order_hard_gain0": group(0.6),
}


def test_verdict_by_hand() -> None:
    summary, claims = verdict(GROUPS, GROUPS["events"][0], target=0.95)
    assert summary["events/test/acc"] == pytest.approx(0.96) and summary["events/test/acc_sd"] == pytest.approx(0.02 / 2**0.5)
    assert summary["compare/acc_of_recurrence"] == pytest.approx(0.3) and summary["verdict/all"] == 1.0
    assert [row["name"] for row in claims] == ["deterministic", "accuracy", "order", "counts", "reversal", "recurrence"]
    assert [row["at_least"] for row in claims] == [True, True, True, False, False, True]


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"events": group(0.93)}, "accuracy"),
        ({"order_easy": group(0.9, **{"test/acc_input_counts": 0.2})}, "order"),
        ({"order_easy": group(0.99, **{"test/acc_input_counts": 0.31})}, "counts"),
        ({"order_hard": group(0.9, **{"test/acc_reversed": 0.3})}, "reversal"),
        ({"order_hard_gain0": group(0.75)}, "recurrence"),
    ],
)
def test_every_claim_can_be_missed(change: dict[str, list[Run]], missed: str) -> None:
    groups = {**GROUPS, **change}
    summary, claims = verdict(groups, groups["events"][0], target=0.95)
    assert [row["name"] for row in claims if not row["met"]] == [missed]
    assert summary[f"verdict/{missed}"] == summary["verdict/all"] == 0.0


@pytest.mark.parametrize("again", [group(0.96)[1], Run(metrics=group(0.96)[0].metrics, details={"sha256": {"test": "other"}})])
def test_other_bits_are_noticed(again: Run) -> None:
    assert verdict(GROUPS, again, target=0.95)[0]["verdict/deterministic"] == 0.0


@pytest.mark.parametrize("task", ["events", "order"])
def test_a_liquid_may_learn_first(task: str) -> None:
    """Other rules, other liquid; all rules off is the frozen one; test labels still decide nothing."""

    def trial(learning: Plasticity | None, test: Samples = SETS[2]) -> Run:
        if task == "events":
            return recordings_trial(SETTINGS, SETS[0], SETS[1], test, classes=3, seed=4, online=False, learning=learning)
        return order_trial(SETTINGS, HARD, seed=4, bins=1, learning=learning)

    frozen = trial(None)
    found = {name: trial(replace(Plasticity(eta_threshold=0.05), **off)).metrics for name, off in ABLATIONS.items()}
    assert found["frozen"] == frozen.metrics
    assert len({tuple(sorted(metrics.items())) for metrics in found.values()}) == 4
    if task == "events":
        scrambled = (SETS[2][0], SETS[2][1].roll(1))
        assert trial(Plasticity(), scrambled).details["sha256"] == trial(Plasticity()).details["sha256"]


def test_ablations_by_hand() -> None:
    """Two seeds: gains 0.02 and 0.04 on the events, so 0.03 with a half width of 12.706 x 0.01414 / sqrt 2."""

    def runs(first: float, second: float) -> list[Run]:
        return [Run(metrics={"test/acc": a}) for a in (first, second)]

    groups = {group_of(task, name): runs(0.9, 0.92) for task in TASKS for name in ABLATIONS}
    groups["events_ip_stdp"] = runs(0.92, 0.96)
    summary = ablation_summary(groups)
    assert len(summary) == 2 * 4 * 4 and set(groups) >= {"events", "order_hard", "order_hard_ip"}
    assert summary["ablation/events/ip_stdp/gain"] == pytest.approx(0.03)
    assert summary["ablation/events/ip_stdp/gain_ci95"] == pytest.approx(12.7062 * 0.01, rel=1e-4)
    assert summary["ablation/events/frozen/gain"] == summary["ablation/events/frozen/gain_ci95"] == 0.0
    assert summary["ablation/events/frozen/acc_ci95"] == pytest.approx(12.7062 * 0.01, rel=1e-4)
    del groups["events_ip"]
    assert all(name.startswith("ablation/order_hard/") for name in ablation_summary(groups))
    assert ablation_summary({name: one[:1] for name, one in groups.items()}) == {}


def test_intervals_by_hand() -> None:
    """Student's t for 4 degrees of freedom is 2.776; one seed proves nothing."""
    assert half_width(1.0, 5) == pytest.approx(2.7764 / 5**0.5, rel=1e-4) and half_width(1.0, 1) == float("inf")
    assert paired_gain(group(0.9), group(0.8))[0] == pytest.approx(0.1)
