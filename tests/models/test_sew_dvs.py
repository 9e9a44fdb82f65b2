"""7B-Net and Wide-7B-Net: ledger, pooling by image size, and what all models keep."""

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
    spikes,
    step_by_step,
    wires,
    without_gradient,
)
from torch import nn

from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model, initialise
from snn5.models._sew_block import SEWBlock
from snn5.neurons import PLIF

NAMES = pytest.mark.parametrize("name", ["sew_7b", "sew_wide_7b"])


def net(name: str = "sew_7b", **overrides: Any) -> SpikingModel:
    arguments: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 16, "time_steps": 3, "width": 4}
    model = create_model(name, **(arguments | overrides))
    initialise(model, torch.Generator().manual_seed(3))
    return model


@pytest.mark.parametrize(("name", "classes", "parameters"), [("sew_7b", 11, 130_426), ("sew_wide_7b", 10, 1_192_218)])
def test_t1_parameters(name: str, classes: int, parameters: int) -> None:
    """One w per PLIF: 15 of the 7B-Net (stem, two a block), 16 of the wide one, whose channels change once."""
    shape: dict[str, Any] = {"in_channels": 2, "num_classes": classes, "image_size": 128, "time_steps": 16}
    with torch.device("meta"):
        model = create_model(name, neuron="plif", **shape)
        assert size_of(model) == parameters
        assert len([m for m in model.modules() if isinstance(m, PLIF)]) == {"sew_7b": 15, "sew_wide_7b": 16}[name]
        assert size_of(create_model(name, neuron="lif", **shape)) == parameters - len(neurons_in(model))


@pytest.mark.parametrize(
    ("size", "behind"),
    [
        (1, [1] * 7),
        (8, [8, 8, 8, 8, 4, 2, 1]),
        (16, [16, 16, 16, 8, 4, 2, 1]),
        (34, [34, 34, 17, 8, 4, 2, 1]),
        (128, [64, 32, 16, 8, 4, 2, 1]),
        (256, [128, 64, 32, 16, 8, 4, 2]),
    ],
)
def test_the_last_stages_pool(size: int, behind: list[int]) -> None:
    model = net(image_size=size, width=1, time_steps=1, neuron="lif")
    pixels, seen = size, []
    for module in model.stages:
        if isinstance(module, SEWBlock):
            seen.append(pixels)
        elif isinstance(module, nn.MaxPool2d):
            pixels //= 2
            seen[-1] = pixels
    assert seen == behind
    assert model.eval()(noise(1, 1, 2, size, size)).shape == (1, 1, 5)
    assert model.head.in_features == behind[-1] ** 2


@NAMES
def test_channels_keep_their_ratio(name: str) -> None:
    model = net(name, width=4)
    blocks = [m for m in model.stages if isinstance(m, SEWBlock)]
    channels = [b.branch[0][0].in_channels for b in blocks]
    assert channels == ([4] * 7 if name == "sew_7b" else [4] * 4 + [8] * 3)
    assert all(isinstance(b.shortcut, nn.Identity) for b in blocks)


@NAMES
def test_causal_and_independent(name: str) -> None:
    x_TNCHW = noise(3, 4, 2, 16, 16).double()
    model = settle(net(name).double(), x_TNCHW)
    samples_are_independent(model, x_TNCHW)
    assert not first_step_sees_the_last(model, x_TNCHW)
    torch.testing.assert_close(step_by_step(model, x_TNCHW), model(x_TNCHW), rtol=0, atol=1e-12)


@NAMES
@pytest.mark.parametrize(("connect", "known"), [("add", {"binary", "integer"}), ("and", {"binary"}), ("iand", {"binary"})])
def test_g4_what_layers_see(name: str, connect: str, known: set[str]) -> None:
    """The head, too, sees spikes: nothing is averaged before it."""
    x_TNCHW = noise(3, 4, 2, 16, 16)
    kinds = wires(settle(net(name, connect=connect), x_TNCHW), x_TNCHW)
    assert kinds.pop("stem_conv.0") == "float" and set(kinds.values()) == known


def test_every_parameter_learns() -> None:
    x_TNCHW = noise(3, 8, 2, 16, 16)
    assert without_gradient(settle(net("sew_wide_7b"), x_TNCHW).train(), x_TNCHW) == []


def test_zero_init_hands_the_stems_spikes_to_the_pools() -> None:
    """Every block the identity: what arrives at the 7B-Net's head is the maximum over the image of the stem's spikes."""
    model, seen = net(zero_init=True), []
    nn.init.constant_(model.stem_conv[1].weight, 3.0)
    model.stem_neuron.register_forward_hook(lambda _m, _i, out: seen.append(out))
    model.head.register_forward_hook(lambda _m, inputs, _out: seen.append(inputs[0]))
    model(noise(3, 4, 2, 16, 16) * spikes(3, 4, 2, 16, 16, rate=0.01))
    assert torch.equal(seen[0].amax((-2, -1)), seen[1]) and 0 < seen[1].sum() < seen[1].numel()


def test_twin() -> None:
    model = net("sew_wide_7b", connect="iand")
    twin = ann_twin(model)
    assert twin.is_twin and neurons_in(twin) == [] and twin(noise(3, 2, 2, 16, 16)).shape == (1, 2, 5)


def test_errors() -> None:
    with pytest.raises(UserError, match=r"width=2.5; need a whole number"):
        net(width=2.5)
    with pytest.raises(UserError, match=r"unknown argument 'published'"):
        net(published=(1,))
    with pytest.raises(UserError, match=r"unknown connection 'ad'; did you mean .*add"):
        net(connect="ad")
