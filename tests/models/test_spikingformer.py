"""Spikingformer: ledger, wires, attention, the block's identity, CML's pools, and a second derivation of the whole network."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
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
from spikingjelly.activation_based import base, functional
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models import MatMul, SpikingModel, ann_twin, create_model, initialise, list_models
from snn5.models._spikingformer_block import SCALE, SpikingformerBlock, attend
from snn5.neurons import GLIF, LIF, PLIF

SMALL: dict[str, Any] = {"dim": 32, "depth": 2, "heads": 4}
ALL = [name for name in list_models() if name.startswith("spikingformer")]
EACH = pytest.mark.parametrize("name", [f"spikingformer_{name}{cml}" for name in ("4_256", "dvs_2_256") for cml in ("", "_cml")])


def net(name: str = "spikingformer_4_256", **overrides: Any) -> SpikingModel:
    arguments: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 16, "time_steps": 3, "neuron": "lif", **SMALL}
    model = create_model(name, **(arguments | overrides))
    initialise(model, torch.Generator().manual_seed(3))
    return model


def lif(channels: int, **extra: Any) -> LIF:
    return LIF(**extra)


def images(n: int = 4, size: int = 16) -> Tensor:
    return noise(3, n, 2, size, size)


def pixels_for(name: str) -> int:
    """16 tokens."""
    return 64 if "dvs" in name else 16


# --- T1: parameters


@pytest.mark.parametrize(
    ("name", "channels", "size", "classes", "parameters"),
    [
        ("4_256", 3, 32, 10, 4_152_106),
        ("2_384", 3, 32, 10, 5_762_746),
        ("4_384", 3, 32, 10, 9_320_122),
        ("4_384", 3, 32, 100, 9_354_772),
        ("dvs_2_256", 2, 128, 10, 2_566_666),
        ("dvs_2_256", 2, 128, 11, 2_566_923),
        ("8_384", 3, 224, 1000, 16_816_024),
        ("8_512", 3, 224, 1000, 29_689_384),
        ("8_768", 3, 224, 1000, 66_338_632),
    ],
)
@pytest.mark.parametrize("suffix", ["", "_cml"])
def test_t1_parameters(name: str, channels: int, size: int, classes: int, parameters: int, suffix: str) -> None:
    """As published, less the two layer norms per block that are never used; CML moves pools, which weigh nothing."""
    shape: dict[str, Any] = {"in_channels": channels, "num_classes": classes, "image_size": size, "time_steps": 4}
    with torch.device("meta"):
        model = create_model(f"spikingformer_{name}{suffix}", neuron="lif", **shape)
        assert size_of(model) == parameters
        plif = create_model(f"spikingformer_{name}{suffix}", neuron="plif", **shape)
    depth = int(name[-5])  # 4_256 -> 4
    assert len(neurons_in(plif)) == 4 + 7 * depth == len(neurons_in(model))
    assert size_of(plif) == parameters + 4 + 7 * depth


def test_names() -> None:
    stems = ["2_384", "4_256", "4_384", "8_384", "8_512", "8_768", "dvs_2_256"]
    assert sorted(f"spikingformer_{stem}{cml}" for stem in stems for cml in ("", "_cml", "_qk")) == ALL


@pytest.mark.parametrize("name", ALL)
def test_t4_heads_change_no_parameter(name: str) -> None:
    assert size_of(net(name, heads=2)) == size_of(net(name, heads=4)) == size_of(net(name, heads=8))
    assert SCALE == 0.125


@pytest.mark.parametrize(("overrides", "more"), [({"depth": 3}, 1), ({"mlp_ratio": 2}, 0), ({"patch_size": 1}, 0)])
def test_overrides(overrides: dict[str, int], more: int) -> None:
    """A block: q, k, v of D^2 + 2 D each, proj of D^2 + 3 D, MLP of 2 r D^2 + 3 r D + 3 D."""
    d, r = 32, overrides.get("mlp_ratio", 4)
    block = 3 * (d * d + 2 * d) + d * d + 3 * d + 2 * r * d * d + 3 * r * d + 3 * d
    model = net(**overrides)
    assert size_of(model.blocks[0]) == block and len(model.blocks) == 2 + more
    assert model(images()).shape == (3, 4, 5)


# --- sizes


@EACH
@pytest.mark.parametrize("size", [1, 8, 17, 34])
def test_any_image_size(name: str, size: int) -> None:
    """ceil(n / p)^2 tokens."""
    model, seen = net(name, image_size=size), []
    model.blocks.register_forward_pre_hook(lambda _m, inputs: seen.append(tuple(inputs[0].shape)))
    assert model(images(size=size)).shape == (3, 4, 5)
    side = -(-size // (16 if "dvs" in name else 4))
    assert seen == [(3, 4, 32, side, side)]


@pytest.mark.parametrize(("patch_size", "side"), [(1, 16), (2, 8), (4, 4), (8, 2), (16, 1)])
@pytest.mark.parametrize("suffix", ["", "_cml"])
def test_patch_size(patch_size: int, side: int, suffix: str) -> None:
    model, seen = net(f"spikingformer_4_256{suffix}", patch_size=patch_size), []
    model.blocks.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0].shape[-1]))
    model(images())
    assert seen == [side]


# --- T2, T3: wires and attention


@EACH
def test_t2_everything_but_stem_and_head_sees_spikes(name: str) -> None:
    x_TNCHW = images(size=pixels_for(name))
    kinds = wires(settle(net(name, image_size=pixels_for(name)), x_TNCHW), x_TNCHW)
    assert [wire for wire, kind in kinds.items() if kind != "binary"] == ["stem_conv.0", "head"]
    assert kinds["stem_conv.0"] == kinds["head"] == "float" and len(kinds) == 1 + 4 + 2 * 6 + 1


@pytest.mark.parametrize(("d", "tokens"), [(4, 64), (64, 4), (8, 8), (3, 7)])
def test_t3_both_orders_are_equal_bit_for_bit_and_the_cheaper_is_taken(d: int, tokens: int) -> None:
    q, k, v = (spikes(3, 2, 5, d, tokens, rate=rate) for rate in (0.2, 0.4, 0.6))
    inner, outer, cost = MatMul(), MatMul(), []
    for product in (inner, outer):
        product.register_forward_hook(lambda _m, inputs, out: cost.append(out[0, 0, 0].numel() * inputs[0].shape[-1]))
    y = attend(q, k, v, inner, outer)
    assert torch.equal(y, ((v @ k.mT) @ q)) and torch.equal(y, v @ (k.mT @ q)) and y.max() > 1
    tokens_first = (q.mT @ k) @ v.mT  # tokens before channels, as papers write it: (q k') v
    assert torch.equal(y, tokens_first.mT)
    assert sum(cost) == 2 * min(d * d * tokens, tokens * tokens * d)


def test_t3_attention_of_each_head() -> None:
    """Heads are blocks of neighbouring channels; q, k, v are spikes; what the neurons get is q (k' v) / 8."""
    x_TNCHW = images()
    model, seen = settle(net(heads=4), x_TNCHW), {}
    attention = model.blocks[1].attention
    for name in ("q", "k", "v"):
        getattr(attention, name).register_forward_hook(lambda _m, _i, out, name=name: seen.__setitem__(name, out))
    attention.attention_neuron.register_forward_pre_hook(lambda _m, inputs: seen.__setitem__("y", inputs[0]))
    model(x_TNCHW)
    assert all(set(seen[name].unique().tolist()) == {0.0, 1.0} for name in "qkv")
    for t, n, head in ((0, 0, 0), (2, 3, 1), (1, 2, 3)):
        own = slice(8 * head, 8 * (head + 1))
        q, k, v = (seen[name][t, n, own].reshape(8, 16).T for name in "qkv")
        assert torch.equal(seen["y"][t, n, own].reshape(8, 16).T, (q @ k.T) @ v / 8)
    assert seen["y"].max() > 0.5


def test_no_order_is_copied_into_memory() -> None:
    """q, k and v reach the products as views of what their neurons answered."""
    model, seen = net(), []
    attention = model.blocks[0].attention
    attention.q.register_forward_hook(lambda _m, _i, out: seen.append(out.data_ptr()))
    attention.outer.register_forward_hook(lambda _m, inputs, _out: seen.append(inputs[1].data_ptr()))
    model.eval()(images())
    assert seen[0] == seen[1]


# --- T5, T7: the block


def block_of(n: int = 16, heads: int = 4) -> SpikingformerBlock:
    block = SpikingformerBlock(n, heads, 4 * n, lif)
    initialise(block, torch.Generator().manual_seed(0))
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 3.0)
            nn.init.constant_(module.bias, 0.5)
    return block


