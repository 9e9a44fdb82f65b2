"""HsVT-SNN5 against the spec's property tests T1-T6."""

from itertools import pairwise
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
from spikingjelly.activation_based import base
from torch import Tensor, nn

from snn5.benchmark import count_operations
from snn5.errors import UserError
from snn5.inference import run_until_sure
from snn5.models import SpikingModel, ann_twin, create_model, initialise
from snn5.models._hsvt_attention import AttentionBlock, LayerScale, SelfAttention
from snn5.models._hsvt_temporal import STFE, ConvLSTM
from snn5.neurons import LIF

FEED_FORWARD = pytest.mark.parametrize("feed_forward", ["ann", "snn"])


def net(name: str = "hsvt_tiny", **overrides: Any) -> SpikingModel:
    """A small network whose four stages have 16, 8, 4 and 2 pixels."""
    arguments: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 16, "time_steps": 3, "width": 4, "strides": (1, 2, 2, 2)}
    model = create_model(name, **(arguments | overrides))
    initialise(model, torch.Generator().manual_seed(3))
    for module in model.modules():  # attention and feed-forward layers that matter
        if isinstance(module, LayerScale):
            nn.init.constant_(module.gamma, 0.5)
    return model


def images(**keys: int) -> Tensor:
    return noise(3, 4, 2, 16, 16, **keys)


def full_size(name: str, **overrides: Any) -> SpikingModel:
    """The published widths, shapes only."""
    shape: dict[str, Any] = {"in_channels": 3, "num_classes": 10, "image_size": 128, "time_steps": 4, "neuron": "lif"}
    with torch.device("meta"):
        return create_model(name, **(shape | overrides))


# --- T1: shapes and parameters


def test_t1_strides_are_4_8_16_32() -> None:
    model, seen = net(image_size=128, strides=(4, 2, 2, 2), width=2), []
    for stage in model.stages:
        stage.down.conv.register_forward_hook(lambda _m, _i, out: seen.append(tuple(out.shape[2:])))
    model(noise(1, 1, 2, 128, 128))
    assert seen == [(2, 32, 32), (4, 16, 16), (8, 8, 8), (16, 4, 4)]
    assert [stage.down.conv.kernel_size for stage in model.stages] == [(7, 7), (3, 3), (3, 3), (3, 3)]
    assert [m.partition for m in model.modules() if isinstance(m, AttentionBlock)] == [4] * 8


def by_hand(embed: int, temporal: tuple[str, ...], inputs: int = 3, classes: int = 10) -> int:
    """Block: norm 2C, attention 4C^2 + 4C, MLP 8C^2 + 5C with its norm 2C, two scales 2C; the stage's first block has no norm before it.

    conv k^2 C_in C, its norm 2C; STFE 2C^2 + two norms 4C; LSTM 8C^2 + 4C; head 8 embed K + K.
    """
    total, n_in = 8 * embed * classes + classes, inputs
    for stage, cell in enumerate(temporal):
        c = embed * 2**stage
        total += (49 if stage == 0 else 9) * n_in * c + 2 * c
        total += 2 * (12 * c * c + 15 * c) - 2 * c
        total += 2 * c * c + 4 * c if cell == "stfe" else 8 * c * c + 4 * c
        n_in = c
    return total


@pytest.mark.parametrize(("name", "embed", "expected"), [("tiny", 32, 3066922), ("small", 48, 6882874), ("base", 64, 12220490)])
def test_t1_parameters(name: str, embed: int, expected: int) -> None:
    default = ("stfe", "stfe", "stfe", "lstm")
    assert by_hand(embed, default) == expected
    assert size_of(full_size(f"hsvt_{name}")) == expected
    assert size_of(full_size(f"hsvt_{name}", neuron="plif")) == expected + 3  # a time constant for each STFE
    for temporal in (("lstm",) * 4, ("stfe",) * 4, ("lstm", "stfe", "lstm", "stfe")):
        assert size_of(full_size(f"hsvt_{name}", temporal=temporal)) == by_hand(embed, temporal)


def test_t1_what_spiking_cells_save() -> None:
    """sum 8C^2 + 4C = 2 789 120 for the base model, RVT's temporal budget; STFE costs 2C^2 + 4C."""
    all_lstm, all_stfe = (size_of(full_size("hsvt_base", temporal=(cell,) * 4)) for cell in ("lstm", "stfe"))
    channels = [64, 128, 256, 512]
    lstm, stfe = sum(8 * c * c + 4 * c for c in channels), sum(2 * c * c + 4 * c for c in channels)
    assert lstm == 2789120 and all_lstm - all_stfe == lstm - stfe
    assert size_of(ConvLSTM(24)) == 8 * 24**2 + 4 * 24 and size_of(STFE(24, lambda channels: LIF())) == 2 * 24**2 + 4 * 24


