"""The N-MNIST chain: its settings are valid, and its table pools the folds."""

from dataclasses import asdict

import pytest

from experiments import nmnist_chain
from snn5.config import Train


def test_the_plan_takes_from_params_what_it_does_not_name() -> None:
    asked = nmnist_chain.plan()
    assert isinstance(asked.train, Train) and asked.chain.events.epochs == 20
    assert asked.chain.teacher_weight == 4.0 and asked.cutoff.rule == "gap"  # params.yaml's p6 and p5
    assert 0 < asked.sparsity < 1 and asked.bits in asked.widths


def test_the_table_pools_the_recordings_and_spreads_over_the_folds() -> None:
    def fold(n: int, accuracy: float, energy: float) -> dict[str, object]:
        return {"ann": {"n_test": n, "metrics": {"test/acc": accuracy, "cost/energy_pj": energy}}}

    [entry] = nmnist_chain.table_of([fold(10, 0.9, 1.0), fold(20, 0.6, 3.0)]).values()
    assert entry["right"] == 21 and entry["n"] == 30 and entry["pooled/acc"] == pytest.approx(0.7)
    assert entry["test/acc"] == pytest.approx(0.75) and entry["cost/energy_pj_sd"] == pytest.approx(2**0.5)


def test_a_fold_that_was_made_before_a_setting_existed_still_counts() -> None:
    """What was fixed then has its value of then; any other value makes the fold anew."""
    now = {"plan": asdict(nmnist_chain.plan()), "seed": 5}
    before = {"plan": {**now["plan"], "chain": {k: v for k, v in now["plan"]["chain"].items() if k not in nmnist_chain.SINCE}}, "seed": 5}
    before["plan"].pop("calibrated")
    assert nmnist_chain.used(before) == nmnist_chain.used(now)
    for changed in ({"teacher_precision": "bf16"}, {"prune_method": "magnitude"}, {"lr": 1.0}):
        other = {"plan": {**now["plan"], "chain": now["plan"]["chain"] | changed}, "seed": 5}
        assert nmnist_chain.used(other) != nmnist_chain.used(before)
