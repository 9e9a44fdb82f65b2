"""SEW-ResNet in the ImageNet layouts: ledger, stem, bottlenecks, and blocks that start as the identity."""

from typing import Any

import pytest
import torch
from model_checks import first_step_sees_the_last, noise, samples_are_independent, settle, size_of, spikes, step_by_step, without_gradient
from spikingjelly.activation_based import base, functional
from torch import nn

from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model, initialise
from snn5.models._sew_block import SEWBlock, firing_current
from snn5.neurons import IF, LIF, PLIF

SHAPE: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 32, "time_steps": 3}
LEDGER = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}


def net(name: str = "sew_resnet18", **overrides: Any) -> SpikingModel:
    model = create_model(name, **(SHAPE | {"width": 4} | overrides))
    initialise(model, torch.Generator().manual_seed(3))
    return model


def if_node(channels: int, **extra: Any) -> IF:
    return IF(**extra)


def lif(channels: int, **extra: Any) -> LIF:
    return LIF(**extra)


# --- T1


@pytest.mark.parametrize("depth", LEDGER)
def test_t1_parameters_for_imagenet(depth: int) -> None:
    """Those of He et al.'s ResNets; PLIF adds one number per neuron layer."""
    blocks = {18: 8, 34: 16, 50: 16, 101: 33, 152: 50}[depth]
    neurons = 1 + blocks * (3 if depth >= 50 else 2) + (4 if depth >= 50 else 3)  # stem, branches, shortcuts
    shape: dict[str, Any] = {"in_channels": 3, "num_classes": 1000, "image_size": 224, "time_steps": 4}
    with torch.device("meta"):
        for name, own in (("lif", 0), ("plif", neurons), ("relu", 0)):
            assert size_of(create_model(f"sew_resnet{depth}", neuron=name, **shape)) == LEDGER[depth] + own


@pytest.mark.parametrize("depth", LEDGER)
def test_depth_is_the_number_of_weight_layers(depth: int) -> None:
    model = net(f"sew_resnet{depth}", width=1)
    on_the_way = [m for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear) and ".shortcut." not in n]
    assert len(on_the_way) == depth


# --- the way through


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("sew_resnet18", [(4, 8), (4, 8), (8, 4), (8, 4), (16, 2), (16, 2), (32, 1), (32, 1)]),
        ("sew_resnet50", [(16, 8)] * 3 + [(32, 4)] * 4 + [(64, 2)] * 6 + [(128, 1)] * 3),
    ],
)
def test_stages(name: str, sizes: list[tuple[int, int]]) -> None:
    """32 pixels: 16 behind the stem, 8 behind the pool, halved three times."""
    model, seen = net(name), []
    for block in model.blocks:
        block.register_forward_hook(lambda _m, _i, out: seen.append(tuple(out.shape)))
    x_TNCHW = noise(3, 2, 2, 32, 32)
    assert model.encode(x_TNCHW).shape == (3, 2, 4, 16, 16)
    assert model(x_TNCHW).shape == (3, 2, 5)
    assert seen == [(3, 2, c, n, n) for c, n in sizes]


def test_a_bottlenecks_3x3_has_the_stride() -> None:
    block = net("sew_resnet50").blocks[3]
    convs = [m for m in block.branch.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.kernel_size[0], c.stride[0], c.out_channels) for c in convs] == [(1, 1, 8), (3, 2, 8), (1, 1, 32)]
    (shortcut,) = (m for m in block.shortcut.modules() if isinstance(m, nn.Conv2d))
    assert (shortcut.kernel_size[0], shortcut.stride[0]) == (1, 2)
    assert len([m for m in block.shortcut.modules() if isinstance(m, base.MemoryModule)]) == 1  # T5


def test_the_pool_sees_spikes() -> None:
    model, seen = net(), []
    model.stem_pool.register_forward_hook(lambda _m, inputs, out: seen.append((inputs[0], out)))
    settle(model, noise(3, 4, 2, 32, 32))
    ((before, after),) = seen
    assert set(before.unique().tolist()) == {0.0, 1.0} == set(after.unique().tolist())
    assert before.shape[-1] == 16 and after.shape[-1] == 8


def test_a_static_image_passes_the_stem_once() -> None:
    model, calls = net(), []
    model.stem_conv[1].register_forward_hook(lambda _m, inputs, _out: calls.append(inputs[0].shape[0]))
    assert model(noise(1, 2, 2, 32, 32)).shape == (3, 2, 5) and calls == [1]


def test_small_stem_keeps_the_size() -> None:
    model = net(image_size=8, small_stem=True)
    assert model.encode(noise(3, 2, 2, 8, 8)).shape == (3, 2, 4, 8, 8)
    assert model.stem_conv[0].kernel_size == (3, 3)
    assert net("sew_resnet8", small_stem=False).stem_conv[0].kernel_size == (7, 7)


