"""SEW-ResNet against the spec's property tests T1-T6 and the cross-cutting G1-G12."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import base, functional, layer
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models import SpikingModel, create_model, initialise
from snn5.models._sew_block import CONNECTIONS, SEWBlock, add, and_, iand
from snn5.neurons import LIF, PLIF

CONNECTS = pytest.mark.parametrize("connect", ["add", "and", "iand"])


def net(name: str = "sew_resnet8", *, lively: bool = True, **overrides: Any) -> SpikingModel:
    """A small network; `lively` gives the norms as much current as trained ones have."""
    arguments: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 8, "time_steps": 3, "width": 4} | overrides
    model = create_model(name, **arguments)
    initialise(model, torch.Generator().manual_seed(3))
    for module in model.modules():
        if lively and isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 3.0)
            nn.init.constant_(module.bias, 1.0)
    return model


def images(steps: int = 3, n: int = 4, channels: int = 2, seed: int = 0) -> Tensor:
    return 2 * torch.rand(steps, n, channels, 8, 8, generator=torch.Generator().manual_seed(seed))


def spikes(*shape: int, rate: float = 0.3) -> Tensor:
    return torch.bernoulli(torch.full(shape, rate), generator=torch.Generator().manual_seed(1))


def settle(model: nn.Module, x: Tensor) -> nn.Module:
    """One pass in training mode, so that the running statistics are those of `x`; then eval mode."""
    model.train()
    with torch.no_grad():
        model(x)
    functional.reset_net(model)
    return model.eval()


def lif(channels: int, **extra: Any) -> LIF:
    return LIF(**extra)


def last_norm(block: SEWBlock) -> nn.BatchNorm2d:
    return [m for m in block.branch.modules() if isinstance(m, nn.BatchNorm2d)][-1]


def identity_block(connect: str, beta: float, width: int = 6) -> SEWBlock:
    """A block whose branch answers the same whatever goes in: gamma 0 and `beta` in its last norm."""
    block = SEWBlock(width, width, stride=1, connect=connect, neuron=lif)
    nn.init.zeros_(last_norm(block).weight)
    nn.init.constant_(last_norm(block).bias, beta)
    return block


# --- T1: parameters, counted by hand
#
# width 16, 3 channels, 10 classes. A conv3x3-BN of a -> b channels has 9ab + 2b, a conv1x1-BN ab + 2b.
#   stem      9*3*16 + 32                       =     464
#   stage 1   a block of 2 (9*16*16 + 32)       =   4 672
#   stage 2   first: 9*16*32+64, 9*32*32+64, 16*32+64 = 4672 + 9280 + 576 = 14 528;  another: 2*9280 = 18 560
#   stage 3   first: 18560 + 36992 + 2176       =  57 728;  another: 2*36992 = 73 984
#   head      64*10 + 10                        =     650
# and one w for each PLIF layer: stem 1, two a block, two shortcuts.


@pytest.mark.parametrize(
    ("name", "convolutions", "neurons"),
    [
        ("sew_resnet8", 464 + 4672 + 14528 + 57728 + 650, 1 + 6 + 2),
        ("sew_resnet20", 464 + 3 * 4672 + 14528 + 2 * 18560 + 57728 + 2 * 73984 + 650, 1 + 18 + 2),
        ("sew_resnet56", 464 + 9 * 4672 + 14528 + 8 * 18560 + 57728 + 8 * 73984 + 650, 1 + 54 + 2),
        ("sew_resnet110", 464 + 18 * 4672 + 14528 + 17 * 18560 + 57728 + 17 * 73984 + 650, 1 + 108 + 2),
    ],
)
def test_t1_parameters(name: str, convolutions: int, neurons: int) -> None:
    shape = {"in_channels": 3, "num_classes": 10, "image_size": 32, "time_steps": 4}
    for neuron, own in (("plif", neurons), ("lif", 0), ("relu", 0)):
        assert sum(p.numel() for p in create_model(name, neuron=neuron, **shape).parameters()) == convolutions + own


def test_t1_anchors_of_the_literature() -> None:
    """He et al.'s ResNets with projection shortcuts: 272 474 (20), 855 770 (56), 1 730 714 (110)."""
    shape: dict[str, Any] = {"in_channels": 3, "num_classes": 10, "image_size": 32, "time_steps": 1, "neuron": "lif"}
    counts = [sum(p.numel() for p in create_model(f"sew_resnet{d}", **shape).parameters()) for d in (20, 56, 110)]
    assert counts == [272474, 855770, 1730714]


