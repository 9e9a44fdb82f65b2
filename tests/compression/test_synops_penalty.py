"""P4.1: the penalty is the operation count, its gradient the fan-out; strength 0 is plain fine-tuning; more strength, fewer operations."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import layer
from torch import Tensor, nn

import snn5.compression._sparsity as sparsity_module
from snn5.benchmark import count_operations
from snn5.checkpoint import Card, Checkpoint, Transform, of
from snn5.compression import SynOps, SynOpsPenalty, Target, Teacher, round_to_nearest, sparsify
from snn5.config import Train
from snn5.datasets import Split, load
from snn5.errors import UserError
from snn5.models import create_model, initialise
from snn5.training import Fit, Samples, fit, samples

LIVELY = {"tau": 1.2, "v_threshold": 0.4}
SETTINGS = Train(model="sew_resnet8", epochs=3, batch_size=16, lr=4e-3, shift_pixels=1)


class TwoConvolutions(nn.Module):
    """An analogue stem and one spike layer: 3x3 on 3x3 pixels, padding 1, `out` channels."""

    def __init__(self, out: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.stem_conv = layer.Conv2d(1, 1, 1, step_mode="m")
        self.second = layer.Conv2d(1, out, 3, stride=stride, padding=1, bias=False, step_mode="m")

    def forward(self, s_TNCHW: Tensor) -> Tensor:
        self.stem_conv(s_TNCHW)
        return self.second(s_TNCHW)


def omega(model: nn.Module, s_TNCHW: Tensor) -> Tensor:
    penalty = SynOpsPenalty(model)
    with penalty.watching():
        model(s_TNCHW)
        return penalty.value()


def image(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)[None, None, None]


# --- by hand: with padding 1 a corner meets 4 of the 9 weights, an edge 6, the centre 9: 4*4 + 4*6 + 9 = 49 products in all

PSI = [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]


@pytest.mark.parametrize(
    ("spikes", "operations"),
    [
        ([[1, 1, 1], [1, 1, 1], [1, 1, 1]], 49),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], 0),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 0]], 4 + 9),
        ([[0, 2, 0], [0, 0, 0], [0, 0, 1]], 2 * 6 + 4),  # SEW's ADD sums spikes: two are two additions
    ],
)
@pytest.mark.parametrize("out", [1, 5])
def test_omega_by_hand(spikes: list[list[float]], operations: int, out: int) -> None:
    assert omega(TwoConvolutions(out), image(*spikes)).item() == pytest.approx(operations / 49)


def test_omega_by_hand_with_stride_2() -> None:
    """Outputs sit on the four corners: a corner meets 1 of them, an edge 2, the centre 4: 4 + 8 + 4 = 16 products."""
    model = TwoConvolutions(stride=2)
    assert omega(model, image([1, 0, 0], [0, 1, 0], [0, 0, 0])).item() == pytest.approx((1 + 4) / 16)


def test_omega_over_steps_and_samples() -> None:
    """Two steps of two samples: 49, 0, 9 and 4 of 4 * 49 products. Showing everything twice changes nothing."""
    full, none = torch.ones(3, 3), torch.zeros(3, 3)
    centre, corner = none.clone(), none.clone()
    centre[1, 1] = corner[0, 2] = 1.0
    s_TNCHW = torch.stack([torch.stack([full, none]), torch.stack([centre, corner])])[:, :, None]
    expected = pytest.approx((49 + 0 + 9 + 4) / (4 * 49))
    assert omega(TwoConvolutions(), s_TNCHW).item() == expected
    assert omega(TwoConvolutions(), torch.cat([s_TNCHW, s_TNCHW])).item() == expected
    assert omega(TwoConvolutions(), torch.cat([s_TNCHW, s_TNCHW], 1)).item() == expected


def test_pruned_weights_cost_nothing() -> None:
    """Only the kernel's centre is left: each spike meets one weight, of 49 products in all."""
    model = TwoConvolutions()
    with torch.no_grad():
        model.second.weight.mul_(torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]))
    assert omega(model, image([1, 1, 0], [0, 1, 0], [0, 0, 0])).item() == pytest.approx(3 / 49)