def test_t1_head_sizes() -> None:
    """d_head is 32, 24 in the small model; where it does not divide a chosen width, the largest that does."""
    for name, d_head in (("tiny", 32), ("small", 24), ("base", 32)):
        assert {m.d_head for m in full_size(f"hsvt_{name}").modules() if isinstance(m, SelfAttention)} == {d_head}
    heads = [stage.attention[0].attention.d_head for stage in net("hsvt_small", width=8).stages]
    assert heads == [8, 16, 16, 16]


def test_depth() -> None:
    assert [len(stage.attention) for stage in net(depth=2).stages] == [4] * 4
    assert [block.grid for block in net(depth=2).stages[0].attention] == [False, True, False, True]
    assert [isinstance(block.norm, nn.Identity) for block in net(depth=2).stages[0].attention] == [True, False, False, False]


@pytest.mark.parametrize(
    ("image_size", "strides", "padded", "partitions"),
    [
        (8, (2, 2, 1, 1), 8, [4, 2, 2, 2]),
        (8, (4, 2, 2, 2), 32, [4, 4, 2, 1]),
        (16, (2, 2, 2, 1), 16, [4, 4, 2, 2]),
        (34, (2, 2, 2, 2), 48, [4, 4, 3, 3]),
        (34, (4, 2, 2, 2), 64, [4, 4, 4, 2]),
        (128, (4, 2, 2, 2), 128, [4, 4, 4, 4]),
        (256, (4, 2, 2, 2), 256, [8, 8, 8, 8]),  # RVT's H/32
    ],
)
def test_image_sizes(image_size: int, strides: tuple[int, ...], padded: int, partitions: list[int]) -> None:
    model = net(image_size=image_size, strides=strides, width=2)
    assert image_size + model.padding == padded
    assert [stage.attention[0].partition for stage in model.stages] == partitions
    assert model(noise(1, 1, 2, image_size, image_size)).shape == (3, 1, 5)


def test_padding_is_zeros_at_the_right_and_bottom() -> None:
    """As RVT pads its input: an image of 13 is one of 16 whose last three rows and columns are empty."""
    model, x_TNCHW = net(image_size=13).eval(), noise(3, 2, 2, 13, 13)
    padded = torch.zeros(3, 2, 2, 16, 16)
    padded[..., :13, :13] = x_TNCHW
    assert torch.equal(model(x_TNCHW), net(image_size=16).eval()(padded))


# --- T2: who spikes


def test_t2_attention_is_an_ann_and_what_neurons_say_is_binary() -> None:
    model, seen = settle(net(), images()), []
    assert not any(isinstance(m, base.MemoryModule) for stage in model.stages for m in (*stage.attention.modules(), *stage.down.modules()))
    for neuron in neurons_in(model):
        neuron.register_forward_hook(lambda _m, _i, out: seen.append(out))
    model(images())
    assert len(seen) == 3 and all(set(s.unique().tolist()) == {0.0, 1.0} for s in seen)


def test_spiking_feed_forward() -> None:
    """The roadmap's wording: attention stays an ANN, the feed-forward layers spike: two neurons in each of 8 blocks, and three STFEs."""
    model = net(feed_forward="snn")
    assert len(neurons_in(model)) == 2 * 8 + 3
    assert not any(
        isinstance(m, base.MemoryModule) for b in model.modules() if isinstance(b, AttentionBlock) for m in b.attention.modules()
    )
    assert [m.v_threshold for b in model.modules() if isinstance(b, AttentionBlock) for m in neurons_in(b)] == [0.5] * 16
    kinds = wires(settle(model, images()), images())
    assert {kind for name, kind in kinds.items() if ".feed_forward." in name} == {"binary"}


def test_an_lstm_is_no_neuron() -> None:
    assert neurons_in(net(temporal=("lstm",) * 4)) == []
    assert len(neurons_in(net(temporal=("stfe",) * 4))) == 4


# --- T3, T4, T5, G2: time and samples


@FEED_FORWARD
@pytest.mark.parametrize("temporal", [("stfe", "stfe", "stfe", "lstm"), ("lstm",) * 4])
def test_t3_t4_t5_time(feed_forward: str, temporal: tuple[str, ...]) -> None:
    """No step sees the future; step by step is all at once, bit for bit; a reset forgets everything."""
    model = settle(net(feed_forward=feed_forward, temporal=temporal), images())
    with torch.no_grad():
        whole = model(images())
        assert model.causal and not first_step_sees_the_last(model, images())
        assert torch.equal(step_by_step(model, images()), whole)
        assert torch.equal(model(images()), whole)
        assert not torch.equal(model(images(), reset=False), whole)