@pytest.mark.parametrize(("depth", "neurons"), [(8, 9), (20, 21), (56, 57)])
def test_depth_is_the_number_of_weight_layers(depth: int, neurons: int) -> None:
    """6n + 2: the stem, two convolutions a block, the head; shortcuts do not count."""
    model = net(f"sew_resnet{depth}")
    kernels = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len([m for m in kernels if not (isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1))]) == depth
    assert len([m for m in model.modules() if isinstance(m, PLIF)]) == neurons
    assert all(m.bias is None for m in kernels if isinstance(m, nn.Conv2d))


def test_width_and_input_channels() -> None:
    model = net(width=5, in_channels=2)
    assert model.stem_conv[0].weight.shape == (5, 2, 3, 3)
    assert model.head.weight.shape == (5, 20)


def test_stages_halve_the_image() -> None:
    model, seen = net(lively=False, image_size=9), []
    for block in model.blocks:
        block.register_forward_hook(lambda _m, _i, out: seen.append(tuple(out.shape)))
    model(torch.zeros(1, 2, 2, 9, 9))
    assert seen == [(3, 2, 4, 9, 9), (3, 2, 8, 5, 5), (3, 2, 16, 3, 3)]


# --- T2: identity blocks


@pytest.mark.parametrize(("connect", "beta"), [("add", 0.0), ("iand", 0.0), ("and", 2.0)])
@pytest.mark.parametrize("training", [True, False])
def test_t2_identity_bit_for_bit(connect: str, beta: float, training: bool) -> None:
    """ADD and IAND with a silent branch; AND with one that always fires, which at tau = 2 needs beta = 2 (H = beta/2 in the first step)."""
    block, s_TNCHW = identity_block(connect, beta).train(training), spikes(5, 3, 6, 7, 7)
    assert torch.equal(block(s_TNCHW), s_TNCHW)


def test_t2_and_with_the_beta_of_integrate_and_fire_is_no_identity() -> None:
    """beta = 1 is the trick for IF; a leaky neuron settles below 1 and never fires, so the block is silent."""
    assert identity_block("and", 1.0)(spikes(5, 3, 6, 7, 7)).sum() == 0


# --- T3: values on the wires


def test_t3_truth_tables() -> None:
    branch, identity = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([0.0, 1.0, 0.0, 1.0])
    assert add(branch, identity).tolist() == [0, 1, 1, 2]
    assert and_(branch, identity).tolist() == [0, 0, 0, 1]
    assert iand(branch, identity).tolist() == [0, 1, 0, 0]  # the branch is the inverted one


def spikingjelly_sew(x: Tensor, y: Tensor, cnf: str) -> Tensor:
    """SpikingJelly's sew_function(identity, branch); its module does not import beside a CPU torch, so it stands here."""
    return {"ADD": x + y, "AND": x * y, "IAND": x * (1.0 - y)}[cnf]


@CONNECTS
def test_block_joins_branch_and_shortcut_as_spikingjelly_does(connect: str) -> None:
    block, s_TNCHW = SEWBlock(4, 8, stride=2, connect=connect, neuron=lambda channels, **extra: LIF(v_threshold=0.3)), spikes(3, 4, 4, 6, 6)
    out = block(s_TNCHW)
    functional.reset_net(block)
    branch, identity = block.branch(s_TNCHW), block.shortcut(s_TNCHW)
    assert torch.equal(out, spikingjelly_sew(identity, branch, connect.upper()))
    assert branch.sum() > 0 and identity.sum() > 0 and not torch.equal(branch, identity)


@CONNECTS
def test_t3_values_that_blocks_answer(connect: str) -> None:
    """ADD: whole numbers up to 1 + blocks since the last spiking shortcut, 4 in every stage of depth 20; AND, IAND: 0 and 1."""
    model, seen = net("sew_resnet20", connect=connect), []
    for block in model.blocks:
        block.register_forward_hook(lambda _m, _i, out: seen.append(out.detach()))
    model.train()(images())
    top = [out.max().item() for out in seen]
    assert all(torch.equal(out, out.round()) and out.min() >= 0 for out in seen)
    if connect == "add":
        assert all(m <= 1 + position for m, position in zip(top, [1, 2, 3] * 3, strict=True))
        assert max(top) >= 2
    else:
        assert max(top) <= 1