def test_fan_outs_that_bfloat16_cannot_count_are_exact() -> None:
    wide = nn.Sequential(nn.Conv2d(1, 257, 1, bias=False))
    penalty = SynOpsPenalty(wide)
    with penalty.watching(), torch.autocast("cpu", dtype=torch.bfloat16):
        wide(torch.tensor([[[[1.0, 0.0]]]], dtype=torch.bfloat16))
        assert penalty.value().item() == 0.5 and penalty.value().dtype == torch.float32
        wide(torch.ones(1, 1, 3, 1, dtype=torch.bfloat16))
    assert [omega.item() for omega in penalty._operations] == [771.0]


def test_the_stem_is_left_out() -> None:
    """Its input is the image: 1.0 everywhere would double Omega."""
    model = TwoConvolutions()
    assert list(SynOpsPenalty(model)._layers) == ["second"]


def test_omega_is_what_the_benchmark_counts() -> None:
    """acs of all spike layers over their dense operations, on a network with residual sums; the head sees averages and is none."""
    model = create_model("sew_resnet20", in_channels=2, num_classes=5, image_size=8, time_steps=3, width=4, neuron_args=LIVELY)
    model.train()
    x_TNCHW = 3 * torch.rand(3, 4, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    found = omega(model, x_TNCHW).item()
    counted = [work for name, work in count_operations(model, x_TNCHW).layers.items() if name not in ("stem_conv.0", "head")]
    assert {work.kind for work in counted} <= {"binary", "integer"} and len(counted) == 20
    assert found == pytest.approx(sum(w.acs for w in counted) / sum(w.dense for w in counted), rel=1e-5)
    assert 0.01 < found < 1.0


# --- the gradient


def test_gradient_of_one_spike_is_its_fanout() -> None:
    """Spec P4.1 test 4: by autograd and by switching the spike on and off."""
    model = TwoConvolutions(out=5)
    s_TNCHW = torch.bernoulli(torch.full((2, 3, 1, 3, 3), 0.4), generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(omega(model, s_TNCHW), s_TNCHW)
    products = 6 * 5 * 49  # N T M
    assert gradient.shape == s_TNCHW.shape
    for t, n, row, column in ((0, 0, 0, 0), (0, 2, 1, 1), (1, 1, 0, 1), (1, 2, 2, 2)):
        switched = []
        for value in (0.0, 1.0):
            changed = s_TNCHW.detach().clone()
            changed[t, n, 0, row, column] = value
            switched.append(omega(model, changed).item())
        assert switched[1] - switched[0] == pytest.approx(5 * PSI[row][column] / products, rel=1e-4)
        assert gradient[t, n, 0, row, column].item() == pytest.approx(5 * PSI[row][column] / products, rel=1e-6)


def test_gradient_flows_through_the_surrogates() -> None:
    model = create_model("sew_resnet8", in_channels=1, num_classes=3, image_size=8, time_steps=2, width=4, neuron_args=LIVELY)
    x_TNCHW = 3 * torch.rand(2, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    omega(model, x_TNCHW).backward()
    assert model.stem_conv[0].weight.grad.abs().sum() > 0 and model.stem_neuron.w.grad != 0
    assert model.head.weight.grad is None


def test_hooks_go_and_each_pass_counts_anew() -> None:
    model = TwoConvolutions()
    penalty = SynOpsPenalty(model)
    with pytest.raises(RuntimeError, match="no forward pass yet"):
        penalty.value()
    with penalty.watching():
        model(torch.ones(1, 1, 1, 3, 3))
        model(torch.zeros(1, 1, 1, 3, 3))
        assert penalty.value().item() == 0
    model(torch.ones(1, 1, 1, 3, 3))
    assert penalty.value().item() == 0
    assert not model._forward_pre_hooks and not model.second._forward_pre_hooks
    with pytest.raises(ZeroDivisionError), penalty.watching():
        1 / 0  # noqa: B018
    assert not model._forward_pre_hooks


# --- sparsify


def some(split: Split, n: int) -> Split:
    return replace(split, x_TNCHW=split.x_TNCHW[:, :n], y_N=split.y_N[:n], index_N=split.index_N[:n])


@pytest.fixture(scope="module")
def data() -> tuple[Samples, Samples]:
    splits = load("digits", time_steps=3)
    return samples(some(splits.train, 160)), samples(some(splits.val, 64))


@pytest.fixture(scope="module")
def start(data: tuple[Samples, Samples]) -> Checkpoint:
    """A network that spikes a lot, trained a little."""
    model = create_model("sew_resnet8", in_channels=1, num_classes=10, image_size=8, time_steps=3, width=4, neuron_args=LIVELY)
    initialise(model, torch.Generator().manual_seed(0))
    fit(model, *data, replace(SETTINGS, epochs=6), generator=torch.Generator().manual_seed(0))
    card = Card(model=model.name, model_args=model.arguments, dataset="digits", time_steps=3, neuron="plif", preprocessing={"scale": 16})
    return of(model, card).after(Transform(name="train"))


def thinned(start: Checkpoint, data: tuple[Samples, Samples], strength: float, lr: float = 4e-3, **more: Any) -> tuple[Checkpoint, Fit]:
    generator = torch.Generator().manual_seed(1)
    return sparsify(start, *data, replace(SETTINGS, lr=lr), strength=strength, generator=generator, **more)


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_strength_0_is_plain_fine_tuning_bit_for_bit(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    model = start.build()
    plain = fit(model, *data, replace(SETTINGS, warmup_epochs=0), generator=torch.Generator().manual_seed(1))
    sparse, result = thinned(start, data, 0.0)
    assert same(sparse.state, plain.last) and result.curves == plain.curves
    assert not same(sparse.state, thinned(start, data, 0.5)[0].state)


def test_the_penalty_itself_vanishes_with_its_strength(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    """Not only is it left out at 0: hooks that watch change no bit, so a penalty of weight 1e-30 gives the same weights."""
    assert same(thinned(start, data, 0.0)[0].state, thinned(start, data, 1e-30)[0].state)


def test_more_strength_fewer_operations(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    """Spec P4.1 test 3: measured operations do not rise (to 2 %) with the strength, and clearly fall over the sweep."""
    x_TNCHW, _ = data[1].batch(torch.arange(len(data[1])))
    synops = [count_operations(thinned(start, data, s, lr=2e-2)[0].build(), x_TNCHW).total("acs") for s in (0.0, 1.0, 6.0)]
    assert all(b <= 1.02 * a for a, b in pairwise(synops))
    assert synops[-1] < 0.8 * synops[0]


def test_ramp_and_weight_by_hand(monkeypatch: pytest.MonkeyPatch, start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    """3 epochs of 10 steps; over the first 20 % = 6 steps the weight rises by a sixth a step to the strength. Warm-up is off."""
    weights: list[float] = []
    seen: list[Train] = []

    def fake(model: nn.Module, _train: Samples, _val: Samples, settings: Train, *, extra_loss: Any, **_kw: Any) -> Fit:
        seen.append(settings)
        weights.extend(extra_loss(step).item() for step in range(30))
        return Fit(last=dict(model.state_dict()))

    monkeypatch.setattr(sparsity_module, "fit", fake)
    monkeypatch.setattr(SynOpsPenalty, "value", lambda _self: torch.tensor(0.5))
    thinned(start, data, 2.0)
    assert weights[:6] == pytest.approx([k / 6 for k in range(1, 7)]) and weights[6:] == [1.0] * 24
    assert seen[0].warmup_epochs == 0 and seen[0].epochs == 3
    weights.clear()
    thinned(start, data, 2.0, ramp_fraction=0.0)
    assert weights == [1.0] * 30


def pruned(start: Checkpoint) -> tuple[Checkpoint, list[str]]:
    """Every second weight of two layers gone, as a card with masks says."""
    names = [name for name, value in start.state.items() if value.ndim == 4][1:3]
    state = {name: value.clone() for name, value in start.state.items()}
    for name in names:
        state[name].view(-1)[::2] = 0
    return Checkpoint(card=replace(start.card, masks=names), state=state), names


def test_a_pruned_network_stays_pruned(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    parent, names = pruned(start)
    for strength in (0.0, 0.5):
        sparse, _ = thinned(parent, data, strength)
        assert sparse.card.masks == names
        for name in names:
            assert torch.equal(sparse.state[name] == 0, parent.state[name] == 0)
            assert not torch.equal(sparse.state[name], parent.state[name])
    grown, _ = thinned(replace(parent, card=replace(parent.card, masks=[])), data, 0.0)
    assert all((grown.state[name] != 0).all() for name in names)


def test_another_regulariser_pulls_the_rates_to_its_target(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    """The achieved rates are in the Fit; a target below them all lowers every layer that was above it."""
    _, free = thinned(start, data, 0.0, lr=2e-2)
    aim = Target(target=0.05, floor=0.02, floor_weight=2.0)
    held_to, result = thinned(start, data, 200.0, lr=2e-2, regulariser=aim)

    def far(found: Fit) -> float:
        return sum(max(0.0, points[-1][1] - 0.05) for points in found.rates.values())

    assert far(result) < 0.5 * far(free) and result.rates.keys() == free.rates.keys()
    assert held_to.card.transforms[-1].args["regulariser"] == {"name": "Target", "target": 0.05, "floor": 0.02, "floor_weight": 2.0}
    assert "regulariser" not in thinned(start, data, 0.5)[0].card.transforms[-1].args


def test_synops_is_the_regulariser_that_it_takes_by_itself(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    assert same(thinned(start, data, 0.5)[0].state, thinned(start, data, 0.5, regulariser=SynOps())[0].state)


class Shy(nn.Module):
    """A teacher that says class 3 to everything."""

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        return 20.0 * nn.functional.one_hot(torch.full((1, x_TNCHW.shape[1]), 3), 10)


def test_a_teacher_is_listened_to(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    """With much weight on a teacher that says one class only, the student says it more often; with strength 0 as well."""
    x_TNCHW, _ = data[1].batch(torch.arange(len(data[1])))

    def says_3(made: Checkpoint) -> int:
        with torch.no_grad():
            return int((made.build()(x_TNCHW).mean(0).argmax(-1) == 3).sum())

    alone, _ = thinned(start, data, 0.0)
    taught, _ = thinned(start, data, 0.0, teacher=Teacher(model=Shy(), weight=20.0, temperature=1.0))
    assert says_3(taught) > 2 * says_3(alone)
    assert taught.card.transforms[-1].args["teacher"] == {"weight": 20.0, "temperature": 1.0}


def test_penalty_and_teacher_are_added_by_hand(monkeypatch: pytest.MonkeyPatch, start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    """Ramped 2 * 0.5 of the penalty, plus 3 L_kd, which knows no ramp."""
    found: list[float] = []

    def fake(model: nn.Module, *_a: Any, extra_loss: Any, **_kw: Any) -> Fit:
        found.extend(extra_loss(step).item() for step in (0, 29))
        return Fit(last=dict(model.state_dict()))

    monkeypatch.setattr(sparsity_module, "fit", fake)
    monkeypatch.setattr(SynOpsPenalty, "value", lambda _self: torch.tensor(0.5))
    monkeypatch.setattr("snn5.compression._distil.Distillation.value", lambda _self: torch.tensor(0.25))
    thinned(start, data, 2.0, teacher=Teacher(model=Shy(), weight=3.0))
    assert found == pytest.approx([1 / 6 + 0.75, 1.0 + 0.75])


def test_keeps_the_last_epoch_and_writes_its_history(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    ticks: list[int] = []
    sparse, result = thinned(start, data, 0.5, parents={"data/p1": "abc"}, tick=lambda: ticks.append(1))
    assert same(sparse.state, result.last) and len(ticks) == 3
    last = Transform(name="sparsify", args={"strength": 0.5, "epochs": 3, "lr": 4e-3}, parents={"data/p1": "abc"})
    assert sparse.card == replace(start.card, transforms=[*start.card.transforms, last])


def test_the_checkpoint_it_starts_from_is_not_touched(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    before = {name: value.clone() for name, value in start.state.items()}
    thinned(start, data, 0.5)
    assert same(start.state, before) and [t.name for t in start.card.transforms] == ["train"]


def test_a_strength_that_kills_a_layer_names_it(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    with pytest.raises(UserError, match=r"layer [\w.]+ is silent .* lower its threshold or the regulariser's strength"):
        sparsify(start, *data, replace(SETTINGS, lr=5e-2), strength=1e4, generator=torch.Generator().manual_seed(1))


def test_negative_strength(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    with pytest.raises(UserError, match=r"strength=-0\.1; a negative one rewards spikes"):
        thinned(start, data, -0.1)


def test_a_quantised_network_is_refused(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    with pytest.raises(UserError, match="this checkpoint is quantised, and fine-tuning would take its weights off their grid"):
        thinned(round_to_nearest(start, 4), data, 0.5)


def test_old_cutoff_thresholds_are_dropped(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    calibrated = start.after(Transform(name="calibrate_cutoff"), cutoff={"rule": "gap", "thresholds": [1.0, 1.0, 1.0]})
    assert thinned(calibrated, data, 0.5)[0].card.cutoff is None
