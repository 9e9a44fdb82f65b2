"""STAA against the spec's property tests T1-T5, its parts against loops, and ResNet-19 around it."""

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
from snn5.models._staa import GlobalContext, STAANeuron, StepAttention
from snn5.neurons import LIF


def net(**overrides: Any) -> SpikingModel:
    arguments: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 8, "time_steps": 4, "width": 4}
    model = create_model("staa_resnet19", **(arguments | overrides))
    initialise(model, torch.Generator().manual_seed(3))
    return model


def images(n: int = 4) -> Tensor:
    return noise(4, n, 2, 8, 8)


def attentions(model: nn.Module) -> list[STAANeuron]:
    return [m for m in model.modules() if isinstance(m, STAANeuron)]


def layer(bypass: float = 0.0, seed: int = 0) -> STAANeuron:
    """Around a LIF with 4 channels of 5 x 5 pixels, T = 4."""
    made = STAANeuron(4, 5, 4, LIF(), bypass=bypass)
    made.reset_parameters(torch.Generator().manual_seed(seed))
    return made


# --- the ledger


def test_parameters_of_resnet19() -> None:
    """A block a -> b: 9ab + 9bb + 4b, and ab + 2b where it changes. Hidden layer 512 256 + 512, head 256 K + K; 19 layers with weights."""
    stem, hidden, head = 9 * 3 * 128 + 256, 512 * 256 + 512, 2570
    same = {b: 18 * b * b + 4 * b for b in (128, 256, 512)}
    change = {b: 9 * b * b // 2 + 9 * b * b + 4 * b + b * b // 2 + 2 * b for b in (256, 512)}
    by_hand = stem + 3 * same[128] + change[256] + 2 * same[256] + change[512] + same[512] + hidden + head
    with torch.device("meta"):
        shape: dict[str, Any] = {"in_channels": 3, "num_classes": 10, "image_size": 32, "time_steps": 4, "neuron": "lif"}
        plain = create_model("staa_resnet19", attention=False, **shape)
        assert size_of(plain) == by_hand == 12698250
        assert len([m for m in plain.modules() if isinstance(m, nn.Conv2d | nn.Linear) and getattr(m, "kernel_size", 0) != (1, 1)]) == 19
        # PE; GC: W_k C, W_1 and W_2 with h = C/4, LN; SA with h = 1 at T = 4: 4 + 1 + 4 + 4
        extra = {c: c * n * n + c + (c * h + h) + 2 * h + (h * c + c) + 13 for c, n, h in ((128, 32, 32), (256, 16, 64), (512, 8, 128))}
        assert size_of(create_model("staa_resnet19", **shape)) == by_hand + 3 * extra[128] + 3 * extra[256] + 2 * extra[512] == 13744722


def test_stages() -> None:
    """3, 3 and 2 blocks; the second and third stage halve the image, and position embeddings are as large as their layer."""
    model = net(image_size=9)
    assert [tuple(m.position.shape) for m in attentions(model)] == [(4, 9, 9)] * 3 + [(8, 5, 5)] * 3 + [(16, 3, 3)] * 2
    assert model(noise(4, 1, 2, 9, 9)).shape == (4, 1, 5)


# --- T1: TSRD


def test_t1_bypassing_always_leaves_the_plain_backbone() -> None:
    attended, plain = net(neuron="lif", bypass=1.0).train(), net(neuron="lif", attention=False).train()
    missing = plain.load_state_dict({k.replace(".neuron.neuron", ".neuron"): v for k, v in attended.state_dict().items()}, strict=False)
    assert missing.missing_keys == [] and missing.unexpected_keys != []
    assert torch.equal(attended(images()), plain(images()))
    assert not torch.equal(settle(attended, images())(images()), settle(plain, images())(images()))


def test_t1_nothing_is_bypassed_in_evaluation() -> None:
    model = settle(net(bypass=1.0), images())
    assert torch.equal(model(images()), model(images()))
    assert torch.equal(model(images()), settle(net(bypass=0.0), images())(images())) is False  # their norms saw other currents
    for module in attentions(model):
        module.bypass = 0.0
    first = model(images())
    for module in attentions(model):
        module.bypass = 1.0
    assert torch.equal(model(images()), first)


def test_bypass_is_drawn_for_each_step_at_its_rate() -> None:
    """4000 draws of probability 0.1: 400, give or take 19; and each pass draws anew."""
    module = layer(bypass=0.1).train()
    none = torch.zeros(4, dtype=torch.bool)
    draws = torch.stack([none if (drawn := module._bypassed(4)) is None else drawn for _ in range(1000)])
    assert 320 < draws.sum() < 480
    assert all(50 < count < 150 for count in draws.sum(0).tolist())
    assert module.draws == 1000


def test_a_bypassed_step_goes_without_attention_and_the_others_do_not() -> None:
    module, x_TNCHW = layer(bypass=0.5).train(), 3 * noise(4, 2, 4, 5, 5)
    seen: list[Tensor] = []
    module.neuron.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    out_TNCHW = module(x_TNCHW)
    module.draws.zero_()
    bypassed_T = module._bypassed(4)
    assert 0 < bypassed_T.sum() < 4
    assert torch.equal(seen[0][bypassed_T], x_TNCHW[bypassed_T])
    assert (seen[0][~bypassed_T] != x_TNCHW[~bypassed_T]).any()
    assert set(out_TNCHW[bypassed_T].unique().tolist()) == {0.0, 1.0}
    assert out_TNCHW[~bypassed_T].max() < 1


def test_draws_are_part_of_the_state() -> None:
    """Same seed, same draws, whatever the global random state; a copy made in between goes on alike; another seed does not."""
    a, b = layer(bypass=0.5, seed=1).train(), layer(bypass=0.5, seed=1).train()
    before = torch.get_rng_state()
    first = [a._bypassed(8).tolist() for _ in range(4)]
    assert torch.equal(torch.get_rng_state(), before)
    assert [b._bypassed(8).tolist() for _ in range(4)] == first
    b.load_state_dict(a.state_dict())
    assert [b._bypassed(8).tolist() for _ in range(4)] == [a._bypassed(8).tolist() for _ in range(4)] != first
    assert [layer(bypass=0.5, seed=2).train()._bypassed(8).tolist()] != first[:1]
    assert len({int(m.seed) for m in attentions(net())}) == 8


# --- T2: global context


def test_t2_the_gate_starts_at_one() -> None:
    """W_2 = 0: 2 sigmoid(0) = 1."""
    part, x_TNCHW = GlobalContext(8), noise(3, 2, 8, 4, 4)
    nn.init.zeros_(part.excite.weight)
    nn.init.zeros_(part.excite.bias)
    assert torch.equal(part(x_TNCHW), x_TNCHW)


def test_global_context_is_its_formula() -> None:
    """c = sum_p softmax_p(W_k x)_p x_p; x * 2 sigmoid(W_2 ReLU(LN(W_1 c)))."""
    part, x = GlobalContext(8).double(), noise(1, 1, 8, 2, 3).double() - 0.5
    pixels = x[0, 0].flatten(1)
    scores = torch.stack([(part.key.weight[0, :, 0, 0] * pixels[:, p]).sum() for p in range(6)]).exp()
    context = sum(scores[p] / scores.sum() * pixels[:, p] for p in range(6))
    h = part.squeeze.weight @ context + part.squeeze.bias
    h = ((h - h.mean()) / (h.var(unbiased=False) + 1e-5).sqrt()).clamp(min=0)
    gate = 2 / (1 + (-(part.excite.weight @ h + part.excite.bias)).exp())
    torch.testing.assert_close(part(x)[0, 0], x[0, 0] * gate[:, None, None], rtol=0, atol=1e-12)


def test_global_context_sees_the_whole_image_and_one_step() -> None:
    part, x_TNCHW = GlobalContext(8), noise(3, 2, 8, 4, 4)
    changed = x_TNCHW.clone()
    changed[1, 0, :, 3, 3] += 1
    differ = part(changed)[..., :3, :3] != part(x_TNCHW)[..., :3, :3]
    assert differ[1, 0].all() and not differ[[0, 2]].any() and not differ[1, 1].any()


# --- T3: step attention


def test_t3_one_gate_for_each_step() -> None:
    part, s_TNCHW = StepAttention(8), spikes(8, 3, 4, 5, 5)
    gate_TN = part(s_TNCHW)
    assert gate_TN.shape == (8, 3) and (gate_TN > 0).all() and (gate_TN < 1).all()
    assert part.squeeze.weight.shape == (2, 8)


def test_t3_gate_by_hand() -> None:
    """T = 4, h = 1, V_1 = (1, 2, 3, 4), V_2 = (1, -1, 0, 2): rates (0, 1/2, 1, 1/4) give h = 5 and sigmoid(5, -5, 0, 10)."""
    part = StepAttention(4)
    with torch.no_grad():
        part.squeeze.weight.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
        part.excite.weight.copy_(torch.tensor([[1.0], [-1.0], [0.0], [2.0]]))
        for bias in (part.squeeze.bias, part.excite.bias):
            bias.zero_()
    s_TNCHW = torch.tensor([[0.0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1], [0, 0, 1, 0]]).view(4, 1, 1, 2, 2)
    torch.testing.assert_close(part(s_TNCHW)[:, 0], torch.tensor([5.0, -5.0, 0.0, 10.0]).sigmoid())


def test_t3_step_attention_starts_alive() -> None:
    """A hidden unit that sees rates through negative weights would answer 0 for ever; gates start near sigmoid(3) = 0.95."""
    for seed in range(3):
        model = net()
        initialise(model, torch.Generator().manual_seed(seed))
        assert all((m.steps.squeeze.weight >= 0).all() and m.steps.squeeze.weight.sum() > 0 for m in attentions(model))
        assert all(m.steps.squeeze.weight.sum(1).tolist() == pytest.approx([1.0]) for m in attentions(model))
        assert all(m.steps.excite.weight.square().mean().item() == pytest.approx(1.0) for m in attentions(model))
        assert all(m.steps(spikes(4, 2, 4, 5, 5)).min() > 0.9 for m in attentions(model))


@pytest.mark.parametrize(
    ("overrides", "v_threshold", "current"),
    [
        ({}, 0.5, 1.0),
        ({"neuron": "lif", "neuron_args": {"tau": 4.0, "v_threshold": 0.75}}, 0.75, 3.0),
        ({"neuron": "adaptive_lif"}, 0.5, 1.0),
    ],
)
def test_neurons_fire_at_a_half_and_norms_start_accordingly(overrides: dict[str, Any], v_threshold: float, current: float) -> None:
    model = net(**overrides)
    assert {m.v_threshold for m in neurons_in(model)} == {v_threshold}
    first, second, hidden = model.blocks[3].branch[0][1], model.blocks[3].branch[2][1], model.hidden[1]
    for norm, start in ((first, current), (second, current / 2**0.5), (model.blocks[3].shortcut[1], current / 2**0.5), (hidden, current)):
        assert norm.weight.tolist() == pytest.approx([start] * len(norm.weight)) and norm.bias.abs().sum() == 0


def test_an_identity_passes_spikes_on() -> None:
    """Where the branch says nothing, half of the spike of the identity is what fires the neuron of the sum."""
    block = net(attention=False, neuron="lif").blocks[1].eval()
    nn.init.zeros_(block.branch[2][1].weight)
    assert torch.equal(block(spikes(1, 2, 4, 8, 8)), spikes(1, 2, 4, 8, 8))


# --- T4: spikes and their gates


@pytest.mark.parametrize("neuron", ["lif", "plif", "adaptive_lif", "glif"])
def test_t4_neurons_answer_spikes(neuron: str) -> None:
    model, seen = settle(net(neuron=neuron), images()), []
    for module in neurons_in(model):
        module.register_forward_hook(lambda _m, _i, out: seen.append(out))
    model(images())
    assert len(seen) == 18 and all(set(s.unique().tolist()) <= {0.0, 1.0} for s in seen)
    assert any(s.sum() > 0 for s in seen)


def test_t4_a_spike_is_worth_its_steps_gate() -> None:
    module, x_TNCHW = layer().eval(), 3 * noise(4, 2, 4, 5, 5)
    out_TNCHW = module(x_TNCHW)
    values = [out_TNCHW[t, n].unique().tolist() for t in range(4) for n in range(2)]
    assert all(len(v) <= 2 and v[0] == 0.0 and v[-1] < 1 for v in values) and out_TNCHW.max() > 0


def test_wires() -> None:
    """Behind a gate inputs are real numbers; the second convolution of a branch sees spikes."""
    kinds = wires(settle(net(), images()), images())
    assert {kinds[f"blocks.{b}.branch.2.0"] for b in range(8)} == {"binary"} and kinds["head"] == "binary"
    assert {kinds[f"blocks.{b}.branch.0.0"] for b in range(1, 8)} == {"float"} and kinds["blocks.0.branch.0.0"] == "binary"
    plain = wires(settle(net(attention=False), images()), images())
    assert [name for name, kind in plain.items() if kind == "float"] == ["stem_conv.0", "hidden.0"]


# --- T5: position embedding


def test_t5_permuting_pixels_matters_only_through_the_embedding() -> None:
    module, x_TNCHW = layer().eval(), 3 * noise(4, 2, 4, 5, 5)

    def difference() -> float:
        module.neuron.reset()
        straight = module(x_TNCHW)
        module.neuron.reset()
        return (module(x_TNCHW.flip(-1)).flip(-1) - straight).abs().max().item()

    assert module.position.numel() == 4 * 5 * 5
    nn.init.constant_(module.position, 0.3)
    assert difference() < 1e-6
    nn.init.normal_(module.position, generator=torch.Generator().manual_seed(0))
    assert difference() > 0.1


def test_position_embedding_is_drawn() -> None:
    """normal(0, 0.02): 13 432 draws of a larger net know the spread to 1 %."""
    drawn = torch.cat([m.position.detach().flatten() for m in attentions(net(image_size=32, width=8))])
    assert drawn.std().item() == pytest.approx(0.02, rel=0.05) and abs(drawn.mean().item()) < 1e-3


# --- time, samples, gradients, twins, errors


def test_attention_is_not_causal_and_the_backbone_is() -> None:
    attended, plain = settle(net(), images()), settle(net(attention=False), images())
    assert not attended.causal and first_step_sees_the_last(attended, images())
    assert plain.causal and not first_step_sees_the_last(plain, images())
    with torch.no_grad():
        assert torch.equal(step_by_step(plain, images()), plain(images()))
    with pytest.raises(UserError, match="STAA looks at all of its T=4 steps at once and was given 1"):
        step_by_step(attended, images())


@pytest.mark.parametrize("attention", [True, False])
def test_forward_forgets_the_last_batch(attention: bool) -> None:
    model = settle(net(attention=attention), images())
    first = model(images())
    assert torch.equal(model(images()), first) and not torch.equal(model(images(), reset=False), first)


@pytest.mark.parametrize("attention", [True, False])
def test_samples_do_not_see_each_other(attention: bool) -> None:
    samples_are_independent(settle(net(attention=attention).double(), images().double()), images().double())


@pytest.mark.parametrize("overrides", [{}, {"attention": False}, {"neuron": "adaptive_lif"}, {"neuron": "relu"}])
def test_every_parameter_learns(overrides: dict[str, Any]) -> None:
    assert without_gradient(net(**overrides), images(8)) == []


def test_twin() -> None:
    model = net()
    twin = ann_twin(model)
    assert neurons_in(twin) == [] and len(neurons_in(model)) == 18 and twin(images()).shape == (1, 4, 5)
    assert len(attentions(twin)) == 8


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"bypass": 1.5}, "bypass=1.5; need a probability from 0 to 1"),
        ({"bypass": -0.1}, "bypass=-0.1; need a probability"),
        ({"width": 0}, "width=0; need a whole number"),
    ],
)
def test_mistakes(overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        net(**overrides)
