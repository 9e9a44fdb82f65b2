"""DTA against the spec's property tests T1-T6, and its two attentions against loops."""

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
    wires,
    without_gradient,
)
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.inference import run_until_sure
from snn5.models import SpikingModel, ann_twin, create_model, initialise
from snn5.models._dta import DTA, CrossAttention, NonIdenticalAttention
from snn5.neurons import LIF


def net(**overrides: Any) -> SpikingModel:
    arguments: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 8, "time_steps": 3, "width": 4}
    model = create_model("dta_ms_resnet18", **(arguments | overrides))
    initialise(model, torch.Generator().manual_seed(3))
    return model


def images(n: int = 4) -> Tensor:
    return noise(3, n, 2, 8, 8)


def current() -> Tensor:
    """Of both signs, strong enough for spikes."""
    return 2 * noise(3, 2, 4, 5, 5) - 1


# --- T1: parameters


@pytest.mark.parametrize(("time_steps", "expected"), [(4, 237362), (6, 491246), (10, 1293998)])
def test_t1_parameters(time_steps: int, expected: int) -> None:
    """3 T^2 + 6 C^2 + 2, and with d = T C: 3 (d^2 + d), 26 d for the 5x5, 2 d for the 1x1, 2 h d."""
    d = 64 * time_steps
    by_hand = 3 * time_steps**2 + 6 * 64**2 + 2 + 3 * (d * d + d) + 26 * d + 2 * d + 2 * 16 * d
    with torch.device("meta"):
        assert size_of(DTA(64, time_steps, LIF())) == by_hand == expected


def test_t1_parameters_of_the_whole() -> None:
    with torch.device("meta"):
        model = create_model("dta_ms_resnet18", in_channels=3, num_classes=10, image_size=32, time_steps=6, neuron="lif")
        assert size_of(model) == 12993336 == 12502090 + 491246
        meant = create_model("dta_ms_resnet18", in_channels=3, num_classes=10, image_size=32, time_steps=6, neuron="lif", dilated_kernel=3)
        assert size_of(meant) == 12993336 + 8 * 6 * 64  # nine taps for one, of 384 maps


# --- the parts against loops


def test_cross_attention_is_its_formula() -> None:
    """a_t[t, c] = sigmoid(sum_{t', j} W[t, t', j] m[t', c + j - 1]), a_c[t, c] = sigmoid(sum_{c', j} V[c, c', j] m[t + j - 2, c'])."""
    steps, channels = 3, 4
    part, x = CrossAttention(channels, steps).double(), noise(1, steps, channels, 2, 2).double() - 0.7
    nn.init.constant_(part.scale_t, 0.5)
    nn.init.constant_(part.scale_c, -2.0)
    m, w, v = x[0].mean((2, 3)), part.over_time.weight, part.over_channels.weight
    expected = torch.empty_like(x[0])
    for t in range(steps):
        for c in range(channels):
            along_c = sum(w[t, u, j] * m[u, c + j - 1] for u in range(steps) for j in range(3) if 0 <= c + j - 1 < channels)
            along_t = sum(v[c, e, j] * m[t + j - 2, e] for e in range(channels) for j in range(6) if 0 <= t + j - 2 < steps)
            expected[t, c] = (x[0, t, c] + 0.5 * along_c.sigmoid()) * (x[0, t, c] - 2.0 * along_t.sigmoid())
    torch.testing.assert_close(part(x)[0], expected, rtol=0, atol=1e-12)


def test_cross_attention_starts_with_lambdas_of_one() -> None:
    model = net()
    nn.init.constant_(model.dta.cross.scale_t, 3.0)
    initialise(model, torch.Generator().manual_seed(0))
    assert model.dta.cross.scale_t == 1 and model.dta.cross.scale_c == 1


def test_non_identical_attention_is_its_formula() -> None:
    """On one pixel every depth-wise convolution is its middle tap; the rest are matrices."""
    part = NonIdenticalAttention(2, 3).double()
    x = noise(1, 3, 2, 1, 1).double() - 1
    x_D = x.flatten()

    def affine(conv: nn.Conv2d, y: Tensor) -> Tensor:
        return conv.weight[:, :, 0, 0] @ y + conv.bias

    z = nn.functional.gelu(affine(part.first, x_D))
    local = part.depthwise.weight[:, 0, 2, 2] * z + part.depthwise.bias
    local = affine(part.mix, part.dilated.weight[:, 0, 0, 0] * local + part.dilated.bias)
    gate = part.excite.weight @ (part.squeeze.weight @ z).relu()
    torch.testing.assert_close(part(x).flatten(), affine(part.last, gate * local * z) + x_D, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("kernel", "field"), [(1, 5), (3, 11)])
def test_local_field(kernel: int, field: int) -> None:
    """5x5 alone, or 5 + 2 * 3 = 11 pixels wide with three taps of dilation 3."""
    part = NonIdenticalAttention(1, 1, dilated_kernel=kernel)
    for p in part.parameters():
        nn.init.constant_(p, 0.5)
    x = torch.zeros(1, 1, 1, 15, 15)
    hit = x.clone()
    hit[..., 7, 7] = 1.0
    z = nn.functional.gelu
    local = [part.mix(part.dilated(part.depthwise(z(part.first(y.flatten(1, 2)))))) for y in (x, hit)]
    rows = (local[0] != local[1]).any(-1).flatten().nonzero()
    assert int(rows.max() - rows.min()) + 1 <= field and int(rows.max()) == 7 + field // 2
    assert part(x).shape == x.shape


