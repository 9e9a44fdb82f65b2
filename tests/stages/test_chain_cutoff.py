"""P6's epsilon: as cautious as the target's energy allows; where it allows none, P5.1's choice."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import snn5.stages._chain_cutoff as module
from snn5.config import Cutoff, Integration
from snn5.stages._chain_cutoff import Exit, exit_of

EPSILONS = [0.05, 0.0, 0.02, 0.01]
COST = {0.0: 0.06, 0.01: 0.03, 0.02: 0.018, 0.05: 0.012}  # of the dense twin's energy, mean over seeds
ACCURACY = {0.0: 0.99, 0.01: 0.98, 0.02: 0.97, 0.05: 0.96}


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Networks that cost COST, one seed 0.001 less, the other 0.001 more: the epsilons that were tried on them."""
    found: list[float] = []

    def calibrate(network: str, train: str, *, epsilon: float, rule: str, seed: int) -> SimpleNamespace:
        assert (train, rule) == ("train", "gap") and network == f"network {seed - 100}"
        found.append(epsilon)
        return SimpleNamespace(epsilon=epsilon, cost=COST[epsilon] + (0.001 if seed == 102 else -0.001))

    def measure(stopped: SimpleNamespace, split: str, *, seed: int, protocol: str) -> SimpleNamespace:
        assert (split, protocol) == ("val", "validation")
        return SimpleNamespace(accuracy=ACCURACY[stopped.epsilon] + seed / 1000, cost=stopped.cost)

    def compare(own: SimpleNamespace, twin: str) -> SimpleNamespace:
        return SimpleNamespace(accuracy=own.accuracy, ratios={"ann_dense": {"fp32": own.cost}}, twin=twin)

    def try_epsilons(network: str, train: str, judges: Any, epsilons: Sequence[float], *, rules: list[str], seed: int) -> Any:
        assert (train, judges, rules) == ("train", {"val": "val"}, ["gap"]) and network == f"network {seed - 100}"
        return {"gap": {"val": SimpleNamespace(accuracy=tuple(ACCURACY[e] + (seed - 100) / 1000 for e in epsilons))}}

    monkeypatch.setenv("SNN5_WORKERS", "1")
    for function in (calibrate, measure, compare, try_epsilons):
        monkeypatch.setattr(module, "calibrate_cutoff" if function is calibrate else function.__name__, function)
    monkeypatch.setattr(module, "choose_epsilon", lambda tried, **_limits: 0.02 if len(tried) == 2 else 1 / 0)
    return found


def run(target: float) -> Exit:
    networks: Any = {seed: f"network {seed}" for seed in (1, 2)}
    twins: Any = dict.fromkeys(networks, "twin")
    splits: Any = SimpleNamespace(train="train", val="val")
    settings = replace(Integration(), target_ratio=target)
    return exit_of(networks, twins, splits, settings, Cutoff(epsilons=EPSILONS), seed_of=lambda seed: 100 + seed, label="p6")


@pytest.mark.parametrize(
    ("target", "epsilons"),
    [
        (0.07, (0.0, 0.0)),
        (0.04, (0.01, 0.01)),
        (0.02, (0.02, 0.02)),  # the energy that 0.05 would save is spent
        (0.0188, (0.02, 0.05)),  # 0.017 and 0.019: each network for itself
    ],
)
def test_the_energy_that_the_target_leaves_is_spent_on_caution(target: float, epsilons: tuple[float, ...], tried: list[float]) -> None:
    found = run(target)
    assert found.epsilons == epsilons and found.affordable
    assert found.accuracies == pytest.approx([ACCURACY[e] + seed / 1000 for seed, e in zip((1, 2), epsilons, strict=True)])
    assert set(epsilons) <= set(tried) and len(tried) <= 2 * 3  # two seeds; of four epsilons at most three are looked at


@pytest.mark.parametrize("target", [0.005, 0.012])  # 0.012: one network could, with 0.011, the other has 0.013
def test_accuracy_is_not_sold_for_a_target_out_of_reach(target: float, tried: list[float]) -> None:
    found = run(target)
    assert not found.affordable and found.epsilons == (0.02, 0.02)
    assert found.accuracies == pytest.approx([0.971, 0.972])