def test_samples_that_leave_early_take_their_state_with_them() -> None:
    """The LSTM's state too: those who stay get the answers of a full run."""
    model, asked = settle(net(), images()), []

    def rule(sum_NK: Tensor, step: int) -> Tensor:
        asked.append((step, len(sum_NK)))
        return torch.arange(len(sum_NK)) == 1  # the second of those still there

    left = run_until_sure(model, images(), rule)
    with torch.no_grad():
        whole_TNK = model(images()).cumsum(0)
    assert asked == [(1, 4), (2, 3)] and left.step_N.tolist() == [3, 1, 2, 3]
    expected = torch.stack([whole_TNK[step - 1, n] for n, step in enumerate(left.step_N.tolist())])
    torch.testing.assert_close(left.logits_NK, expected, rtol=0, atol=1e-5)


@FEED_FORWARD
def test_g2_samples_do_not_see_each_other(feed_forward: str) -> None:
    x_TNCHW = images().double()
    samples_are_independent(settle(net(feed_forward=feed_forward).double(), x_TNCHW), x_TNCHW)


@FEED_FORWARD
def test_a_static_image_passes_the_stem_once(feed_forward: str) -> None:
    model, calls = settle(net(feed_forward=feed_forward), images()), []
    model.stages[0].down.register_forward_hook(lambda _m, inputs, _out: calls.append(len(inputs[0])))
    logits_TNK = model(images()[:1])
    assert calls == [1] and logits_TNK.shape == (3, 4, 5)
    torch.testing.assert_close(logits_TNK, model(images()[:1].repeat(3, 1, 1, 1, 1)), rtol=0, atol=1e-5)
    assert all(not torch.equal(a, b) for a, b in pairwise(logits_TNK))


# --- T6: what it costs


def test_t6_multiplications_of_the_ann_and_additions_of_the_snn_apart() -> None:
    model = settle(net(), images())
    layers = count_operations(model, images()).layers
    assert {name for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)} <= set(layers)
    additions = {name for name, count in layers.items() if count.acs > 0}
    assert additions == {f"stages.{stage}.cell.read.0" for stage in range(3)}
    assert all(count.macs > 0 for name, count in layers.items() if name not in additions and hasattr(model.get_submodule(name), "weight"))


def test_t6_what_layers_see() -> None:
    assert {name for name, kind in wires(settle(net(), images()), images()).items() if kind != "float"} == {
        f"stages.{stage}.cell.read.0" for stage in range(3)
    }


# --- G6, twins, errors


@FEED_FORWARD
@pytest.mark.parametrize("neuron", ["plif", "glif"])
def test_g6_every_parameter_learns(feed_forward: str, neuron: str) -> None:
    assert without_gradient(net(feed_forward=feed_forward, neuron=neuron), noise(3, 8, 2, 16, 16)) == []


def test_g6_every_parameter_learns_from_its_own_start() -> None:
    """Layer scales at 1e-5, as training starts."""
    model = net(temporal=("stfe", "lstm", "stfe", "lstm"))
    initialise(model, torch.Generator().manual_seed(3))
    assert without_gradient(model, noise(3, 8, 2, 16, 16)) == []


@FEED_FORWARD
def test_twin_has_no_neurons(feed_forward: str) -> None:
    """ReLU for the neurons; the LSTM stays and sees one step."""
    model = net(feed_forward=feed_forward)
    twin = ann_twin(model)
    assert neurons_in(twin) == [] and sum(isinstance(m, nn.ReLU) for m in twin.modules()) == len(neurons_in(model))
    assert sum(isinstance(m, ConvLSTM) for m in twin.modules()) == 1
    assert twin(images()).shape == (1, 4, 5) and torch.equal(twin.eval()(images()), twin(images()))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"temporal": ("stfe", "stfe", "stfe", "lsmt")}, "unknown temporal cell 'lsmt'; did you mean lstm"),
        ({"temporal": ("stfe", "lstm")}, r"temporal=\('stfe', 'lstm'\); need four values, one for each stage"),
        ({"temporal": "stfe"}, "temporal='stfe'; need four values"),
        ({"partition": (4, 4, 4)}, r"partition=\(4, 4, 4\); need four values"),
        ({"partition": (4, 3, 4, 2)}, "partition=3 of stage 2; its 8 x 8 features take 1, 2, 4, 8"),
        ({"strides": (2, 2)}, r"strides=\(2, 2\); need four values"),
        ({"strides": (2, 0, 2, 2)}, "stride=0; need a whole number, at least 1"),
        ({"d_head": 3}, "d_head=3 does not divide the 4 channels of stage 1"),
        ({"feed_forward": "rnn"}, "unknown feed_forward 'rnn'; did you mean .*snn"),
        ({"depth": 0}, "depth=0; need a whole number, at least 1"),
        ({"width": 2.5}, "width=2.5; need a whole number, at least 1"),
        ({"drop_path": 0.1}, "unknown argument 'drop_path'"),
        ({"size": "tiny"}, "unknown argument 'size'"),
    ],
)
def test_mistakes(overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        net(**overrides)


def test_partition_can_be_chosen() -> None:
    assert [stage.attention[1].partition for stage in net(partition=[8, 2, 4, 1]).stages] == [8, 2, 4, 1]