@pytest.mark.parametrize("size", [1, 8, 17, 34])
def test_any_image_size(size: int) -> None:
    assert net(image_size=size)(noise(3, 2, 2, size, size)).shape == (3, 2, 5)


# --- T6, G2, G3, G6, G7


@pytest.mark.parametrize("depth", [101, 152])
def test_t6_deep_bottlenecks_train(depth: int) -> None:
    model = net(f"sew_resnet{depth}", width=2, image_size=64, time_steps=2)
    model(noise(2, 2, 2, 64, 64)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.stem_conv[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["sew_resnet18", "sew_resnet50"])
def test_causal_and_independent(name: str) -> None:
    x_TNCHW = noise(3, 4, 2, 32, 32).double()
    model = settle(net(name).double(), x_TNCHW)
    samples_are_independent(model, x_TNCHW)
    assert not first_step_sees_the_last(model, x_TNCHW)
    torch.testing.assert_close(step_by_step(model, x_TNCHW), model(x_TNCHW), rtol=0, atol=1e-12)


def test_g6_every_parameter_learns() -> None:
    x_TNCHW = noise(3, 8, 2, 32, 32)
    assert without_gradient(settle(net("sew_resnet50"), x_TNCHW).train(), x_TNCHW) == []


# --- blocks that start as the identity


@pytest.mark.parametrize("connect", ["add", "and", "iand"])
@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("make", [if_node, lif])
@pytest.mark.parametrize("training", [False, True])
def test_t2_start_as_identity(connect: str, bottleneck: bool, make: Any, training: bool) -> None:
    block = SEWBlock(8, 8, stride=1, connect=connect, neuron=make, bottleneck=bottleneck).train(training)
    block.start_as_identity(5)
    s_TNCHW = spikes(5, 3, 8, 7, 7)
    assert torch.equal(block(s_TNCHW), s_TNCHW)


@pytest.mark.parametrize(
    ("module", "current"),
    [
        (if_node(1), 1.0),
        (LIF(), 2.0),  # H[0] = X / 2
        (PLIF(tau=3.0), 4.0),  # H[0] = X / 3
        (LIF(v_threshold=0.4), 1.0),
        (nn.ReLU(), 1.0),  # answers 1 to 1
    ],
)
def test_firing_current(module: nn.Module, current: float) -> None:
    assert firing_current(module, torch.zeros(2, 1, 1), 6) == current
    if isinstance(module, base.MemoryModule):
        assert module.v == 0.0  # left at rest


def test_a_neuron_that_cannot_fire_every_step() -> None:
    with pytest.raises(UserError, match="zero_init with connect='and' needs neurons that can fire in every step"):
        firing_current(LIF(v_threshold=1e6), torch.zeros(2, 1, 1), 3)


@pytest.mark.parametrize("name", ["sew_resnet8", "sew_resnet18", "sew_resnet50"])
def test_zero_init_survives_initialise(name: str) -> None:
    model = net(name, zero_init=True, image_size=16)
    made = create_model(name, **(SHAPE | {"width": 4, "zero_init": True, "image_size": 16}))
    for m in (model, made):
        assert all(block.branch[-2][1].weight.abs().sum() == 0 for block in m.blocks)
    keeps = [b for b in model.blocks if isinstance(b.shortcut, nn.Identity)]
    for block in keeps:
        s_TNCHW = spikes(3, 2, block.branch[0][0].in_channels, 5, 5)
        assert torch.equal(block(s_TNCHW), s_TNCHW)
        functional.reset_net(block)
    assert len(keeps) >= 1 and net(name).blocks[0].branch[-2][1].weight.min() == 1  # off unless asked for


def test_zero_init_of_and_fires_at_once() -> None:
    """H[0] = beta / tau has to reach V_th = 1, so tau = 2 needs beta = 2."""
    model = net(zero_init=True, connect="and", neuron="lif")
    assert {b.branch[-2][1].bias.unique().item() for b in model.blocks} == {2.0}
    assert ann_twin(model).blocks[0].branch[-2][1].bias.abs().sum() == 0  # the twin adds


def test_errors() -> None:
    with pytest.raises(UserError, match=r"unknown connection 'nand'; did you mean and, iand"):
        net(connect="nand")
    with pytest.raises(UserError, match=r"unknown argument 'layout'"):
        net(layout=None)
    with pytest.raises(UserError, match=r"width=0; need a whole number, at least 1"):
        net(width=0)
    with pytest.raises(UserError, match=r"unknown model 'sew_resnet35'; did you mean .*sew_resnet34"):
        net("sew_resnet35")
