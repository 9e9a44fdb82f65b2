"""The training loop: choice of the epoch, weight decay, schedule, determinism, and what it refuses."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snn5.training._fit as fit_module
from snn5.config import Train
from snn5.errors import UserError
from snn5.models import SpikingModel, create_model, initialise
from snn5.neurons import PLIF
from snn5.training import Evaluation, Samples, computing, fit, lay_out
from snn5.training._optimiser import optimiser_of

SETTINGS = Train(model="sew_resnet8", epochs=3, batch_size=8, lr=1e-2, shift_pixels=0)


def noise(n: int = 32, seed: int = 0) -> Samples:
    generator = torch.Generator().manual_seed(seed)
    x_NTCHW = torch.randint(0, 256, (n, 1, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return Samples(x_NTCHW=x_NTCHW, y_N=torch.randint(0, 3, (n,), generator=generator), scale=64.0)


def net(seed: int = 0, **overrides: Any) -> SpikingModel:
    shape: dict[str, Any] = {"in_channels": 1, "num_classes": 3, "image_size": 8, "time_steps": 2, "width": 4}
    overrides = {"neuron_args": {"tau": 1.2, "v_threshold": 0.3}} | overrides  # every layer spikes from the start
    model = create_model("sew_resnet8", **(shape | overrides))
    initialise(model, torch.Generator().manual_seed(seed))
    return model


class Constant(nn.Module):
    """Answers zeros whatever its parameters, so that every gradient is exactly 0."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm, self.neuron = nn.Linear(4, 3), nn.BatchNorm2d(2), PLIF(tau=5.0)
        nn.init.constant_(self.linear.bias, 0.5)

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        zero = sum((0.0 * p).sum() for p in self.parameters())
        return torch.zeros(1, x_TNCHW.shape[1], 3) + zero


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def judged(monkeypatch: pytest.MonkeyPatch, scores: list[tuple[float, float]], rates: dict[str, float] | None = None) -> None:
    """Let validation answer (accuracy, loss) epoch by epoch."""
    left = iter(scores)

    def evaluate(_model: nn.Module, data: Samples, _size: int = 256) -> Evaluation:
        accuracy, loss = next(left)
        return Evaluation(accuracy=accuracy, loss=loss, n=len(data), rates=rates or {}, prediction_N=torch.zeros(len(data)))

    monkeypatch.setattr(fit_module, "evaluate", evaluate)


# --- which epoch


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([(0.5, 1.0), (0.9, 2.0), (0.7, 0.1)], 1),  # accuracy, not loss
        ([(0.9, 1.0), (0.9, 0.5), (0.9, 0.7)], 1),  # ties: the lowest loss
        ([(0.9, 0.5), (0.9, 0.5), (0.2, 0.1)], 0),  # a full tie: the first
        ([(0.1, 1.0), (0.2, 1.0), (0.3, 1.0)], 2),
        ([(0.0, math.inf), (0.0, 5.0), (0.0, 9.0)], 1),
        ([(0.0, math.nan), (0.0, math.nan), (0.4, math.nan)], 2),
    ],
)
def test_best_epoch_is_by_validation(monkeypatch: pytest.MonkeyPatch, scores: list[tuple[float, float]], best: int) -> None:
    judged(monkeypatch, scores)
    states = []
    model = net()
    found = fit(model, noise(), noise(8, 1), SETTINGS, generator=generator(), tick=lambda _text: states.append(state(model)))
    assert found.best_epoch == best and found.val == scores[best][0]
    assert same(found.best, states[best]) and same(found.last, states[-1]) and same(state(model), states[-1])
    assert not same(states[0], states[1])
    assert [value for _, value in found.curves["val/acc"]] == [accuracy for accuracy, _ in scores]


def test_curves_have_one_point_an_epoch() -> None:
    found = fit(net(), noise(), noise(8, 1), SETTINGS, generator=generator())
    assert set(found.curves) == {"train/loss", "val/loss", "val/acc", "cost/spike_rate"}
    assert all([epoch for epoch, _ in points] == [0, 1, 2] for points in found.curves.values())


