"""The CIFAR-10 chain on a small untrained network: its rows and rivals, what goes on where it was, and that its settings are valid."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_cifar10_compressed import network
from test_cifar10_experiment import ROOT, SPLITS

from experiments import _chain, cifar10_chain
from snn5 import checkpoint, config
from snn5.checkpoint import of
from snn5.config import Effort
from snn5.errors import NotPortable, UserError
from snn5.files import read_json
from snn5.hardware import to_integer
from snn5.inference import engine
from snn5.models import ann_twin
from snn5.report import Results
from snn5.report._targets import targets
from snn5.report.sections import _cifar10_chain
from snn5.stages._chain import shown_for
from snn5.training import Group

ROWS = {"ann", "qnn", "ann_pruned", "start", "sparse", "pruned", "quantised", "cutoff"}


@pytest.fixture
def asked() -> cifar10_chain.Plan:
    found = cifar10_chain.plan(ROOT / cifar10_chain.SETTINGS)
    train = replace(found.train, batch_size=16, precision="fp32", guard_epochs=0)
    chain = replace(found.chain, frames=Effort(epochs=1, quantised_epochs=1), calibration_per_class=4)
    return replace(found, train=train, chain=chain, cutoff=replace(found.cutoff, epsilons=[0.1]), sparsity=0.3)


def begin(folder: Path, seed: int = 0) -> None:
    """A network and its twin where experiments.cifar10 would put them."""
    made = network()
    checkpoint.save(made, folder / f"cifar10_fast-seed{seed}" / "chosen.safetensors")
    twin = ann_twin(made.build())
    card = replace(made.card, time_steps=1, neuron="relu", twin=True, model_args={**made.card.model_args, "time_steps": 1})
    checkpoint.save(of(twin, card), folder / f"cifar10_fast-seed{seed}" / "twin.safetensors")


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
    found = read_json(tmp_path / "result.json")
    [(name, entry)] = found["runs"].items()
    assert name == "cifar10_fast-seed0" and set(entry["rows"]) == ROWS and {row["n_test"] for row in entry["rows"].values()} == {20}
    final = entry["rows"]["cutoff"]["metrics"]
    rivals = ("ann_dense", "ann_zero_skip", "qnn", "ann_pruned")
    assert all(f"cost/{kind}_{rival}" in final for kind in ("ratio", "memory_ratio") for rival in rivals)
    assert final["cost/steps_mean"] <= 2 and entry["rows"]["start"]["metrics"]["cost/steps_mean"] == 2
    assert (
        entry["parity"]["differences"] == 0 < entry["parity"]["compared"]
        and entry["engine"]["bits"] == 8
        and entry["engine"]["n"] == entry["parity"]["n"] == 20
    )
    baselines = {row["baseline"].split(" (")[0] for row in entry["times"]["rows"]}
    assert baselines >= {"dense twin in PyTorch", "the same network in SpikingJelly"}
    results = Results({}, {"cifar10_chain": found})
    assert (
        len(_cifar10_chain.parts(results)) == 2 and "Recorded on CIFAR-10 (`cifar10_fast`, seed 0, n = 20)" in targets(results)[1].notes[-1]
    )

    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise AssertionError("made once already")

    for step in ("sparse_of", "shrunk", "stopped", "rivals"):
        monkeypatch.setattr(f"experiments._chain.{step}", refuse)
    cifar10_chain.main(chosen, 0, asked, **where)
    assert read_json(tmp_path / "result.json")["runs"][name]["rows"] == entry["rows"]
    with pytest.raises(AssertionError, match="made once already"):
        cifar10_chain.main(chosen, 0, replace(asked, sparsity=0.4), **where)


def test_a_second_seed_stands_beside_the_first(asked: cifar10_chain.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10_chain, "frames_of", lambda _chosen: SPLITS)
    monkeypatch.setattr(cifar10_chain, "ported", lambda *_args: {})
    chosen = config.load(ROOT / "params.yaml", "cifar10_fast")
    for seed in (1, 0):
        begin(tmp_path, seed)
        cifar10_chain.main(chosen, seed, asked, result=tmp_path / "result.json", begun=tmp_path, kept=tmp_path / "kept")
    assert list(read_json(tmp_path / "result.json")["runs"]) == ["cifar10_fast-seed0", "cifar10_fast-seed1"]


def test_a_network_without_a_guide_is_refused(asked: cifar10_chain.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10_chain, "frames_of", lambda _chosen: SPLITS)
    begin(tmp_path)
    (tmp_path / "cifar10_fast-seed0" / "twin.safetensors").unlink()
    with pytest.raises(UserError, match="needs a network that had a guide"):
        cifar10_chain.main(config.load(ROOT / "params.yaml", "cifar10_fast"), 0, asked, begun=tmp_path, kept=tmp_path / "kept")


def test_the_whole_numbers_are_as_wide_as_the_potentials_allow() -> None:
    """A filter 2000 times smaller than its threshold asks for a large one; with fewer bits everything is smaller."""
    made = network()
    weight = made.state["stem_conv.1.weight"]
    stem = {"stem_conv.1.weight": 300 * weight.abs(), "stem_conv.2.weight": torch.full_like(made.state["stem_conv.2.weight"], 30.0)}
    loud = replace(made, state={**made.state, **stem})
    bits, found = cifar10_chain.in_whole_numbers(loud, SPLITS.val)
    engine.compile(found)(SPLITS.val.x_TNCHW.astype("int32"))
    assert bits < 8 == cifar10_chain.in_whole_numbers(made, SPLITS.val)[0]
    with pytest.raises(NotPortable, match="24 bits"):
        engine.compile(to_integer(loud, bits=bits + 1))(SPLITS.val.x_TNCHW.astype("int32"))


def test_another_number_of_steps_is_noted_and_takes_no_exit_along() -> None:
    made = network()
    early = replace(made, card=replace(made.card, cutoff={"rule": "gap", "thresholds": [1.0, 1.0, 1.0]}))
    found = shown_for(early, 2)
    assert found.card.time_steps == found.build().time_steps == 2 and found.card.cutoff is None
    assert found.card.transforms[-1].args == {"time_steps": 2}


def test_the_first_training_images_fit_the_exit(asked: cifar10_chain.Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(_chain, "choose_cutoff", lambda _source, train, _val, **_rules: seen.append(train))
    for count in (5, None):
        _chain.stopped(replace(asked, calibrated=count), network(), SPLITS, 0)
    assert [split.x_TNCHW.shape[1] for split in seen] == [len(split.y_N) for split in seen] == [5, 64]
    assert (seen[0].index_N == SPLITS.train.index_N[:5]).all()


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