# --- T4: gradients through depth


def spiking_resnet_block() -> Callable[[Tensor], Tensor]:
    """The degrading baseline: SN(branch + identity) with the branch silenced, so that only the outer neuron is in the way."""
    outer = LIF()
    return lambda x: outer(x)


def gradient_ratio(blocks: list[Callable[[Tensor], Tensor]]) -> float:
    x = spikes(4, 2, 6, 5, 5).double().requires_grad_()
    out = x
    for block in blocks:
        out = block(out)
    weight = torch.rand(out.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (grad,) = torch.autograd.grad((out * weight).sum(), x)
    return (grad.norm() / weight.norm()).item()


def test_t4_fifty_identity_blocks_keep_the_gradient() -> None:
    assert gradient_ratio([identity_block("add", 0.0).double() for _ in range(50)]) == pytest.approx(1.0, abs=1e-6)
    assert gradient_ratio([spiking_resnet_block() for _ in range(50)]) < 1e-3


# --- T5: the shortcut


def test_t5_a_shortcut_that_changes_shape_spikes() -> None:
    found = {tuple(type(m).__name__ for m in block.shortcut.children()): block for block in net("sew_resnet20").blocks}
    assert len(found) == 2
    assert isinstance(net("sew_resnet20").blocks[0].shortcut, nn.Identity)
    for number, block in enumerate(net("sew_resnet20").blocks):
        changes = number in (3, 6)
        assert any(isinstance(m, base.MemoryModule) for m in block.shortcut.modules()) is changes
        if changes:
            conv = next(m for m in block.shortcut.modules() if isinstance(m, nn.Conv2d))
            assert conv.kernel_size == (1, 1) and conv.stride == (2, 2)


# --- T6: deep nets


def test_t6_depth_110_trains() -> None:
    model = net("sew_resnet110", time_steps=2, width=2)
    loss = model(images(2, 2)).square().sum()
    loss.backward()
    grads = [p.grad for p in model.parameters()]
    assert loss.isfinite() and all(g is not None and g.isfinite().all() for g in grads)
    assert model.stem_conv[0].weight.grad.abs().sum() > 0


# --- G1, G2, G3, G4, G6, G7, G12


@pytest.mark.parametrize(
    ("name", "connect"),
    [("sew_resnet8", "add"), ("sew_resnet8", "and"), ("sew_resnet8", "iand"), ("sew_resnet20", "add")],
)
def test_g1_forward_forgets_the_last_batch(name: str, connect: str) -> None:
    model = settle(net(name, connect=connect), images())
    first = model(images())
    assert torch.equal(first, model(images()))
    assert not torch.equal(first, model(images(), reset=False))


@CONNECTS
@pytest.mark.parametrize("neuron", ["lif", "plif", "relu"])
def test_g2_samples_do_not_see_each_other(connect: str, neuron: str) -> None:
    x_TNCHW = images(n=5)
    x_TNCHW = x_TNCHW.double()
    model = settle(net(connect=connect, neuron=neuron).double(), x_TNCHW)
    whole = model(x_TNCHW)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(model(x_TNCHW[:, order]), whole[:, order], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(model(x_TNCHW[:, 2:3]), whole[:, 2:3], rtol=1e-12, atol=1e-12)
    others = x_TNCHW.clone()
    others[:, 1:] = 5.0
    torch.testing.assert_close(model(others)[:, 0], whole[:, 0], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(whole[:, 0], whole[:, 1])


def test_g3_no_step_sees_the_future() -> None:
    x_TNCHW = images()
    model = settle(net(), x_TNCHW)
    whole, changed = model(x_TNCHW), x_TNCHW.clone()
    changed[2:] = 3.0
    after = model(changed)
    assert torch.equal(whole[:2], after[:2]) and not torch.equal(whole[2], after[2])


@CONNECTS
def test_g4_what_convolutions_see(connect: str) -> None:
    """The stem sees the analogue image, the head averages; ADD feeds whole numbers on, AND and IAND spikes."""
    model, kinds = net(connect=connect), {}

    def note(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            values = set(inputs[0].unique().tolist())
            kinds[name] = "binary" if values <= {0.0, 1.0} else "integer" if all(v == int(v) >= 0 for v in values) else "float"

        return hook

    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_pre_hook(note(name))
    model.train()(images())
    assert [name for name, kind in kinds.items() if kind == "float"] == ["stem_conv.0", "head"]
    assert ("integer" in kinds.values()) is (connect == "add")


@pytest.mark.parametrize("neuron", ["plif", "relu"])
def test_g6_every_parameter_learns(neuron: str) -> None:
    model = net(neuron=neuron)
    torch.nn.functional.cross_entropy(model(images(n=8)).mean(0), torch.arange(8) % 5).backward()
    dead = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all() or p.grad.abs().sum() == 0]
    assert dead == []


@CONNECTS
def test_g7_step_by_step_is_all_at_once(connect: str) -> None:
    x_TNCHW = images()
    model = settle(net(connect=connect), x_TNCHW)
    whole = model(x_TNCHW)
    functional.reset_net(model)
    current_TNCHW = model.encode(x_TNCHW)
    parts = [model.run(current_TNCHW[:1]), model.run(current_TNCHW[1:])]  # one step, then two
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-6)
    functional.reset_net(model)
    single = torch.cat([model.run(current_TNCHW[t : t + 1]) for t in range(3)])
    torch.testing.assert_close(single, whole, rtol=0, atol=1e-6)


def test_g7_spikes_are_equal_bit_for_bit() -> None:
    """Logits pass floating point sums whose order may depend on the batch; spikes must not."""
    x_TNCHW = images()
    model = settle(net().double(), x_TNCHW.double())
    seen: list[Tensor] = []
    model.blocks.register_forward_hook(lambda _m, _i, out: seen.append(out))
    model(x_TNCHW.double())
    current_TNCHW = model.encode(x_TNCHW.double())
    functional.reset_net(model)
    for t in range(3):
        model.run(current_TNCHW[t : t + 1])
    assert torch.equal(seen[0], torch.cat(seen[1:]))


def test_g12_no_dead_options() -> None:
    with pytest.raises(UserError, match=r"unknown argument 'drop_path'; .* for model 'sew_resnet8'"):
        net(drop_path=0.1)
    with pytest.raises(UserError, match=r"unknown argument 'widht'; did you mean width"):
        net(widht=8)
    with pytest.raises(UserError, match=r"unknown argument 'blocks'"):
        net(blocks=2)


def test_unknown_connection_names_the_closest() -> None:
    with pytest.raises(UserError, match=r"unknown connection 'nand'; did you mean and, iand"):
        net(connect="nand")
    assert sorted(CONNECTIONS) == ["add", "and", "iand"]


def test_neuron_arguments_reach_every_neuron() -> None:
    model = net(neuron_args={"tau": 5.0, "v_threshold": 0.5})
    own = [m for m in model.modules() if isinstance(m, PLIF)]
    assert len(own) == 9 and all(m.v_threshold == 0.5 and m.w.item() == pytest.approx(-math.log(4.0)) for m in own)
    assert all(m.step_mode == "m" for m in model.modules() if isinstance(m, layer.Conv2d | layer.BatchNorm2d | PLIF))


# --- static images


def test_a_static_image_passes_the_stem_once() -> None:
    model, calls = net(), []
    model.stem_conv.register_forward_hook(lambda _m, inputs, _out: calls.append(inputs[0].shape[0]))
    current_TNCHW = model.encode(images(1))
    assert calls == [1] and current_TNCHW.shape == (3, 4, 4, 8, 8)
    assert torch.equal(current_TNCHW[0], current_TNCHW[2])


def test_a_static_image_is_the_image_repeated() -> None:
    model, x_TNCHW = settle(net(), images()), images(1)
    torch.testing.assert_close(model(x_TNCHW), model(x_TNCHW.repeat(3, 1, 1, 1, 1)), rtol=0, atol=1e-6)
    assert model(x_TNCHW).shape == (3, 4, 5)


def test_time_matters() -> None:
    """Neurons carry a potential: the answer to a static image differs from step to step."""
    logits_TNK = settle(net(), images())(images(1))
    assert not torch.equal(logits_TNK[0], logits_TNK[1])