def test_rates_of_every_layer_by_epoch() -> None:
    model = net()
    found = fit(model, noise(), noise(8, 1), SETTINGS, generator=generator())
    layers = {name for name, module in model.named_modules() if isinstance(module, PLIF)}
    assert set(found.rates) == layers and all([epoch for epoch, _ in points] == [0, 1, 2] for points in found.rates.values())
    means = [sum(points[epoch][1] for points in found.rates.values()) / len(layers) for epoch in range(3)]
    assert [value for _, value in found.curves["cost/spike_rate"]] == pytest.approx(means)


def test_ticks_say_how_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    judged(monkeypatch, [(0.971, 1.0)] * 3, {"a": 0.02, "b": 0.3})
    ticks: list[str] = []
    fit(net(), noise(), noise(8, 1), SETTINGS, generator=generator(), tick=ticks.append)
    assert ticks == ["val 97.1 %, rate 0.16 (a 0.02 … b 0.3)"] * 3
    judged(monkeypatch, [(0.5, 1.0)] * 3)
    fit(net(neuron="relu"), noise(), noise(8, 1), SETTINGS, generator=generator(), tick=ticks.append)
    assert ticks[3:] == ["val 50.0 %"] * 3
    judged(monkeypatch, [(0.5, 1.0)] * 3)
    fit(net(), noise(), noise(8, 1), SETTINGS, generator=generator(), tick=lambda: ticks.append("a tick without a text"))
    assert ticks[6:] == ["a tick without a text"] * 3


def test_ticks_and_reports_every_epoch_and_a_report_may_stop_it() -> None:
    ticks, reports = [], []

    class Stop(Exception):
        pass

    def report(epoch: int, evaluation: Evaluation) -> None:
        reports.append((epoch, evaluation.n))
        if epoch == 1:
            raise Stop

    with pytest.raises(Stop):
        fit(net(), noise(), noise(8, 1), SETTINGS, generator=generator(), tick=ticks.append, report=report)
    assert reports == [(0, 8), (1, 8)] and len(ticks) == 2


# --- the optimiser


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weight_decay_reaches_kernels_only(monkeypatch: pytest.MonkeyPatch, optimizer: str) -> None:
    """No gradient: AdamW multiplies by 1 - lr wd, so does SGD (its momentum adds to it); PLIF's w, norms and biases stay bit for bit."""
    judged(monkeypatch, [(0.0, 0.0)] * 3)
    model = Constant()
    before = state(model)
    settings = replace(SETTINGS, weight_decay=0.5, optimizer=optimizer, loss="rate", warmup_epochs=0)
    fit(model, noise(16), noise(8), settings, generator=generator())
    after = state(model)
    for name in ("linear.bias", "norm.weight", "norm.bias", "neuron.w"):
        assert torch.equal(after[name], before[name]), name
    assert (after["linear.weight"].abs() < 0.999 * before["linear.weight"].abs()).all()


