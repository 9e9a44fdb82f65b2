"""p5_spinnaker on a small checkout. The mapping itself is tested in tests/hardware; here its numbers are given."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from snn5 import checkpoint, config, record
from snn5.datasets import Split, save_split
from snn5.errors import UserError
from snn5.hardware import IntegerNetwork, spinnaker
from snn5.models import create_model
from snn5.report._results import Results
from snn5.report.sections import _spinnaker
from snn5.stages import p5_spinnaker
from snn5.stages._stage import Stage

PARAMS = Path(__file__).parents[2] / "params.yaml"


def mapping(network: IntegerNetwork, **_: object) -> spinnaker.Mapping:
    return spinnaker.Mapping(
        neurons=10,
        synapses=20,
        cores=12,
        source_cores=2,
        chips=1,
        cores_by_population={p.name: 2 for p in network.populations} | {"readout": 1},
        keys=11,
        routing_entries=5,
        routing_entries_max=5,
        sdram_bytes=100,
        sdram_bytes_max=100,
    )


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNN5_WORKERS", "1")
    for side, first in (("train", 0), ("test", 40)):
        x = np.random.default_rng(first).integers(0, 3, (1, 30, 1, 8, 8), dtype=np.uint8)
        info = {"dataset": "frames", "scale": 2, "split": side, "num_classes": 4}
        split = Split(x_TNCHW=x, y_N=np.arange(30) % 4, index_N=np.arange(first, first + 30), info=info)
        save_split(split, f"data/p7_data/frames/{side}.safetensors")
    model = create_model("sew_resnet8", width=4, neuron="plif", in_channels=1, num_classes=4, image_size=8, time_steps=3)
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(0))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # current enough to spike
            torch.nn.init.constant_(module.weight, 4.0)
            torch.nn.init.constant_(module.bias, 1.0)
    args = {"model": model.name, "model_args": model.arguments, "dataset": "frames", "time_steps": 3, "neuron": "plif", "twin": False}
    made = checkpoint.of(model, checkpoint.Card(**args, preprocessing={"scale": 2}))
    for folder in ("p1_train/sew_resnet-frames", "p6_integrate/frames"):
        checkpoint.save(made, f"data/{folder}/checkpoints/seed0.safetensors")
    return tmp_path


def stage(root: Path, slot: str = "frames") -> Stage:
    return Stage(script="p5_spinnaker", args=(slot,), config=config.load(PARAMS), root=root)


def test_p5_spinnaker(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spinnaker, "map_virtual", mapping)
    this = stage(checkout)
    made = p5_spinnaker.run(this)
    record.save(made, this.out)
    assert record.load(this.out).summary == made.summary
    text = (this.out / "metrics.json").read_text()
    assert str(checkout) not in text and "/tmp" not in text
    for key in ("p1", "p6"):
        run = made.runs[f"{key}-seed0"]
        assert run.metrics["nest/differences"] == 0 and run.metrics["nest/agreement"] == 1
        assert run.metrics["nest/compared"] > 10000 and run.params["n_test"] == 30
        assert run.metrics["s1615/mismatch"] <= 0.005 and run.metrics["s1615/agreement"] >= 0.96
        assert run.metrics["nir/round_trip"] == 1 and run.metrics["nir/spikingjelly_agreement"] >= 0.96
        assert run.metrics["board/fits"] == 1 and run.metrics["board/cores"] == 12 and run.metrics["board/events_per_core"] > 0
        assert made.summary[f"{key}/n_seeds"] == 1 and made.summary[f"{key}/nest/differences"] == 0
    json.dumps(made.summary, allow_nan=False)
    assert len(this.parents) == 4


def test_a_network_without_a_place_is_a_result(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(network: object, **_: object) -> spinnaker.Mapping:
        raise UserError("the network is too large: 9 neurons")

    monkeypatch.setattr(spinnaker, "map_virtual", full)
    run = p5_spinnaker.run(stage(checkout)).runs["p6-seed0"]
    assert run.metrics["board/fits"] == 0 and "board/cores" not in run.metrics
    assert run.details["board"] == "the network is too large: 9 neurons"


def test_a_network_without_a_form_in_whole_numbers_is_a_result(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spinnaker, "map_virtual", mapping)
    path = "data/p6_integrate/frames/checkpoints/seed0.safetensors"
    found = checkpoint.load(path)
    card = replace(found.card, model_args={**found.card.model_args, "neuron_args": {"v_reset": None}})
    checkpoint.save(replace(found, card=card), path)
    made = p5_spinnaker.run(stage(checkout))
    assert "cannot be ported to whole numbers" in made.runs["p6-seed0"].details["not_portable"]
    assert "p6/n_seeds" not in made.summary and made.summary["p1/nest/differences"] == 0
    titles = [part.title for part in _spinnaker.parts(Results({"p5_spinnaker@frames": made}))]
    assert titles[-1] == "Not ported: p6 (p5_spinnaker@frames)" and len(titles) == 3


def test_p5_spinnaker_needs_a_slot(checkout: Path) -> None:
    with pytest.raises(UserError, match="p5_spinnaker frame: need one argument, frames or events"):
        p5_spinnaker.run(stage(checkout, "frame"))
