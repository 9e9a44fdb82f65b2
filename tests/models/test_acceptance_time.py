"""Every model over time and over the batch: reset (G1), independent samples (G2), causality as declared (G3), steps one by one (G7).

Each question is a function; toys with one mistake each show that it can answer no.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import torch
from small_models import C, Case, K, N, T, every_architecture, every_case, lively
from spikingjelly.activation_based import functional, layer
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models import SpikingModel
from snn5.neurons import create_neuron

NOT_CAUSAL = ("dta", "staa")  # families that look at all steps at once, by design


def reset_forgets(model: SpikingModel, x_TNCHW: Tensor) -> None:
    """G1. A second batch differs without a reset and is the first again with one."""
    with torch.no_grad():
        first = model(x_TNCHW)
        try:
            carried = model(x_TNCHW, reset=False)
        except UserError as error:  # a neuron with parameters per step has none for step T
            assert "reset" in str(error)
        else:
            assert not torch.equal(carried, first)
        assert torch.equal(model(x_TNCHW), first)
        if model.causal:  # whatever the neuron, half a sequence leaves something behind
            current = model.encode(x_TNCHW)
            functional.reset_net(model)
            fresh = [model.run(current[t : t + 1]) for t in range(2)][1]
            functional.reset_net(model)
            assert not torch.equal(model.run(current[1:2]), fresh)


def samples_are_independent(model: SpikingModel, x_TNCHW: Tensor) -> None:
    """G2. Permuted, among others, or alone: a sample's logits are the same.

    In double precision, so that nothing but a mistake shows; permuted in single precision, too, for which neurons have code of their own.
    """
    order = torch.tensor([3, 0, 4, 2, 1])
    with torch.no_grad():
        torch.testing.assert_close(model(x_TNCHW[:, order]), model(x_TNCHW)[:, order], rtol=0, atol=1e-4)
    model, x_TNCHW = deepcopy(model).double(), x_TNCHW.double()
    others = x_TNCHW.clone()
    others[:, 1:] = 2.0 - others[:, 1:].flip(0)
    with torch.no_grad():
        whole = model(x_TNCHW)
        assert (whole[:, 0] - whole[:, 1]).abs().max() > 1e-4  # samples differ, else nothing is tested
        for what, got, wanted in (
            ("permuted", model(x_TNCHW[:, order]), whole[:, order]),
            ("among others", model(others)[:, :1], whole[:, :1]),
            *((f"sample {i} alone", model(x_TNCHW[:, [i]]), whole[:, [i]]) for i in range(x_TNCHW.shape[1])),
        ):
            torch.testing.assert_close(got, wanted, rtol=0, atol=1e-9, msg=lambda text, what=what: f"{what}: {text}")


def answers_that_see_the_future(model: SpikingModel, x_TNCHW: Tensor) -> list[int]:
    """G3. The steps whose logits change when later frames do."""
    seen = []
    with torch.no_grad():
        before = model(x_TNCHW)
        for t in range(len(x_TNCHW) - 1):
            changed = x_TNCHW.clone()
            changed[t + 1 :] = 2.0 - changed[t + 1 :]
            after = model(changed)
            assert not torch.equal(after[t + 1 :], before[t + 1 :])  # the change is seen at all
            seen += [t] if not torch.equal(after[: t + 1], before[: t + 1]) else []
    return seen


def steps_equal_whole(model: SpikingModel, x_TNCHW: Tensor) -> None:
    """G7. One step at a time, or 1 + (T - 1), gives the bits of all steps at once (float32).

    On some CPUs the library's own layers round by how many samples they get; only where this model's do, it is asked for in float64, up to
    rounding.
    """
    assert x_TNCHW.dtype == torch.float32
    if all(torch.equal(pieces, whole) for pieces, whole in in_pieces(model, x_TNCHW)):
        return
    assert rounds_by_samples(model, x_TNCHW), "other bits, and no layer that would explain them"
    for pieces, whole in in_pieces(deepcopy(model).double(), x_TNCHW.double()):
        torch.testing.assert_close(pieces, whole, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def rounds_by_samples(model: SpikingModel, x_TNCHW: Tensor) -> bool:
    """Whether a convolution or linear layer of the model answers a step of its input with other bits than it does within all steps."""
    found: list[bool] = []

    def look(part: nn.Module, inputs: tuple[Tensor, ...], whole: Tensor) -> None:
        step = len(inputs[0]) // T
        found.extend(not torch.equal(part.forward(piece), y) for piece, y in zip(inputs[0].split(step), whole.split(step), strict=True))

    parts = [m for m in model.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)]
    handles = [part.register_forward_hook(look) for part in parts]
    model(x_TNCHW)
    for handle in handles:
        handle.remove()
    return any(found)


@torch.no_grad()
def in_pieces(model: SpikingModel, x_TNCHW: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The logits of both cuts, beside those of all steps at once."""
    whole, current = model(x_TNCHW), model.encode(x_TNCHW)
    for cuts in ([1] * T, [1, T - 1]):
        functional.reset_net(model)
        yield torch.cat([model.run(piece) for piece in current.split(cuts)]), whole


