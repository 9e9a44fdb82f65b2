"""The frozen networks' grid: every number a multiple of its unit, zeros kept."""

from pathlib import Path

import torch

from experiments.gate_fixture import BIAS_UNIT, NETWORKS, WEIGHT_UNIT, on_grid
from snn5 import checkpoint
from snn5.checkpoint import Card, of
from snn5.gates import FOLDER
from snn5.models import create_model, initialise

ROOT = Path(__file__).parents[2]


def test_folded_and_on_the_grid() -> None:
    model = create_model("sew_resnet8", in_channels=1, num_classes=4, image_size=8, time_steps=2, neuron="lif", width=4)
    initialise(model, torch.Generator().manual_seed(0))
    model.stem_conv[0].weight.data[0] = 0.0
    made = on_grid(of(model, Card(model=model.name, model_args=model.arguments, dataset="toy", time_steps=2, neuron="lif")))
    assert made.card.folded and made.card.transforms[-1].name == "gate_fixture"
    assert int(made.state["stem_conv.0.weight"][0].count_nonzero()) == 0
    assert_on_grid(made)


def test_the_committed_networks_are() -> None:
    for name in NETWORKS:
        assert_on_grid(checkpoint.load(ROOT / FOLDER / f"{name}.safetensors"))


def assert_on_grid(source: checkpoint.Checkpoint) -> None:
    assert source.state and {n.rpartition(".")[2] for n in source.state} == {"weight", "bias"}
    for name, value in source.state.items():
        in_units = value / (WEIGHT_UNIT if name.endswith(".weight") else BIAS_UNIT)
        assert torch.equal(in_units, in_units.round()) and value.abs().max() < 8, name
