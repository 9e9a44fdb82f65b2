"""The CIFAR-10 chain on a small untrained network: its rows and rivals, what goes on where it was, and that its settings are valid."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_cifar10_compressed import network
from test_cifar10_experiment import ROOT, SPLITS

from experiments import cifar10_chain
from snn5 import checkpoint, config
from snn5.checkpoint import of
from snn5.config import Effort
from snn5.files import read_json
from snn5.models import ann_twin
from snn5.training import Group

ROWS = {"ann", "qnn", "ann_pruned", "start", "sparse", "pruned", "quantised", "cutoff"}


@pytest.fixture
def asked() -> cifar10_chain.Plan:
    found = cifar10_chain.plan(ROOT / cifar10_chain.SETTINGS)
    train = replace(found.train, batch_size=16, precision="fp32", guard_epochs=0)
    chain = replace(found.chain, frames=Effort(epochs=1, quantised_epochs=1), calibration_per_class=4)
    return replace(found, train=train, chain=chain, cutoff=replace(found.cutoff, epsilons=[0.1]), sparsity=0.3)


def begin(folder: Path) -> None:
    """A network and its twin where experiments.cifar10 would put them."""
    made = network()
    checkpoint.save(made, folder / "cifar10_fast-seed0" / "chosen.safetensors")
    twin = ann_twin(made.build())
    card = replace(made.card, time_steps=1, neuron="relu", twin=True, model_args={**made.card.model_args, "time_steps": 1})
    checkpoint.save(of(twin, card), folder / "cifar10_fast-seed0" / "twin.safetensors")


def test_the_plan_is_valid_and_takes_from_params_what_it_does_not_name(asked: cifar10_chain.Plan) -> None:
    whole = cifar10_chain.plan(ROOT / cifar10_chain.SETTINGS)
    assert whole.time_steps >= 1 and whole.chain.target_ratio == 0.02 and whole.cutoff.rule == "gap"  # params.yaml's p6 and p5
    assert whole.train.loss == "tet" and 0 < whole.sparsity < 1


def test_rows_rivals_engine_and_times(asked: cifar10_chain.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10_chain, "frames_of", lambda _chosen: SPLITS)
    begin(tmp_path)
    chosen = config.load(ROOT / "params.yaml", "cifar10_fast")
    where: dict[str, Any] = {"result": tmp_path / "result.json", "begun": tmp_path, "kept": tmp_path / "kept"}
    cifar10_chain.main(chosen, 0, asked, **where)
    entry = read_json(tmp_path / "result.json")["profiles"]["cifar10_fast"]
    assert set(entry["rows"]) == ROWS and {row["n_test"] for row in entry["rows"].values()} == {20}
    final = entry["rows"]["cutoff"]["metrics"]
    assert all(
        f"cost/{kind}_{rival}" in final
        for kind in ("ratio", "memory_ratio")
        for rival in ("ann_dense", "ann_zero_skip", "qnn", "ann_pruned")
    )
    assert final["cost/steps_mean"] <= 2 and entry["rows"]["start"]["metrics"]["cost/steps_mean"] == 2
    assert entry["parity"]["engine/differences"] == 0.0 and entry["engine"]["n"] == 20
    assert {row["baseline"].split(" (")[0] for row in entry["times"]} >= {"dense twin in PyTorch", "the same network in SpikingJelly"}

    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise AssertionError("made once already")

    before = (tmp_path / "result.json").read_text()
    for name in ("sparse_of", "shrunk", "stopped", "rivals"):
        monkeypatch.setattr(f"experiments._chain.{name}", refuse)
    cifar10_chain.main(chosen, 0, asked, **where)
    again = read_json(tmp_path / "result.json")["profiles"]["cifar10_fast"]
    assert again["rows"] == entry["rows"] and before != ""


def test_other_settings_make_all_anew(tmp_path: Path) -> None:
    made, count = network(), 0

    def make() -> dict[str, checkpoint.Checkpoint]:
        nonlocal count
        count += 1
        return {"sparse": made}

    for used, wanted in (({"a": 1}, 1), ({"a": 1}, 1), ({"a": 2}, 2)):
        found = cifar10_chain.keeper(tmp_path, used, Group())(("sparse",), make)
        assert count == wanted
        assert all(torch.equal(found["sparse"].state[name], value) for name, value in made.state.items())