@every_case
def test_g1_reset_forgets(case: Case) -> None:
    reset_forgets(*lively(case))


@every_case
def test_g2_samples_are_independent(case: Case) -> None:
    samples_are_independent(*lively(case))


@every_case
def test_g3_causal_as_declared(case: Case) -> None:
    model, x_TNCHW = lively(case)
    expected = case.small.family not in NOT_CAUSAL or case.small.args.get("attention") is False
    assert model.causal is expected
    seen = answers_that_see_the_future(model, x_TNCHW)
    assert seen == ([] if expected else list(range(T - 1)))


@every_case
def test_g7_step_by_step_is_bit_exact_or_refused(case: Case) -> None:
    model, x_TNCHW = lively(case)
    if model.causal:
        steps_equal_whole(model, x_TNCHW)
    else:
        current = model.encode(x_TNCHW)
        for piece in (current[:1], current[:-1], torch.cat([current, current])):
            with pytest.raises(UserError, match=str(len(piece))):
                model.run(piece)


@every_architecture
def test_a_static_image_is_its_frame_repeated_and_passes_the_stem_once(case: Case) -> None:
    """Direct encoding: the same image in each step."""
    model, x_TNCHW = lively(case)
    model, image, rows = deepcopy(model).double(), x_TNCHW[:1].double(), []
    stem = model.stem
    model.stem = lambda x: rows.append(len(x)) or stem(x)  # type: ignore[method-assign, func-returns-value]
    with torch.no_grad():
        torch.testing.assert_close(model(image), model(image.expand(T, *image.shape[1:])), rtol=0, atol=1e-9)
    assert rows == [1, T]


# --- toys with one mistake each


class Toy(SpikingModel):
    """Convolution, neuron, head; all questions are answered well."""

    def __init__(self) -> None:
        super().__init__(in_channels=C, num_classes=K, image_size=8, time_steps=T)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.conv = layer.Conv2d(C, 8, 3, padding=1, bias=False, step_mode="m")
            self.neuron = create_neuron("lif", channels=8, time_steps=T, v_threshold=0.3)
            self.head = layer.Linear(8, K, step_mode="m")

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        return self.conv(x_TNCHW)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        return self.head(self.neuron(current_TNCHW).mean((-2, -1)))


class TakesSamplesForSteps(Toy):
    """QKFormer's mistake: the neuron scans T N rows, so potentials leak from sample to sample."""

    def run(self, current_TNCHW: Tensor) -> Tensor:
        s = self.neuron(current_TNCHW.flatten(0, 1)[:, None])
        return self.head(s.view(current_TNCHW.shape).mean((-2, -1)))


class CentresTheBatch(Toy):
    """A norm that uses the statistics of the batch in eval mode."""

    def run(self, current_TNCHW: Tensor) -> Tensor:
        return super().run(current_TNCHW - current_TNCHW.mean(1, keepdim=True) + 0.5)


class LooksAhead(Toy):
    """A gate that knows all steps, in a model that says it is causal."""

    def run(self, current_TNCHW: Tensor) -> Tensor:
        return super().run(current_TNCHW + 5 * current_TNCHW.mean((0, 2), keepdim=True))


class ForgetsBetweenCalls(Toy):
    """State that starts anew in each call."""

    def run(self, current_TNCHW: Tensor) -> Tensor:
        functional.reset_net(self)
        return super().run(current_TNCHW)


class NeverForgets(Toy):
    """A forward pass without a reset."""

    def forward(self, x_TNCHW: Tensor, *, reset: bool = True) -> Tensor:
        return self.run(self.encode(x_TNCHW))


def toy_images() -> Tensor:
    return 2 * torch.rand(T, N, C, 8, 8, generator=torch.Generator().manual_seed(0))


def test_a_good_toy_passes() -> None:
    for check in (reset_forgets, steps_equal_whole, samples_are_independent):
        check(Toy().eval(), toy_images())
    assert answers_that_see_the_future(Toy().eval(), toy_images()) == []


@pytest.mark.parametrize(
    ("check", "toy"),
    [
        (reset_forgets, NeverForgets),
        (reset_forgets, ForgetsBetweenCalls),
        (samples_are_independent, TakesSamplesForSteps),
        (samples_are_independent, CentresTheBatch),
        (steps_equal_whole, ForgetsBetweenCalls),
        (steps_equal_whole, LooksAhead),
    ],
)
def test_a_mistake_is_caught(check: Any, toy: type[Toy]) -> None:
    with pytest.raises(AssertionError):
        check(toy().eval(), toy_images())


def test_a_look_ahead_is_caught() -> None:
    assert answers_that_see_the_future(LooksAhead().eval(), toy_images()) == [0, 1]
