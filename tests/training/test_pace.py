"""The plan of fast training: its schedule and augmentations by hand, its steps, and a training that goes on where it was."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snn5.config import Fast, Pace, Train
from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model, initialise
from snn5.training import Fit, PacePlan, Plan, Samples, at_steps, fit
from snn5.training._pace import alternate, coin, mirrored_shift, triangle

PACE = Pace(step_plan=[[2, 1], [1, 2]], bias_lr_scale=4.0, shift_pixels=1, whiten_images=16)
SETTINGS = Train(
    model="spiking_airnet", neuron="lif", epochs=3, batch_size=8, lr=0.1, warmup_epochs=0, loss="rate", shift_pixels=0, guard_epochs=0
)


def noise(n: int = 32, seed: int = 0) -> Samples:
    generator = torch.Generator().manual_seed(seed)
    x_NTCHW = torch.randint(0, 256, (n, 1, 1, 9, 9), generator=generator, dtype=torch.uint8)
    return Samples(x_NTCHW=x_NTCHW, y_N=torch.randint(0, 3, (n,), generator=generator), scale=64.0)


def net(width: int = 2) -> SpikingModel:
    lively = {"decay_input": False, "surrogate": "triangle", "v_threshold": 0.5}
    arguments: dict[str, Any] = {"in_channels": 1, "num_classes": 3, "image_size": 9, "time_steps": 2, "width": width}
    model = create_model("spiking_airnet", neuron="lif", neuron_args=lively, **arguments)
    initialise(model, torch.Generator().manual_seed(0))
    return model


def trained(plan: Plan | None, path: Path | None = None, settings: Train = SETTINGS, **given: Any) -> tuple[Fit, nn.Module]:
    model = net()
    generator = torch.Generator().manual_seed(1)
    found = fit(model, noise(), noise(8, 1), settings, generator=generator, guard=False, plan=plan, resume=path, every_s=0.0, **given)
    return found, model


# --- the schedule


@pytest.mark.parametrize(("u", "factor"), [(0.0, 0.2), (0.125, 0.6), (0.25, 1.0), (0.5, 0.7), (1.0, 0.1)], ids=lambda value: f"{value:g}")
def test_the_triangle_by_hand(u: float, factor: float) -> None:
    """From 0.2 to 1 within a quarter, then down to 0.1: -0.3 for every quarter."""
    assert triangle(u, 0.2, 0.25, 0.1) == pytest.approx(factor)


def test_rates_momentum_and_decay_by_group() -> None:
    model = net()
    pace = replace(PACE, lr_start=0.5, lr_peak=0.5, lr_end=0.0, momentum=0.7)
    optimiser, schedule = PacePlan(pace).optimiser(model, replace(SETTINGS, weight_decay=0.03), 2)  # 6 steps
    names = {id(p): name for name, p in model.named_parameters()}
    groups = [{names[id(p)] for p in group["params"]} for group in optimiser.param_groups]
    norms = {name for name, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert groups[2] == {f"{name}.bias" for name in norms}
    assert groups[1] == {*(f"{name}.weight" for name in norms), "head.bias"}
    assert set.union(*groups) == set(names.values()) and sum(map(len, groups)) == len(names)
    assert [group["weight_decay"] for group in optimiser.param_groups] == [0.03, 0, 0]
    assert all(group["momentum"] == 0.7 and group["nesterov"] for group in optimiser.param_groups)
    seen = []
    for _ in range(6):
        seen.append([group["lr"] for group in optimiser.param_groups])
        optimiser.step()
        schedule.step()
    factors = [3 / 6, 4 / 6, 5 / 6, 1.0, 2 / 3, 1 / 3]
    assert seen == [pytest.approx([0.1 * f, 0.1 * f, 0.4 * f]) for f in factors]


# --- augmentation


def test_flips_take_turns() -> None:
    """Two epochs in a row show both sides of every image; about half are flipped in each."""
    x_TNCHW = torch.arange(3.0).expand(1, 200, 1, 1, 3)
    index_N = torch.arange(200)
    shown = torch.stack([alternate(x_TNCHW, index_N, epoch)[0, :, 0, 0, 0] for epoch in range(4)])
    assert torch.equal(shown[0] + shown[1], torch.full((200,), 2.0))  # 0 once, 2 once
    assert torch.equal(shown[0], shown[2]) and torch.equal(shown[1], shown[3])
    assert 60 < (shown[0] == 2).sum() < 140
    assert torch.equal(alternate(x_TNCHW[:, :5], index_N[[3, 199, 7, 7, 0]], 1)[0, :, 0, 0, 0], shown[1][[3, 199, 7, 7, 0]])


def test_the_coin_by_hand() -> None:
    """2654435761 = 0x9E3779B1 has its top bit set, twice it modulo 2^32 = 0x3C6EF362 has not."""
    assert coin(torch.tensor([0, 1, 2])).tolist() == [0, 1, 0]
    assert abs(coin(torch.arange(50000)).double().mean().item() - 0.5) < 0.01


def test_shifts_mirror_the_border_by_hand() -> None:
    """A row 1 2 3 4, seen one pixel further to the left or right: 2 1 2 3 or 2 3 4 3."""
    x_TNCHW = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 400, 1, 4, 4)
    out = mirrored_shift(x_TNCHW, 1, torch.Generator().manual_seed(0))
    rows = {tuple(row) for row in out[0, :, 0].flatten(0, 1).tolist()}
    assert rows == {(1, 2, 3, 4), (2, 1, 2, 3), (2, 3, 4, 3)}
    columns = mirrored_shift(x_TNCHW.transpose(-1, -2), 1, torch.Generator().manual_seed(0))[0, :, 0]
    assert {tuple(c) for c in columns.transpose(-1, -2).flatten(0, 1).tolist()} == rows


def test_all_steps_and_channels_move_alike() -> None:
    x_NCHW = torch.rand(20, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    out = mirrored_shift(torch.stack([x_NCHW, 2 * x_NCHW]), 2, torch.Generator().manual_seed(1))
    assert torch.equal(out[1], 2 * out[0]) and not torch.equal(out[0], x_NCHW)


# --- steps


def test_t_by_epoch() -> None:
    assert [PACE.steps_of(epoch) for epoch in range(5)] == [1, 1, 2, 2, 2] and PACE.epochs == 3


def test_training_takes_the_plans_steps_and_validation_its_own() -> None:
    seen: list[tuple[bool, int]] = []

    def look(module: nn.Module, _inputs: Any, logits_TNK: Tensor) -> None:
        if isinstance(module, SpikingModel):
            seen.append((module.training, len(logits_TNK)))

    handle = torch.nn.modules.module.register_module_forward_hook(look)
    trained(PacePlan(replace(PACE, steps=[3])))
    handle.remove()
    assert [steps for training, steps in seen if training] == [1] * 8 + [2] * 4
    assert [steps for training, steps in seen if not training] == [3] * 3


def test_at_steps_gives_them_back() -> None:
    model = net()
    with pytest.raises(RuntimeError), at_steps(model, 7):
        assert model.time_steps == 7
        raise RuntimeError
    assert model.time_steps == 2


def test_a_twin_has_no_steps() -> None:
    twin = ann_twin(net())
    PacePlan(PACE).begin(twin, 2)
    with at_steps(twin, 4):
        assert twin.time_steps == 1
    assert twin.time_steps == 1


# --- the loop


def test_a_plan_that_changes_nothing_changes_nothing() -> None:
    (a, _), (b, _) = trained(None), trained(Plan())
    assert a.curves == b.curves and all(torch.equal(a.last[name], b.last[name]) for name in a.last)


def test_whitening_is_measured_before_the_first_step() -> None:
    found, _ = trained(PacePlan(PACE))
    model = net()
    assert callable(model.whiten)
    model.whiten(noise().batch(torch.arange(16))[0])
    assert torch.equal(found.last["stem_conv.0.weight"], model.state_dict()["stem_conv.0.weight"])
    assert not torch.equal(found.last["stem_conv.0.weight"], net().state_dict()["stem_conv.0.weight"])


class Stopped(Exception):
    """The training was interrupted here."""


@pytest.mark.parametrize("stop", [0, 1])
def test_an_interrupted_training_ends_as_if_it_had_not_been(tmp_path: Path, stop: int) -> None:
    """Cut off in an epoch at T = 1 or just before T changes."""

    def cut(epoch: int, _evaluation: object) -> None:
        if epoch == stop:
            raise Stopped

    whole, _ = trained(PacePlan(PACE))
    with pytest.raises(Stopped):
        trained(PacePlan(PACE), tmp_path / "state", report=cut)
    again, _ = trained(PacePlan(PACE), tmp_path / "state")
    assert again.curves == whole.curves and again.best_epoch == whole.best_epoch
    assert all(torch.equal(again.last[name], whole.last[name]) for name in whole.last)


def test_the_state_of_another_plan_is_not_taken_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trained(PacePlan(PACE), tmp_path / "state", keep_finished=True)
    trained(PacePlan(replace(PACE, momentum=0.5)), tmp_path / "state")
    assert "of a training with other settings" in caplog.text


# --- settings


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"step_plan": []}, r"step_plan=\[\]; need \[epochs, T\] pairs"),
        ({"step_plan": [[3]]}, r"step_plan=\[\[3\]\]"),
        ({"step_plan": [[3, 0]]}, r"step_plan=\[\[3, 0\]\]"),
        ({"steps": [2, 2]}, r"steps=\[2, 2\]; need at least one T"),
        ({"steps": [0]}, r"steps=\[0\]"),
    ],
)
def test_impossible_paces(change: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        replace(PACE, **change)


def test_epochs_and_plan_must_agree() -> None:
    with pytest.raises(UserError, match=r"train\.epochs=3, but pace\.step_plan has 4; make them equal"):
        Fast(train=SETTINGS, pace=replace(PACE, step_plan=[[4, 1]]))