@pytest.mark.parametrize("training", [True, False])
def test_t5_identity_on_real_numbers(training: bool) -> None:
    block, x_TNCHW = block_of().train(training), 4 * noise(3, 2, 16, 5, 5) - 4
    assert not torch.equal(block(x_TNCHW), x_TNCHW)
    functional.reset_net(block)
    for last in (block.attention.proj[1], block.mlp.fc2[1]):
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
    assert torch.equal(block(x_TNCHW), x_TNCHW)


def test_t7_blocks_know_no_position() -> None:
    block, x_TNCHW = block_of().double().eval(), 4 * noise(3, 2, 16, 4, 6).double()
    order = torch.randperm(24, generator=torch.Generator().manual_seed(5))

    def permuted(y_TNCHW: Tensor) -> Tensor:
        return y_TNCHW.flatten(3)[..., order].unflatten(3, (4, 6))

    whole = block(x_TNCHW)
    functional.reset_net(block)
    torch.testing.assert_close(block(permuted(x_TNCHW)), permuted(whole), rtol=0, atol=1e-10)
    assert not torch.allclose(whole, permuted(whole))


def test_attention_mixes_tokens_within_a_step() -> None:
    """Change one token in the first step: in that step every token's answer may move, through attention alone."""
    block, x_TNCHW = block_of(heads=1).double().eval(), 4 * noise(2, 1, 16, 3, 3).double()
    whole = block(x_TNCHW)
    functional.reset_net(block)
    x_TNCHW[0, :, :, 0, 0] = 9.0
    moved = (block(x_TNCHW) != whole).any(2)[0, 0]
    assert moved[0, 0] and moved.sum() > 1