def test_who_is_decayed_and_how_fast_each_learns() -> None:
    """Kernels decay; norms, biases and neurons do not; neurons learn `neuron_lr_scale` times as fast."""
    model, settings = net(), replace(SETTINGS, neuron_lr_scale=3.0)
    groups = optimiser_of(model, settings, 4)[0].param_groups
    found = {id(p): (group["weight_decay"], group["initial_lr"]) for group in groups for p in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(found) == len(list(model.parameters()))
    for name, p in model.named_parameters():
        kernel = name.endswith("weight") and p.ndim > 1
        fast = name.endswith(".w")
        assert found[id(p)] == (settings.weight_decay if kernel else 0.0, pytest.approx(settings.lr * (3.0 if fast else 1.0))), name


def test_plif_time_constants_are_learned() -> None:
    model = net()
    before = state(model)
    fit(model, noise(), noise(8, 1), SETTINGS, generator=generator())
    assert not torch.equal(state(model)["stem_neuron.w"], before["stem_neuron.w"])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_network_without_neurons_trains_too(optimizer: str) -> None:
    found = fit(net(neuron="relu"), noise(), noise(8, 1), replace(SETTINGS, optimizer=optimizer), generator=generator())
    assert len(found.curves["val/acc"]) == 3 and "cost/spike_rate" not in found.curves


def test_schedule_by_hand() -> None:
    """Warm-up over 4 steps, cosine over 8: 1/4, 1/2, 3/4, 1, then 1, cos^2(pi/16), ..., half at the middle, towards 0."""
    settings = replace(SETTINGS, epochs=3, warmup_epochs=1, lr=2.0)
    optimiser, schedule = optimiser_of(net(), settings, 4)
    rates = []
    for _ in range(13):
        rates.append(optimiser.param_groups[0]["lr"] / 2.0)
        optimiser.step()
        schedule.step()
    assert rates[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert rates[5] == pytest.approx(math.cos(math.pi / 16) ** 2) and rates[8] == pytest.approx(0.5)
    assert rates[12] == pytest.approx(0.0, abs=1e-12)


def test_clipped_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """SGD's first step without momentum's help: lr times a gradient of norm 1e-3 at most; its direction is the free one's."""
    judged(monkeypatch, [(0.0, 0.0)] * 3)
    settings = replace(SETTINGS, optimizer="sgd", epochs=1, warmup_epochs=0, weight_decay=0.0, lr=1.0, loss="rate")
    moves = []
    for norm in (0.0, 1e-3, 1e5):
        model = net()
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        fit(model, noise(8), noise(8, 1), replace(settings, clip_norm=norm), generator=generator(), guard=False)
        moves.append(torch.cat([(p.detach() - before[name]).flatten() for name, p in model.named_parameters()]))
    assert moves[0].norm() > 1e-2 and torch.equal(moves[0], moves[2])
    assert moves[1].norm().item() == pytest.approx(1e-3, rel=1e-2)
    assert torch.cosine_similarity(moves[0], moves[1], dim=0) > 0.999


# --- determinism


def test_same_seed_same_weights() -> None:
    settings = replace(SETTINGS, shift_pixels=1)
    runs = [fit(net(s), noise(), noise(8, 1), settings, generator=generator(g)) for s, g in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert same(runs[0].last, runs[1].last) and same(runs[0].best, runs[1].best) and runs[0].curves == runs[1].curves
    assert not same(runs[0].last, runs[2].last)  # another order
    assert not same(runs[0].last, runs[3].last)  # other weights


def test_global_random_state_is_neither_read_nor_moved() -> None:
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        found.append(fit(net(), noise(), noise(8, 1), replace(SETTINGS, shift_pixels=1), generator=generator()))
        assert torch.equal(torch.get_rng_state(), before)
    assert same(found[0].last, found[1].last)


def test_it_learns() -> None:
    """32 samples of noise are learned by heart."""
    settings = replace(SETTINGS, epochs=25, warmup_epochs=2, weight_decay=0.0, loss="rate")
    found = fit(net(width=8), noise(), noise(), settings, generator=generator())
    assert found.val >= 0.9 and found.curves["train/loss"][-1][1] < 0.5 * found.curves["train/loss"][0][1]


@pytest.mark.parametrize(
    "change",
    [{"mixup": 0.5}, {"cutmix": 1.0}, {"mixup": 0.5, "cutmix": 1.0, "mix_probability": 0.5}, {"flip": True, "zoom": 0.1, "cutout": 2}],
)
def test_augmented_trainings_are_the_seeds(change: dict[str, Any]) -> None:
    settings = replace(SETTINGS, epochs=2, **change)
    a, b = (fit(net(), noise(), noise(8, 1), settings, generator=generator()) for _ in range(2))
    plain = fit(net(), noise(), noise(8, 1), replace(SETTINGS, epochs=2), generator=generator())
    assert same(a.last, b.last) and not same(a.last, plain.last)


def test_bfloat16_learns_too_and_weights_stay_float32() -> None:
    seen: set[torch.dtype] = set()
    model = net(width=8)
    model.blocks[0].branch[1].register_forward_hook(lambda _m, _i, s: seen.add(s.dtype))
    settings = replace(SETTINGS, epochs=25, warmup_epochs=2, weight_decay=0.0, loss="rate", precision="bf16")
    found = fit(model, noise(), noise(), settings, generator=generator())
    assert seen == {torch.bfloat16}  # in training and in evaluation
    assert found.val >= 0.9 and found.curves["train/loss"][-1][1] < 0.5 * found.curves["train/loss"][0][1]
    assert {value.dtype for value in found.last.values() if value.is_floating_point()} == {torch.float32}
    assert all(0 < value < 1 for points in found.rates.values() for _, value in points)


@pytest.mark.parametrize("native", ["avx512_bf16", "amx_bf16", None])
def test_auto_is_bfloat16_where_the_cpu_has_it(native: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    able = {"avx512_f": True, "avx512_bf16": False} | ({native: True} if native else {})
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    with computing("auto", torch.device("cpu")):
        found = nn.Linear(2, 2)(torch.zeros(1, 2)).dtype
    assert found == (torch.bfloat16 if native else torch.float32)


def test_the_loss_is_taken_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds, real = [], fit_module.loss_of(SETTINGS)
    monkeypatch.setattr(fit_module, "loss_of", lambda _s: lambda logits, y: kinds.append(logits.dtype) or real(logits, y))
    fit(net(), noise(8), noise(8), replace(SETTINGS, precision="bf16", epochs=1, warmup_epochs=0), generator=generator(), guard=False)
    assert kinds == [torch.float32]


def test_channels_last_is_an_order_in_memory_only() -> None:
    model = net(width=8)
    found = fit(model, noise(), noise(8, 1), replace(SETTINGS, epochs=2, channels_last=True), generator=generator())
    kernel = model.blocks[0].branch[0][0].weight
    assert kernel.is_contiguous(memory_format=torch.channels_last) and not kernel.is_contiguous()
    plain = fit(net(width=8), noise(), noise(8, 1), replace(SETTINGS, epochs=2), generator=generator())
    first, other = (f.curves["train/loss"][0][1] for f in (found, plain))
    assert first == pytest.approx(other, rel=1e-2)  # sums in another order; a spike may move


# --- extra loss


def test_extra_loss_is_added_and_told_the_step() -> None:
    steps: list[int] = []

    def extra(step: int) -> Tensor:
        steps.append(step)
        return torch.tensor(10.0)

    plain = fit(net(), noise(20), noise(8, 1), SETTINGS, generator=generator())
    more = fit(net(), noise(20), noise(8, 1), SETTINGS, generator=generator(), extra_loss=extra)
    assert steps == list(range(9))  # batches of 8, 8 and 4, three epochs
    for (_, a), (_, b) in zip(plain.curves["train/loss"], more.curves["train/loss"], strict=True):
        assert b - a == pytest.approx(10.0, abs=1e-4)
    assert same(plain.last, more.last)  # a constant has no gradient


def test_train_loss_is_the_mean_over_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 8 and 2 with losses 1 and 6: (8 * 1 + 2 * 6) / 10 = 2."""
    values = iter([1.0, 6.0] * 3)
    judged(monkeypatch, [(0.0, 0.0)] * 3)
    monkeypatch.setattr(fit_module, "loss_of", lambda _s: lambda logits, _y: 0 * logits.sum() + next(values))
    found = fit(Constant(), noise(10), noise(8), SETTINGS, generator=generator())
    assert [value for _, value in found.curves["train/loss"]] == pytest.approx([2.0] * 3)


# --- refusals


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_before_the_step(bad: float) -> None:
    model = net()
    before = {name: p.clone() for name, p in model.named_parameters()}
    with pytest.raises(UserError, match=rf"the loss is {bad} in epoch 0; lower lr=0\.01 or raise warmup_epochs"):
        fit(model, noise(), noise(8, 1), SETTINGS, generator=generator(), extra_loss=lambda _: torch.tensor(bad))
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_a_silent_layer_is_named() -> None:
    """Thresholds far above any current: the first of them is the stem's."""
    model = net(neuron_args={"v_threshold": 1e6})
    with pytest.raises(UserError, match=r"layer stem_neuron is silent \(0\.0e\+00 spikes per neuron and step\); lower its threshold"):
        fit(model, noise(), noise(8, 1), SETTINGS, generator=generator())


def test_a_saturated_layer_is_named() -> None:
    model = net()
    block = model.blocks[1].branch[1]
    model.blocks[1].branch[0].register_forward_hook(lambda _m, _i, out: out + 1e6)
    assert isinstance(block, PLIF)
    with pytest.raises(
        UserError, match=r"layer blocks\.1\.branch\.1 is saturated \(1\.00 spikes per neuron and step\); raise its threshold"
    ):
        fit(model, noise(), noise(8, 1), SETTINGS, generator=generator())


def test_a_dead_layer_ends_a_training_before_its_end() -> None:
    """Silent from the first epoch to the third; the report (a study's pruner) hears of each of them first."""
    model, reports = net(neuron_args={"v_threshold": 1e6}), []
    settings = replace(SETTINGS, epochs=50)
    with pytest.raises(UserError, match=r"stem_neuron is silent .* \(stopped after epoch 2: so for 3 epochs in a row, guard_epochs=3\)"):
        fit(model, noise(), noise(8, 1), settings, generator=generator(), report=lambda epoch, _: reports.append(epoch))
    assert reports == [0, 1, 2]


def test_a_layer_that_wakes_up_is_let_be() -> None:
    model, passes = net(), []

    def late(_module: nn.Module, _inputs: object, current: Tensor) -> Tensor:
        passes.append(1)
        return current if len(passes) > 10 else 0 * current  # five passes an epoch: silent in the first two

    model.stem_conv.register_forward_hook(late)
    found = fit(model, noise(), noise(8, 1), replace(SETTINGS, epochs=5), generator=generator())
    assert [value > 0 for _, value in found.rates["stem_neuron"]] == [False, False, True, True, True]


def test_a_layer_that_never_runs_is_no_fault() -> None:
    model = net()
    model.spare = PLIF()
    found = fit(model, noise(), noise(8, 1), SETTINGS, generator=generator())
    assert "spare" not in found.rates and len(found.rates) == 9


def test_without_the_guard_a_silent_network_is_a_finding() -> None:
    found = fit(net(neuron_args={"v_threshold": 1e6}), noise(), noise(8, 1), SETTINGS, generator=generator(), guard=False)
    assert [value for _, value in found.curves["cost/spike_rate"]] == [0.0] * 3


def test_batches_of_one_are_refused() -> None:
    with pytest.raises(UserError, match="batch_size=1"):
        fit(net(), noise(), noise(8, 1), Train(model="sew_resnet8", epochs=2, batch_size=1), generator=generator())


@pytest.mark.parametrize(("cpu", "width", "laid"), [("AVX2", 4, False), ("AVX2", 8, True), ("AVX512", 4, True)])
def test_a_network_that_onednn_would_break_keeps_its_order(
    cpu: str, width: int, laid: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Strided 1 x 1 convolutions of fewer than 8 channels: see `lay_out`."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: cpu)
    model = net(width=width)
    lay_out(model, True)
    kernels = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) and m.in_channels > 1]
    assert kernels and all(kernel.is_contiguous(memory_format=torch.channels_last) == laid for kernel in kernels)
    assert ("channels_last is not used" in caplog.text) != laid
