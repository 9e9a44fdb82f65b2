"""The rival on the liquid's samples: the same spikes, costs by hand, the same bits twice, and a verdict by hand."""

import pytest
import torch

from snn5.bio import HARD, order_trial
from snn5.bio._readout import solution_macs
from snn5.bio._trials import ORDER_TEST, ORDER_TRAIN, order_sets
from snn5.bio.rival import order_splits, rival_trial, rival_verdict
from snn5.config import Liquid, Train
from snn5.record import Run

SETTINGS = Train(
    model="spiking_ssm",
    neuron="lif",
    model_args={"width": 4, "depth": 1, "d_state": 2, "dt_min": 0.1, "dt_max": 1.0},
    epochs=2,
    batch_size=32,
    lr=0.02,
    loss="rate",
    shift_pixels=0,
)


def test_the_rival_sees_the_liquids_samples() -> None:
    """To the last spike: the liquid's own draw with the same seed, and a validation set of the same prototypes behind it."""
    splits = order_splits(HARD, 3, dt_ms=5.0)
    _, (x_train, y_train), (x_test, y_test) = order_sets(HARD, torch.Generator().manual_seed(3), dt_ms=5.0)
    assert (splits.train.x_TNCHW[..., 0, 0] == x_train.numpy()).all() and (splits.test.x_TNCHW[..., 0, 0] == x_test.numpy()).all()
    assert (splits.train.y_N == y_train.numpy()).all() and (splits.test.y_N == y_test.numpy()).all()
    assert (len(splits.train), len(splits.test), len(splits.val)) == (ORDER_TRAIN, ORDER_TEST, 150)
    assert splits.train.x_TNCHW.shape == (20, 300, 40, 1, 1)


def test_what_the_liquid_paid() -> None:
    """A plastic pass shows the training set once more."""
    settings = Liquid(neurons=40, dt_ms=5.0, delay_ms=5.0, refractory_ms=5.0, drive=4.0)
    run = order_trial(settings, HARD, seed=0, bins=1)
    assert run.metrics["cost/train_macs"] == solution_macs(ORDER_TRAIN, 40, 6)
    assert run.metrics["cost/train_synops"] == pytest.approx(ORDER_TRAIN * run.metrics["cost/synops"], rel=0.05)


def test_a_solution_by_hand() -> None:
    """N 3, p 2, K 2: m = 2; 2 x 3 x 2 x 2 + 4.667 x 8 + 2 x 3 x 2 x 2."""
    assert solution_macs(3, 2, 2) == pytest.approx(12 + 8 * (4.5 + 1 / 6) + 24)
    assert solution_macs(2, 3, 2) == pytest.approx(12 + 8 * (4.5 + 1 / 6) + 24)


def test_a_trial_is_the_same_twice_and_counts_its_costs() -> None:
    splits = order_splits(HARD, 0, dt_ms=10.0)
    one, two, other = (rival_trial(SETTINGS, splits, seed=seed) for seed in (1, 1, 2))
    assert one.metrics == two.metrics and one.details["sha256"] == two.details["sha256"] != other.details["sha256"]
    # A step: stem 40 x 4, state space 4 x (6 + 3), mixing 4 x 8, gate 4, head 4 x 6.
    dense = 10 * (160 + 36 + 32 + 4 + 24)
    assert one.metrics["cost/train_macs"] == 2 * 300 * 3 * dense
    assert 0 < one.metrics["cost/synops"] < dense and one.metrics["cost/neuron_updates"] == 10 * 4 * 3
    energy = 0.9 * one.metrics["cost/synops"] + 4.6 * one.metrics["cost/macs"]
    assert one.metrics["cost/energy_pj"] == pytest.approx(energy)
    assert one.params["time_steps"] == 10 and one.details["n_test"] == 600


def test_verdict_by_hand() -> None:
    def made(accuracy: float, weights: str = "a") -> Run:
        return Run(metrics={"test/acc": accuracy}, details={"sha256": {"weights": weights}})

    groups = {"events": [made(0.9), made(0.94)], "order_hard": [made(0.5), made(0.7)]}
    summary, claims = rival_verdict(groups, made(0.5), reference="order_hard", target=0.91)
    assert summary["events/r2/steadiness"] == pytest.approx(1 - 0.0282843 / 0.92, abs=1e-6)
    assert [row["met"] for row in claims] == [True, True] and summary["verdict/all"] == 1.0
    summary, claims = rival_verdict(groups, made(0.5, "b"), reference="order_hard", target=0.93)
    assert [row["met"] for row in claims] == [False, False] and summary["verdict/deterministic"] == 0.0