# --- T6: CML


def order_of(model: SpikingModel) -> str:
    """n neuron, p pool, c convolution."""
    letters = {base.MemoryModule: "n", nn.MaxPool2d: "p", nn.Conv2d: "c"}
    modules = [*model.stem_conv.modules(), *model.tokenizer.modules()]
    return "".join(letter for m in modules for kind, letter in letters.items() if isinstance(m, kind))


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("spikingformer_4_256", "c nc nc npc npc"),
        ("spikingformer_4_256_cml", "c nc nc pnc pnc"),
        ("spikingformer_dvs_2_256", "c npc npc npc npc"),
        ("spikingformer_dvs_2_256_cml", "c pnc pnc pnc pnc"),
        ("spikingformer_8_512", "c npc npc npc npc"),
    ],
)
def test_t6_cml_pools_before_the_neurons(name: str, order: str) -> None:
    assert order_of(net(name)) == order.replace(" ", "")


def test_t6_the_stem_ends_where_the_first_neuron_starts() -> None:
    """With CML and patch 16 the first pool belongs to the stem, which a static image passes once."""
    sizes = {name: net(name).stem(images()).shape[-1] for name in ("spikingformer_dvs_2_256", "spikingformer_dvs_2_256_cml")}
    assert sizes == {"spikingformer_dvs_2_256": 16, "spikingformer_dvs_2_256_cml": 8}