# --- T2, T3: the gate


def test_t2_the_gate_is_open_at_spikes_only() -> None:
    dta, x_TNCHW = DTA(4, 3, LIF()).double(), current().double() / 2  # the sigmoid of 40 is 1, even in double precision
    y, s = dta(x_TNCHW), LIF()(x_TNCHW)
    assert 0 < s.mean() < 1 and set(s.unique().tolist()) == {0.0, 1.0}
    assert (y[s == 0] == 0).all() and (y[s == 1] > 0).all() and (y[s == 1] < 1).all()
    assert len(y[s == 1].unique()) > 10


def test_t3_with_nothing_learned_the_gate_is_the_currents_sigmoid() -> None:
    """T-NA's last convolution 0 leaves T-NA = X; with T-XA forced to 1, Y = sigmoid(X) S."""
    dta = DTA(4, 3, LIF())
    nn.init.zeros_(dta.non_identical.last.weight)
    nn.init.zeros_(dta.non_identical.last.bias)
    dta.cross.register_forward_hook(lambda _m, _i, out: torch.ones_like(out))
    torch.testing.assert_close(dta(current()), current().sigmoid() * LIF()(current()))


# --- T4, T5: time


def test_t4_the_first_step_sees_the_last() -> None:
    model = settle(net(), images())
    assert not model.causal and first_step_sees_the_last(model, images())
    with pytest.raises(UserError, match=r"looks at later steps \(causal=False\)"):
        run_until_sure(model, images(), None)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_t5_another_number_of_steps_needs_another_model(steps: int) -> None:
    model = net()
    with pytest.raises(UserError, match=rf"DTA looks at all of its T=3 steps at once and was given {steps}; .* time_steps={steps}"):
        model.run(torch.zeros(steps, 2, 4, 8, 8))
    other = net(time_steps=steps)
    assert other.dta.cross.over_time.weight.shape != model.dta.cross.over_time.weight.shape
    assert other(noise(steps, 2, 2, 8, 8)).shape == (steps, 2, 5)


# --- T6, G1, G2, G6, twins


def test_t6_wires() -> None:
    """Of the backbone, what sees real numbers is the stem, shortcuts and the head; DTA's own convolutions do."""
    kinds = wires(settle(net(), images()), images())
    real = {"stem_conv.0", "blocks.0.shortcut.0", "blocks.3.shortcut.0", "blocks.6.shortcut.0", "head"}
    backbone = {name: kind for name, kind in kinds.items() if not name.startswith("dta.")}
    assert {name for name, kind in backbone.items() if kind == "float"} == real
    assert {kind for name, kind in backbone.items() if name not in real} == {"binary"}


def test_the_first_block_hears_the_gated_spikes() -> None:
    """DTA's output is below 1: the neuron that reads it fires at 1/2, as the authors' mem/2 + x does at 1; the user's word goes first."""
    model, seen = settle(net(), images()), []
    model.blocks[0].branch[0].register_forward_hook(lambda _m, _i, out: seen.append(out))
    model(images())
    assert 0.01 < seen[0].mean() < 0.99
    thresholds = [m.v_threshold for m in neurons_in(model.blocks)]
    assert thresholds == [0.5] + [1.0] * (len(thresholds) - 1)
    assert net(neuron_args={"v_threshold": 0.8}).blocks[0].branch[0].v_threshold == 0.8


def test_the_authors_neuron() -> None:
    """mem <- mem/2 + x, reset not detached, triangle: one with decay_input at half the threshold; it needs no other threshold anywhere."""
    theirs: dict[str, Any] = {"decay_input": False, "detach_reset": False, "surrogate": "triangle"}
    model = net(neuron="lif", neuron_args=theirs)
    assert {m.v_threshold for m in neurons_in(model)} == {1.0} and without_gradient(model, images(8)) == []
    whole, halved = settle(model, images()), settle(net(neuron="lif", neuron_args={"v_threshold": 0.5}), images())
    assert torch.equal(whole(images()), halved(images()))


def test_forward_forgets_the_last_batch() -> None:
    model = settle(net(), images())
    first = model(images())
    assert torch.equal(model(images()), first) and not torch.equal(model(images(), reset=False), first)


def test_samples_do_not_see_each_other() -> None:
    samples_are_independent(settle(net().double(), images().double()), images().double())


@pytest.mark.parametrize("overrides", [{}, {"neuron": "glif"}, {"dilated_kernel": 3}, {"neuron": "relu"}])
def test_every_parameter_learns(overrides: dict[str, Any]) -> None:
    assert without_gradient(net(**overrides), images(8)) == []


def test_twin() -> None:
    model = net()
    twin = ann_twin(model)
    assert neurons_in(twin) == [] and sum(isinstance(m, nn.ReLU) for m in twin.modules()) == len(neurons_in(model)) == 18
    assert twin.dta.cross.over_time.weight.shape == (1, 1, 3) and twin(images()).shape == (1, 4, 5)


def test_static_image() -> None:
    model = settle(net(), images())
    torch.testing.assert_close(model(images()[:1]), model(images()[:1].repeat(3, 1, 1, 1, 1)), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "said"), [(2, "dilated_kernel=2; need an odd number: 1 .* or 3"), (0, "dilated_kernel=0; need a whole")]
)
def test_dilated_kernel_is_odd(kernel: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        net(dilated_kernel=kernel)
