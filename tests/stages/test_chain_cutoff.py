"""P6's epsilon: as cautious as the target's energy allows, and never bolder than P5.1's choice."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import snn5.stages._chain_cutoff as module
from snn5.config import Cutoff, Integration
from snn5.stages._chain_cutoff import epsilon_of

EPSILONS = [0.0, 0.01, 0.02, 0.05]
COST = {0.0: 0.06, 0.01: 0.03, 0.02: 0.018, 0.05: 0.012}  # of the dense twin's energy, mean over seeds


@pytest.mark.parametrize(
    ("target", "chosen", "epsilon"),
    [
        (0.02, 0.05, 0.02),  # the energy that 0.05 would save is spent
        (0.0192, 0.05, 0.02),
        (0.0188, 0.05, 0.05),  # 0.018 and a standard error of 0.001 (two seeds, 0.001 either side) are too much
        (0.04, 0.05, 0.01),
        (0.07, 0.05, 0.0),
        (0.02, 0.01, 0.01),  # P5.1 allows no more: accuracy is not sold for the target
        (0.005, 0.05, 0.05),  # out of reach anyway
        (0.02, 0.0, 0.0),
    ],
)
def test_the_energy_that_the_target_leaves_is_spent_on_caution(
    target: float, chosen: float, epsilon: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []

    def calibrate(_network: Any, _train: Any, *, epsilon: float, rule: str, seed: int) -> tuple[float, int]:
        assert rule == "gap" and seed >= 100
        tried.append(epsilon)
        return epsilon, seed

    def compare(stopped: Any, _twin: Any) -> SimpleNamespace:
        epsilon, seed = stopped
        return SimpleNamespace(ratios={"ann_dense": {"fp32": COST[epsilon] + (0.001 if seed == 101 else -0.001)}})

    monkeypatch.setenv("SNN5_WORKERS", "1")
    monkeypatch.setattr(module, "choose_epsilon", lambda _tried, **_limits: chosen)
    monkeypatch.setattr(module, "calibrate_cutoff", calibrate)
    monkeypatch.setattr(module, "measure", lambda network, _val, **_how: network)
    monkeypatch.setattr(module, "compare", compare)
    made: Any = SimpleNamespace(tried=[], steps={seed: {"quantised": None} for seed in (1, 2)})
    twins: Any = {1: None, 2: None}
    splits: Any = SimpleNamespace(train=None, val=None)
    rules = {"seed_of": lambda seed: 100 + seed, "label": "p6"}
    found = epsilon_of(made, twins, splits, replace(Integration(), target_ratio=target), Cutoff(epsilons=EPSILONS), **rules)
    assert found == epsilon
    assert tried == sorted(tried, reverse=True) and max(tried) == chosen