def test_t6_gradient_of_a_pool() -> None:
    """Of real numbers the largest gets it; of two spikes the first, whichever of them deserves it: why CML moves the pool."""
    pool = next(m for m in net().tokenizer if isinstance(m, nn.MaxPool2d))
    reals, ties = torch.tensor([[0.2, 0.9], [0.5, 0.1]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    for image, hit in ((reals, [[0.0, 1.0], [0.0, 0.0]]), (ties, [[0.0, 1.0], [0.0, 0.0]])):
        x_TNCHW = image.view(1, 1, 1, 2, 2).clone().requires_grad_()
        pool(x_TNCHW).sum().backward()
        assert x_TNCHW.grad is not None and x_TNCHW.grad.view(2, 2).tolist() == hit


# --- neurons


def test_thresholds_and_time_constants() -> None:
    for name, tau in (("spikingformer_4_256", 2.0), ("spikingformer_dvs_2_256", 1.5), ("spikingformer_dvs_2_256_cml", 1.5)):
        model = net(name)
        half = [n for n, m in model.named_modules() if isinstance(m, LIF) and m.v_threshold == 0.5]
        assert half == [f"blocks.{i}.attention.attention_neuron" for i in range(2)]
        assert {m.tau for m in neurons_in(model)} == {tau}
    assert all(m.init_tau == 1.5 for m in neurons_in(net("spikingformer_dvs_2_256", neuron="plif")))


def test_neuron_arguments_go_before_the_published_ones() -> None:
    model = net("spikingformer_dvs_2_256", neuron="plif", neuron_args={"tau": 3.0, "v_threshold": 0.7})
    assert all(isinstance(m, PLIF) and m.init_tau == 3.0 and m.v_threshold == 0.7 for m in neurons_in(model))


def test_neurons_with_parameters_per_channel() -> None:
    """GLIF's tau is a share, not a time constant: the event camera's 1.5 is not for it."""
    model = net("spikingformer_dvs_2_256", neuron="glif")
    assert {type(m) for m in neurons_in(model)} == {GLIF} and model(images()).shape == (3, 4, 5)


# --- a second derivation


def second_derivation(model: SpikingModel, x_TNCHW: Tensor, *, pools: tuple[bool, ...], cml: bool, tau: float, heads: int) -> Tensor:
    """Logits from the paper's formulas and the model's weights in their order; tokens before channels, (q k') v."""
    convs = iter([m for m in model.modules() if isinstance(m, nn.Conv2d)])
    norms = iter([m for m in model.modules() if isinstance(m, nn.BatchNorm2d)])
    steps, n = x_TNCHW.shape[:2]

    def conv_bn(x: Tensor) -> Tensor:
        conv, norm = next(convs), next(norms)
        y = F.conv2d(x, conv.weight, conv.bias, padding=conv.weight.shape[-1] // 2)
        return F.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)

    def fire(x: Tensor, v_threshold: float = 1.0) -> Tensor:
        v, out = torch.zeros_like(x[:n]), []
        for current in x.split(n):
            h = v + (current - v) / tau
            out.append((h >= v_threshold).to(x))
            v = torch.where(h >= v_threshold, torch.zeros_like(h), h)
        return torch.cat(out)

    def pool(x: Tensor) -> Tensor:
        return F.max_pool2d(x, 3, 2, 1)

    def ssa(x: Tensor) -> Tensor:
        s = fire(x)
        q, k, v = (fire(conv_bn(s)).flatten(2).mT.unflatten(2, (heads, -1)) for _ in range(3))
        y = torch.einsum("bihd,bjhd,bjhe->bihe", q, k, v) * 0.125
        return conv_bn(fire(y.flatten(2).mT.reshape(x.shape), 0.5))

    x = conv_bn(x_TNCHW.flatten(0, 1))
    for pooled in pools:
        if cml:
            s = fire(pool(x) if pooled else x)
        else:
            s = pool(fire(x)) if pooled else fire(x)
        x = conv_bn(s)
    for _ in model.blocks:
        x = x + ssa(x)
        x = x + conv_bn(fire(conv_bn(fire(x))))
    return model.head(x.mean((-2, -1))).unflatten(0, (steps, n))


@EACH
@torch.no_grad()
def test_against_a_second_derivation(name: str) -> None:
    x_TNCHW = images(size=pixels_for(name)).double()
    model, fired = settle(net(name, image_size=pixels_for(name)).double(), x_TNCHW), []
    for block in model.blocks:
        block.attention.attention_neuron.register_forward_hook(lambda _m, _i, out: fired.append(out.mean().item()))
    dvs = "dvs" in name
    pools = (True,) * 4 if dvs else (False, False, True, True)
    other = second_derivation(model, x_TNCHW, pools=pools, cml=name.endswith("cml"), tau=1.5 if dvs else 2.0, heads=4)
    torch.testing.assert_close(model(x_TNCHW), other, rtol=0, atol=1e-10)
    assert len(fired) == 2 and all(0 < rate < 1 for rate in fired)  # attention has a say


# --- what all models keep


@EACH
def test_causal_and_independent(name: str) -> None:
    x_TNCHW = images(size=pixels_for(name)).double()
    model = settle(net(name, image_size=pixels_for(name)).double(), x_TNCHW)
    samples_are_independent(model, x_TNCHW)
    assert not first_step_sees_the_last(model, x_TNCHW)
    torch.testing.assert_close(step_by_step(model, x_TNCHW), model(x_TNCHW), rtol=0, atol=1e-12)


def test_g1_forward_forgets_the_last_batch() -> None:
    model = settle(net(), images())
    first = model(images())
    assert torch.equal(first, model(images())) and not torch.equal(first, model(images(), reset=False))


@pytest.mark.parametrize("neuron", ["lif", "plif", "relu"])
@EACH
def test_g6_every_parameter_learns(name: str, neuron: str) -> None:
    """Biases in front of a norm apart, which takes away what they add."""
    x_TNCHW = images(8, pixels_for(name))
    model = settle(net(name, neuron=neuron, image_size=pixels_for(name)), x_TNCHW).train()
    cancelled = {f"blocks.{i}.{part}.0.bias" for i in range(2) for part in ("attention.proj", "mlp.fc1", "mlp.fc2")}
    assert set(without_gradient(model, x_TNCHW)) <= cancelled
    grads = {name: p.grad for name, p in model.named_parameters()}
    assert all(grad is not None and grad.isfinite().all() for grad in grads.values())
    assert all(grads[name].abs().max() < 1e-4 for name in cancelled)


def test_a_static_image_passes_the_stem_once() -> None:
    model, calls = net(), []
    model.stem_conv[0].register_forward_hook(lambda _m, inputs, _out: calls.append(inputs[0].shape[0]))
    assert model(images()[:1]).shape == (3, 4, 5) and calls == [1]


def test_head_starts_as_published() -> None:
    """Normal with 0.02 (the truncation at 100 standard deviations apart), no bias."""
    head = net(dim=256, heads=8, num_classes=200).head
    assert head.weight.std().item() == pytest.approx(0.02, rel=0.02) and head.bias.abs().sum() == 0


@EACH
def test_twin(name: str) -> None:
    """ReLU for every neuron, attention q (k' v) / 8 on real numbers."""
    model = net(name, neuron_args={"tau": 3.0})
    twin, seen = ann_twin(model), []
    assert neurons_in(twin) == [] and len([m for m in twin.modules() if isinstance(m, nn.ReLU)]) == len(neurons_in(model))
    assert {n: v.shape for n, v in twin.state_dict().items()} == {n: v.shape for n, v in model.state_dict().items()}
    twin.blocks[0].attention.outer.register_forward_hook(lambda _m, _i, out: seen.append(out))
    assert twin(images()).shape == (1, 4, 5)
    assert not torch.equal(seen[0], seen[0].round())


# --- errors


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"dim": 36}, "dim=36; need a multiple of 8"),
        ({"heads": 5}, "heads=5 does not divide dim=32"),
        ({"depth": 0}, "depth=0; need a whole number, at least 1"),
        ({"mlp_ratio": 2.5}, "mlp_ratio=2.5; need a whole number"),
        ({"patch_size": 3}, "patch_size=3; need one of 1, 2, 4, 8, 16"),
        ({"width": 8}, "unknown argument 'width'"),
        ({"layout": None}, "unknown argument 'layout'"),
        ({"drop_path": 0.1}, "unknown argument 'drop_path'"),  # inert in the authors' program
        ({"neuron": "lfi"}, "unknown neuron 'lfi'; did you mean"),
        ({"neuron_args": {"taw": 1.0}}, "unknown argument 'taw'; did you mean tau"),
    ],
)
def test_errors(overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        net(**overrides)
    with pytest.raises(UserError, match=r"unknown model 'spikingformer_4_385'; did you mean .*spikingformer_4_384"):
        net("spikingformer_4_385")


def test_the_callers_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    net()
    assert torch.equal(torch.get_rng_state(), before)
