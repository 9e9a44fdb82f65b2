"""MS-ResNet-18: its ledger, the membrane shortcut, and what its wires carry."""

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
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model, initialise
from snn5.models._ms_resnet import MSBlock
from snn5.neurons import LIF, PLIF


def net(**overrides: Any) -> SpikingModel:
    arguments: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 8, "time_steps": 3, "width": 4}
    model = create_model("ms_resnet18", **(arguments | overrides))
    initialise(model, torch.Generator().manual_seed(3))
    return model


def images(n: int = 4) -> Tensor:
    return noise(3, n, 2, 8, 8)


# A conv3x3-BN of a -> b channels has 9ab + 2b, a conv1x1-BN ab + 2b; the head 512 K + K.
#   stem 9*3*64 + 128
#   a stage of n blocks a -> b: (9ab + 2b) + (9bb + 2b) + (ab + 2b), then n - 1 times 2 (9bb + 2b)


def by_hand(channels: int, classes: int, width: int = 64) -> int:
    total, a = 9 * channels * width + 2 * width, width
    for n, b in ((3, 2 * width), (3, 4 * width), (2, 8 * width)):
        total += 10 * a * b + 9 * b * b + 6 * b + (n - 1) * (18 * b * b + 4 * b)
        a = b
    return total + 8 * width * classes + classes


def test_parameters() -> None:
    """12 502 090 for CIFAR-10: the authors' count."""
    assert by_hand(3, 10) == 12502090
    with torch.device("meta"):
        for neuron, own in (("lif", 0), ("plif", 17), ("relu", 0)):  # two neurons a block and the last
            model = create_model("ms_resnet18", in_channels=3, num_classes=10, image_size=32, time_steps=6, neuron=neuron)
            assert size_of(model) == 12502090 + own
    assert size_of(net(neuron="lif")) == by_hand(2, 5, width=4)


def test_stages() -> None:
    """3, 3 and 2 blocks; the second and third stage halve the image."""
    model, seen = net(image_size=9), []
    for block in model.blocks:
        block.register_forward_hook(lambda _m, _i, out: seen.append(tuple(out.shape[2:])))
    model(noise(1, 1, 2, 9, 9))
    assert seen == [(8, 9, 9)] * 3 + [(16, 5, 5)] * 3 + [(32, 3, 3)] * 2
    assert [isinstance(block.shortcut, nn.Identity) for block in model.blocks] == [False, True, True, False, True, True, False, True]


def test_a_silent_branch_leaves_the_stream_alone() -> None:
    """gamma = beta = 0 in the last norm: the block is the identity on real numbers, bit for bit."""
    block = MSBlock(4, 4, stride=1, neuron=lambda channels: LIF())
    last = block.branch[3][1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    x_TNCHW = noise(3, 2, 4, 5, 5) - 1
    assert torch.equal(block(x_TNCHW), x_TNCHW)


def test_a_block_is_shortcut_plus_branch() -> None:
    """Of a silent input, what is left is the norms of nothing: beta of the last one, and of the shortcut's."""
    block = MSBlock(4, 6, stride=2, neuron=lambda channels: LIF()).eval()
    nn.init.constant_(block.branch[3][1].bias, 0.25)
    nn.init.constant_(block.shortcut[1].bias, 0.5)
    assert torch.equal(block(torch.zeros(2, 1, 4, 5, 5)), torch.full((2, 1, 6, 3, 3), 0.75))
    assert neurons_in(block.shortcut) == [] and len(neurons_in(block.branch)) == 2


def test_wires() -> None:
    """Branches see spikes; the stem, the three shortcuts and the head real numbers."""
    kinds = wires(settle(net(), images()), images())
    real = ["stem_conv.0", "blocks.0.shortcut.0", "blocks.3.shortcut.0", "blocks.6.shortcut.0", "head"]
    assert sorted(name for name, kind in kinds.items() if kind == "float") == sorted(real)
    assert {kind for name, kind in kinds.items() if name not in real} == {"binary"} and len(kinds) == 5 + 16


def test_time() -> None:
    model = settle(net(), images())
    with torch.no_grad():
        whole = model(images())
        assert model.causal and not first_step_sees_the_last(model, images())
        assert torch.equal(step_by_step(model, images()), whole)
        assert torch.equal(model(images()), whole) and not torch.equal(model(images(), reset=False), whole)


def test_samples_do_not_see_each_other() -> None:
    samples_are_independent(settle(net().double(), images().double()), images().double())


@pytest.mark.parametrize("neuron", ["plif", "glif", "relu"])
def test_every_parameter_learns(neuron: str) -> None:
    assert without_gradient(net(neuron=neuron), images(8)) == []


def test_a_static_image_passes_the_stem_once() -> None:
    model, calls = settle(net(), images()), []
    model.stem_conv.register_forward_hook(lambda _m, inputs, _out: calls.append(len(inputs[0])))
    logits_TNK = model(images()[:1])
    assert calls == [1]
    torch.testing.assert_close(logits_TNK, model(images()[:1].repeat(3, 1, 1, 1, 1)), rtol=0, atol=1e-5)


def test_twin() -> None:
    model = net()
    twin = ann_twin(model)
    assert neurons_in(twin) == [] and sum(isinstance(m, nn.ReLU) for m in twin.modules()) == len(neurons_in(model)) == 17
    assert twin(images()).shape == (1, 4, 5)


def test_neuron_arguments_reach_every_neuron() -> None:
    own = [m for m in net(neuron_args={"v_threshold": 0.5}).modules() if isinstance(m, PLIF)]
    assert len(own) == 17 and all(m.v_threshold == 0.5 for m in own)


def test_blocks_feel_spikes_not_their_size() -> None:
    """The branch reads a current: with the same spikes, and another number beside, only the shortcut changes."""
    block = MSBlock(4, 4, stride=1, neuron=lambda channels: LIF(tau=2.0)).eval()
    strong, stronger = 4 * spikes(1, 2, 4, 5, 5), 8 * spikes(1, 2, 4, 5, 5)
    first = block(strong) - strong
    block.apply(lambda m: m.reset() if isinstance(m, LIF) else None)
    torch.testing.assert_close(block(stronger) - stronger, first, rtol=0, atol=1e-5)


def test_width_must_be_a_positive_whole_number() -> None:
    with pytest.raises(UserError, match="width=0; need a whole number, at least 1"):
        net(width=0)
