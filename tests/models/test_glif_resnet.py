"""GLIF-ResNet-18: the ledger of its neurons, norms that start at the threshold, neurons behind the sums."""

import math
from typing import Any

import pytest
import torch
from model_checks import (
    first_step_sees_the_last,
    neurons_in,
    noise,
    samples_are_independent,
    settle,
    size_of,
    step_by_step,
    wires,
    without_gradient,
)
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model, initialise
from snn5.models._threshold_norm import ThresholdNorm
from snn5.neurons import GLIF


def net(**overrides: Any) -> SpikingModel:
    arguments: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 8, "time_steps": 3, "width": 4, "neuron": "glif"}
    model = create_model("glif_resnet18", **(arguments | overrides))
    initialise(model, torch.Generator().manual_seed(3))
    return model


def images(n: int = 4) -> Tensor:
    return noise(3, n, 2, 8, 8)


@pytest.mark.parametrize(("time_steps", "expected"), [(2, 35136), (4, 42944), (6, 50752)])
def test_what_glif_adds(time_steps: int, expected: int) -> None:
    """7 + T for each channel of the stem's neurons and of two in each block: 64 + 4 (64 + 128 + 256 + 512) = 3904 channels."""
    shape: dict[str, Any] = {"in_channels": 3, "num_classes": 10, "image_size": 32, "time_steps": time_steps}
    with torch.device("meta"):
        glif, lif = (create_model("glif_resnet18", neuron=neuron, **shape) for neuron in ("glif", "lif"))
    assert size_of(glif) - size_of(lif) == expected == 3904 * (7 + time_steps)
    assert len(neurons_in(glif)) == 17


def test_parameters() -> None:
    """The CIFAR ResNet-18 has 11 173 962; norms on the five identities add 2 (64 + 64 + 128 + 256 + 512)."""
    with torch.device("meta"):
        model = create_model("glif_resnet18", in_channels=3, num_classes=10, image_size=32, time_steps=2, neuron="lif")
    assert size_of(model) == 11173962 + 2 * (64 + 64 + 128 + 256 + 512)


def test_stages() -> None:
    model, seen = net(image_size=9), []
    for block in model.blocks:
        block.register_forward_hook(lambda _m, _i, out: seen.append(tuple(out.shape[2:])))
    model(noise(1, 1, 2, 9, 9))
    assert seen == [(4, 9, 9)] * 2 + [(8, 5, 5)] * 2 + [(16, 3, 3)] * 2 + [(32, 2, 2)] * 2


def test_neurons_stand_behind_the_sums() -> None:
    """What leaves a block are spikes; every path has its norm, the identity too."""
    model, seen = settle(net(), images()), []
    for block in model.blocks:
        block.register_forward_hook(lambda _m, _i, out: seen.append(out))
    model(images())
    assert all(set(s.unique().tolist()) <= {0.0, 1.0} for s in seen) and any(s.sum() > 0 for s in seen)
    for number, block in enumerate(model.blocks):
        norms = [m for m in block.shortcut.modules() if isinstance(m, nn.BatchNorm2d)]
        convolutions = [m for m in block.shortcut.modules() if isinstance(m, nn.Conv2d)]
        assert len(norms) == 1 and len(convolutions) == (number in (2, 4, 6)) and neurons_in(block.shortcut) == []


@pytest.mark.parametrize(
    ("neuron", "neuron_args", "current"),
    [("glif", None, 0.5), ("glif", {"v_threshold": 0.8}, 0.8), ("plif", None, 2.0), ("lif", {"v_threshold": 0.3, "tau": 4.0}, 1.2)],
)
def test_norms_start_at_the_current_that_fires(neuron: str, neuron_args: dict[str, Any] | None, current: float) -> None:
    """V_th / gain, and that / sqrt(2) for both summands, as made and as drawn anew; the shift is 0."""
    model = net(neuron=neuron, neuron_args=neuron_args)
    for norm in (m for m in model.modules() if isinstance(m, ThresholdNorm)):
        nn.init.constant_(norm.weight, 9.0)
    initialise(model, torch.Generator().manual_seed(0))
    made = create_model(model.name, **model.arguments)
    for candidate in (model, made):
        summands = {id(m) for block in candidate.blocks for part in (block.branch[2], block.shortcut) for m in part.modules()}
        norms = [m for m in candidate.modules() if isinstance(m, nn.BatchNorm2d)]
        assert len(norms) == 1 + 3 * 8 and all(isinstance(m, ThresholdNorm) and m.bias.abs().sum() == 0 for m in norms)
        for norm in norms:
            start = current / math.sqrt(2) if id(norm) in summands else current
            assert norm.weight.tolist() == pytest.approx([start] * len(norm.weight))


def test_a_sum_is_spread_as_the_threshold_is_high() -> None:
    """Two independent summands of spread V_th / sqrt(2) make one of V_th: what the factor is for."""
    block, seen = net(image_size=16, width=16).train().blocks[0], []
    block.neuron.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    block(torch.bernoulli(torch.full((3, 8, 16, 16, 16), 0.3), generator=torch.Generator().manual_seed(0)))
    assert seen[0].std().item() == pytest.approx(0.5, rel=0.1)


def test_wires() -> None:
    """All spikes but the stem and the head."""
    x_TNCHW = noise(3, 4, 2, 16, 16)
    kinds = wires(settle(net(image_size=16), x_TNCHW), x_TNCHW)
    assert [name for name, kind in kinds.items() if kind == "float"] == ["stem_conv.0", "head"]
    assert set(kinds.values()) == {"float", "binary"}


@pytest.mark.parametrize("neuron", ["glif", "plif"])
def test_time(neuron: str) -> None:
    model = settle(net(neuron=neuron), images())
    with torch.no_grad():
        whole = model(images())
        assert model.causal and not first_step_sees_the_last(model, images())
        assert torch.equal(step_by_step(model, images()), whole)
        assert torch.equal(model(images()), whole)


def test_the_last_batch_is_forgotten() -> None:
    model = settle(net(neuron="plif"), images())
    assert not torch.equal(model(images(), reset=False), model(images(), reset=False))
    with pytest.raises(UserError, match="GLIF was made for T=3 steps"):
        glif = settle(net(), images())
        glif(images(), reset=False)
        glif(images(), reset=False)


def test_samples_do_not_see_each_other() -> None:
    samples_are_independent(settle(net().double(), images().double()), images().double())


@pytest.mark.parametrize("neuron", ["glif", "dynamic_glif", "plif", "relu"])
def test_every_parameter_learns(neuron: str) -> None:
    assert without_gradient(net(neuron=neuron), images(8)) == []


def test_neurons_know_their_channels_and_steps() -> None:
    own = [m for m in net(neuron_args={"tau": 0.4}).modules() if isinstance(m, GLIF)]
    assert [m.channels for m in own] == [4] * 5 + [8] * 4 + [16] * 4 + [32] * 4 and {m.time_steps for m in own} == {3}
    assert all(m.effective()["tau"].tolist() == pytest.approx([0.4] * m.channels) for m in own)


def test_twin() -> None:
    twin = ann_twin(net(neuron_args={"tau": 0.4}))
    assert neurons_in(twin) == [] and sum(isinstance(m, nn.ReLU) for m in twin.modules()) == 17
    assert twin(images()).shape == (1, 4, 5)
    assert {m.scale for m in twin.modules() if isinstance(m, ThresholdNorm)} == {1.0, 2**-0.5}


def test_width_must_be_a_positive_whole_number() -> None:
    with pytest.raises(UserError, match="width=-1; need a whole number, at least 1"):
        net(width=-1)
