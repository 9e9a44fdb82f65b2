"""The comparison: figures that belong together do, and the verdict is arithmetic."""

import math

import pytest
import torch

from snn5.coding import Samples, compare, verdict
from snn5.config import Coding
from snn5.record import Run
from snn5.reproducible import one_thread

SETTINGS = Coding(time_steps=8, hidden=16, layers=2, epochs=8, batch_size=16, lr=1e-2)


def samples(n: int, seed: int) -> Samples:
    x = torch.rand(n, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).mul(8).round() / 8
    x[:, 5] = 0.0
    return Samples(x, x[:, :3].argmax(1))


def compared() -> dict[str, Run]:
    with one_thread():
        return compare(SETTINGS, samples(120, 0), samples(40, 1), samples(50, 2), classes=3, seed=5, tick=lambda: None)


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    return compared()


def test_ttfs_trains_as_relu_does(runs: dict[str, Run]) -> None:
    assert runs["relu"].metrics["test/logit_difference"] < 1e-8
    assert runs["ttfs"].curves["val/acc"] == runs["relu"].curves["val/acc"]
    assert runs["ttfs"].metrics["test/acc_continuous"] == runs["relu"].metrics["test/acc"]
    assert runs["ttfs"].metrics["test/simulation_error"] < 1e-12


def test_costs(runs: dict[str, Run]) -> None:
    rate, ttfs, relu = (runs[code].metrics for code in ("rate", "ttfs", "relu"))
    x = samples(50, 2).x_NI
    assert ttfs["cost/spikes_per_neuron_max"] == 1.0
    assert ttfs["cost/input_spikes"] == pytest.approx(float((x > 0).double().sum(1).mean()))
    assert rate["cost/input_spikes"] == pytest.approx(float(8 * x.sum(1).mean()))  # grey levels k/8 at T = 8: exact counts
    for figures, run in ((rate, runs["rate"]), (ttfs, runs["ttfs"])):
        inputs, first, second = run.details["spikes"]
        assert figures["cost/synops"] == pytest.approx(16 * inputs + 16 * first + 3 * second)
    assert (rate["cost/latency_steps"], ttfs["cost/latency_steps"]) == (8, 24)
    assert rate["cost/neuron_updates"] == 8 * (16 + 16 + 3)
    assert ttfs["cost/neuron_updates"] == 8 * (2 * 32 + 3)
    latch = runs["latch"].metrics
    assert latch["cost/spikes_per_neuron_max"] == 1.0 and latch["cost/latency_steps"] == 8
    assert latch["cost/input_spikes"] == ttfs["cost/input_spikes"]
    assert latch["cost/neuron_updates"] == 8 * 2 * (16 + 16 + 3)  # a held current and a potential each
    assert relu["cost/macs"] == 6 * 16 + 16 * 16 + 16 * 3
    assert 0 < relu["cost/macs_nonzero"] < relu["cost/macs"]


def test_rasters_show_the_first_sample(runs: dict[str, Run]) -> None:
    x = samples(50, 2).x_NI[0]
    drawn = {code: runs[code].details["raster"] for code in ("rate", "ttfs")}
    assert [len(row.replace("0", "")) for row in drawn["rate"][0]["rows"]] == (8 * x).int().tolist()
    assert [row.find("1") for row in drawn["ttfs"][0]["rows"]] == [int(8 - 8 * v) if v > 0 else -1 for v in x.tolist()]
    assert [layer["start"] for layer in drawn["ttfs"]] == [0, 8, 16] and [layer["start"] for layer in drawn["rate"]] == [0, 0, 0]


def test_a_seed_fixes_everything(runs: dict[str, Run]) -> None:
    assert compared() == runs


def made_up(rate_acc: float, ttfs_acc: float, synops: float, most: float = 1.0) -> dict[str, Run]:
    common = {
        "cost/synops_hidden": 1.0,
        "cost/input_spikes": 1.0,
        "cost/hidden_spikes": 3.0,
        "cost/latency_steps": 8.0,
        "cost/neuron_updates": 50.0,
    }
    rate = {**common, "test/acc": rate_acc, "cost/synops": 100.0}
    ttfs = {**common, "test/acc": ttfs_acc, "cost/synops": synops, "cost/spikes_per_neuron_max": most, "cost/input_spikes": 0.0}
    latch = {**common, "test/acc": rate_acc - 0.02, "cost/synops": 20.0}
    made = {"rate": rate, "ttfs": ttfs, "latch": latch, "relu": {"test/acc": ttfs_acc}}
    return {code: Run(metrics=metrics) for code, metrics in made.items()}


def test_verdict_by_hand() -> None:
    summary, claims = verdict(SETTINGS, [made_up(0.98, 0.97, 40), made_up(0.98, 0.98, 50), made_up(0.97, 0.96, 45)])
    assert summary["compare/synops_ratio"] == pytest.approx(0.45) and summary["compare/synops_ratio_sd"] == pytest.approx(0.05)
    assert summary["compare/spikes_ratio"] == pytest.approx(3 / 4)
    assert summary["compare/operations_ratio"] == pytest.approx(95 / 150)
    assert summary["compare/acc_loss_to_rate"] == pytest.approx(0.02 / 3)
    sd = math.sqrt(((0.01 - 0.02 / 3) ** 2 * 2 + (0.02 / 3) ** 2) / 2)
    assert summary["compare/acc_loss_to_rate_sd"] == pytest.approx(sd)
    assert summary["compare/acc_loss_to_rate_ci95"] == pytest.approx(4.302653 * sd / math.sqrt(3), rel=1e-6)  # t(0.975, 2)
    assert summary["latch/synops_ratio"] == pytest.approx(0.2) and summary["latch/acc_loss_to_rate"] == pytest.approx(0.02)
    assert summary["verdict/all"] == 1.0 and all(row["met"] for row in claims)


@pytest.mark.parametrize(
    ("missed", "runs"),
    [("accuracy", made_up(0.98, 0.96, 40)), ("synops", made_up(0.98, 0.98, 51)), ("one_spike", made_up(0.98, 0.98, 40, most=2.0))],
)
def test_a_missed_claim_is_said(missed: str, runs: dict[str, Run]) -> None:
    summary, claims = verdict(SETTINGS, [runs, runs])
    assert {row["name"] for row in claims if not row["met"]} == {missed}
    assert summary[f"verdict/{missed}"] == summary["verdict/all"] == 0.0
