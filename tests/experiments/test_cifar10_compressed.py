"""Compression of the CIFAR-10 network, on a small untrained one: the variants, their bits and zeros, and what is read from disk."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_cifar10_experiment import ROOT, SPLITS

from experiments import cifar10_compressed
from snn5 import checkpoint, config
from snn5.checkpoint import Card, of
from snn5.errors import UserError
from snn5.files import read_json
from snn5.models import ann_twin, create_model, initialise


def network() -> checkpoint.Checkpoint:
    lively = {"decay_input": False, "surrogate": "triangle", "v_threshold": 0.5}
    shape = {"in_channels": 3, "num_classes": 2, "image_size": 12, "time_steps": 3}
    model = create_model("spiking_airnet", neuron="lif", width=4, neuron_args=lively, **shape)
    initialise(model, torch.Generator().manual_seed(0))
    x_TNCHW = torch.from_numpy(SPLITS.train.x_TNCHW).float() / 255
    with torch.no_grad():
        for p in model.parameters():  # identities leave few weights to prune
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
        model.train()
        for _ in range(5):
            model(x_TNCHW)
    card = Card(model=model.name, model_args=model.arguments, dataset="made", time_steps=3, neuron="lif", preprocessing={"scale": 255})
    return of(model, card)


def test_every_variant_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10_compressed, "frames_of", lambda _chosen: SPLITS)
    chosen = config.load(ROOT / "params.yaml", "cifar10_fast")
    chosen = replace(chosen, p5=replace(chosen.p5, epsilons=[0.1]))
    checkpoint.save(network(), tmp_path / "cifar10_fast-seed0" / "chosen.safetensors")
    cifar10_compressed.main(chosen, 0, test=12, method="magnitude", result=tmp_path / "result.json", kept=tmp_path)
    entry = read_json(tmp_path / "result.json")["profiles"]["cifar10_fast"]
    found = entry["variants"]
    assert entry["n"] == 12 and all(one["n"] == 12 for one in found.values())
    assert all(one["ratios"]["ann_dense"] is None for one in found.values())
    assert set(found) == {f"{name}{cut}" for name in ("float", "int8", "int4", "pruned_int8") for cut in ("", "_cutoff")}
    assert set(found["int4"]["weight_bits"].values()) == {4} and found["int4"]["packed_bytes"] < found["float"]["packed_bytes"] / 4
    assert found["pruned_int8"]["params_nnz"] < 0.6 * found["float"]["params_nnz"]
    assert all(found[f"{name}_cutoff"]["steps_mean"] <= found[name]["steps_mean"] == 3 for name in ("float", "int8", "int4", "pruned_int8"))


def test_a_twin_is_the_rival_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10_compressed, "frames_of", lambda _chosen: SPLITS)
    monkeypatch.setattr(cifar10_compressed, "variants", lambda start, _few, _method: [("float", start)])
    made, folder = network(), tmp_path / "cifar10_fast-seed0"
    checkpoint.save(made, folder / "chosen.safetensors")
    twin = ann_twin(made.build())
    checkpoint.save(of(twin, replace(made.card, time_steps=1, neuron="relu", twin=True)), folder / "twin.safetensors")
    chosen = config.load(ROOT / "params.yaml", "cifar10_fast")
    cifar10_compressed.main(chosen, 0, test=12, method="magnitude", result=tmp_path / "result.json", kept=tmp_path)
    found = read_json(tmp_path / "result.json")["profiles"]["cifar10_fast"]["variants"]
    ratio = found["float"]["ratios"]["ann_dense"]["fp32"]
    assert ratio == pytest.approx(found["float"]["energy_pj"]["fp32"] / found["twin"]["dense_energy_pj"]["fp32"])
    assert set(found) == {"twin", "float", "float_cutoff"}


def test_without_the_network_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10_compressed, "frames_of", lambda _chosen: SPLITS)
    with pytest.raises(UserError, match=r"checkpoint .*chosen\.safetensors is missing"):
        cifar10_compressed.main(config.load(ROOT / "params.yaml", "cifar10_fast"), 0, test=4, method="sbc", kept=tmp_path)
