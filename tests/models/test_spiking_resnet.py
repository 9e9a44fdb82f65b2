"""Spiking-ResNet, the baseline: no neuron in the shortcut, one behind the sum, and a gradient that does not survive depth."""

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
    without_gradient,
)
from spikingjelly.activation_based import base, functional
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model, initialise
from snn5.models._resnet import LAYOUTS
from snn5.models._sew_block import SEWBlock
from snn5.models._spiking_resnet import plain_block
from snn5.neurons import IF, LIF


def net(name: str = "spiking_resnet8", **overrides: Any) -> SpikingModel:
    arguments: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 8, "time_steps": 3, "width": 4}
    model = create_model(name, **(arguments | overrides))
    initialise(model, torch.Generator().manual_seed(3))
    return model


def if_node(channels: int, **extra: Any) -> IF:
    return IF(**extra)


@pytest.mark.parametrize("depth", LAYOUTS)
def test_as_many_parameters_as_sew_resnet(depth: int) -> None:
    shape: dict[str, Any] = {"in_channels": 3, "num_classes": 1000, "image_size": 224, "time_steps": 4, "neuron": "lif"}
    with torch.device("meta"):
        assert size_of(create_model(f"spiking_resnet{depth}", **shape)) == size_of(create_model(f"sew_resnet{depth}", **shape))


def test_no_neuron_in_the_shortcut_and_one_behind_the_sum() -> None:
    model = net("spiking_resnet20")
    changing = [b for b in model.blocks if not isinstance(b.shortcut, nn.Identity)]
    assert len(model.blocks) == 9 and len(changing) == 2
    assert not any(isinstance(m, base.MemoryModule) for b in changing for m in b.shortcut.modules())
    assert len(neurons_in(model)) == 1 + 2 * 9  # SEW has two more, in its shortcuts


def test_a_block_is_the_neuron_of_branch_plus_shortcut() -> None:
    block, s_TNCHW = plain_block(4, 8, stride=2, bottleneck=False, neuron=if_node), spikes(3, 4, 4, 6, 6)
    out = block(s_TNCHW)
    functional.reset_net(block)
    conv1, sn, conv2 = block.branch
    current = conv2(sn(conv1(s_TNCHW))) + block.shortcut(s_TNCHW)
    functional.reset_net(block)
    assert torch.equal(out, block.neuron(current)) and 0 < out.mean() < 1


@pytest.mark.parametrize("name", ["spiking_resnet20", "spiking_resnet18", "spiking_resnet50"])
def test_zero_init_is_the_default_and_can_be_left_out(name: str) -> None:
    """Of each branch the last norm only."""
    model, plain = net(name), net(name, zero_init=False)
    for block in model.blocks:
        *others, last = [m for m in block.branch.modules() if isinstance(m, nn.BatchNorm2d)]
        assert last.weight.abs().sum() == 0 and all(m.weight.min() == 1 for m in others)
    assert all(m.weight.min() == 1 for m in plain.modules() if isinstance(m, nn.BatchNorm2d))


def test_zero_init_is_the_identity_for_integrate_and_fire_only() -> None:
    s_TNCHW = spikes(5, 3, 6, 7, 7)
    for make, answer in ((if_node, s_TNCHW), (lambda _c, **_e: LIF(), torch.zeros_like(s_TNCHW))):
        block = plain_block(6, 6, stride=1, bottleneck=False, neuron=make)
        nn.init.zeros_(block.branch[-1][1].weight)
        assert torch.equal(block(s_TNCHW), answer)


def gradient_ratio(blocks: list[nn.Module]) -> float:
    """Norm of the gradient at the input over that at the output."""
    s_TNCHW = spikes(4, 2, 6, 5, 5).double().requires_grad_()
    out: Tensor = s_TNCHW
    for block in blocks:
        out = block.double()(out)
    weight = torch.rand(out.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (grad,) = torch.autograd.grad((out * weight).sum(), s_TNCHW)
    return (grad.norm() / weight.norm()).item()


@pytest.mark.parametrize(
    ("make", "vanishes"),
    [
        (lambda _c, **_e: LIF(), True),  # a silent neuron's surrogate is far below its peak
        (lambda _c, **_e: IF(alpha=3.0), False),  # peak 1.5
    ],
)
def test_t4_fifty_blocks_with_a_silent_branch(make: Any, vanishes: bool) -> None:
    """SEW hands the gradient on as it is, whatever the neuron; the baseline multiplies it by fifty surrogates."""

    def sew() -> SEWBlock:
        block = SEWBlock(6, 6, stride=1, connect="add", neuron=make)
        block.start_as_identity(4)
        return block

    def plain() -> nn.Module:
        block = plain_block(6, 6, stride=1, bottleneck=False, neuron=make)
        nn.init.zeros_(block.branch[-1][1].weight)
        return block

    assert gradient_ratio([sew() for _ in range(50)]) == pytest.approx(1.0, abs=1e-6)
    ratio = gradient_ratio([plain() for _ in range(50)])
    assert ratio < 1e-3 if vanishes else ratio > 1e3


@pytest.mark.parametrize("name", ["spiking_resnet8", "spiking_resnet18", "spiking_resnet50"])
def test_causal_and_independent(name: str) -> None:
    x_TNCHW = noise(3, 4, 2, 8, 8).double()
    model = settle(net(name, small_stem=True).double(), x_TNCHW)
    samples_are_independent(model, x_TNCHW)
    assert not first_step_sees_the_last(model, x_TNCHW)
    torch.testing.assert_close(step_by_step(model, x_TNCHW), model(x_TNCHW), rtol=0, atol=1e-12)


def test_every_parameter_learns() -> None:
    x_TNCHW = noise(3, 8, 2, 8, 8)
    assert without_gradient(settle(net(zero_init=False), x_TNCHW).train(), x_TNCHW) == []


def test_blocks_answer_spikes() -> None:
    model, seen = net("spiking_resnet20", zero_init=False), []
    for block in model.blocks:
        block.register_forward_hook(lambda _m, _i, out: seen.append(out))
    settle(model, noise(3, 4, 2, 8, 8))
    assert len(seen) == 9 and all(set(out.unique().tolist()) <= {0.0, 1.0} for out in seen) and max(out.sum() for out in seen) > 0


def test_twin_and_errors() -> None:
    twin = ann_twin(net())
    assert twin.is_twin and neurons_in(twin) == [] and twin(noise(3, 2, 2, 8, 8)).shape == (1, 2, 5)
    with pytest.raises(UserError, match=r"unknown argument 'connect'"):
        net(connect="add")
    with pytest.raises(UserError, match=r"width=-1; need a whole number"):
        net(width=-1)
