"""A training that is killed goes on and ends, to the last bit, as if it had not been; a file of another training is not its own."""

import hashlib
import io
import logging
import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snn5.training._resume as resume_module
from snn5.config import Train
from snn5.errors import UserError
from snn5.models import create_model, initialise
from snn5.training import Fit, Samples, fit

PLAIN = Train(model="sew_resnet8", epochs=3, batch_size=8, lr=1e-2, shift_pixels=0)
ALL = replace(
    PLAIN, shift_pixels=1, flip=True, rotate_degrees=5.0, cutout=2, mixup=0.5, cutmix=1.0, mix_probability=0.7, ema_decay=0.9, clip_norm=1.0
)
STEPS = 4  # an epoch


def noise(n: int = 32, seed: int = 0) -> Samples:
    generator = torch.Generator().manual_seed(seed)
    x_NTCHW = torch.randint(0, 256, (n, 1, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return Samples(x_NTCHW=x_NTCHW, y_N=torch.randint(0, 3, (n,), generator=generator), scale=64.0)


def net(seed: int = 0, width: int = 4) -> nn.Module:
    lively = {"tau": 1.2, "v_threshold": 0.3}
    model = create_model("sew_resnet8", in_channels=1, num_classes=3, image_size=8, time_steps=2, width=width, neuron_args=lively)
    initialise(model, torch.Generator().manual_seed(seed))
    return model


def trained(path: Path | None, settings: Train = PLAIN, **given: Any) -> tuple[Fit, dict[str, Tensor], Tensor]:
    """The result, the model's own weights and what the generator draws next."""
    model, generator = given.pop("model", None) or net(), torch.Generator().manual_seed(given.pop("seed", 0))
    found = fit(model, given.pop("train", noise()), noise(8, 1), settings, generator=generator, resume=path, **{"every_s": 0.0, **given})
    return found, model.state_dict(), torch.rand(3, generator=generator)


def same(a: tuple[Fit, dict[str, Tensor], Tensor], b: tuple[Fit, dict[str, Tensor], Tensor]) -> bool:
    states = [(a[0].best, b[0].best), (a[0].last, b[0].last), (a[1], b[1]), ({"next": a[2]}, {"next": b[2]})]
    figures = [(f.best_epoch, f.val, f.val_loss, f.curves, f.rates) for f, _, _ in (a, b)]
    return figures[0] == figures[1] and all(x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x) for x, y in states)


def killed(function: Callable[[], object]) -> None:
    """Run `function` in a process of its own, in which it meets a SIGKILL."""
    process = multiprocessing.get_context("fork").Process(target=function)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at_step(last: int) -> Callable[[int], Tensor]:
    return lambda step: die() or torch.zeros(()) if step == last else torch.zeros(())


@pytest.fixture(scope="module")
def whole() -> dict[str, tuple[Fit, dict[str, Tensor], Tensor]]:
    """Uninterrupted, and without a file."""
    settings = {"plain": PLAIN, "all": ALL, "sgd": replace(PLAIN, optimizer="sgd", warmup_epochs=0)}
    return {name: trained(None, s) for name, s in settings.items()}


@pytest.mark.parametrize("step", [1, STEPS + 2, 3 * STEPS - 1])
@pytest.mark.parametrize("name", ["plain", "all", "sgd"])
def test_killed_in_the_middle_of_an_epoch(tmp_path: Path, whole: dict[str, Any], name: str, step: int) -> None:
    settings = {"plain": PLAIN, "all": ALL, "sgd": replace(PLAIN, optimizer="sgd", warmup_epochs=0)}[name]
    path = tmp_path / "below" / "seed0.pt"
    killed(lambda: trained(path, settings, extra_loss=at_step(step)))
    assert path.is_file()
    steps: list[int] = []
    again = trained(path, settings, extra_loss=lambda step: steps.append(step) or torch.zeros(()))
    assert steps == list(range(step, 3 * STEPS))  # no step twice
    assert same(again, whole[name])
    assert list(path.parent.iterdir()) == []


def test_killed_again_and_again(tmp_path: Path, whole: dict[str, Any]) -> None:
    path = tmp_path / "r.pt"
    for step in (2, 3, 6, 11):
        killed(lambda last=step: trained(path, ALL, extra_loss=at_step(last)))
    assert same(trained(path, ALL), whole["all"])


def test_killed_between_two_writes(tmp_path: Path, whole: dict[str, Any]) -> None:
    """An hour between two writes: only epochs' ends are kept, and the steps after them are made again."""
    path = tmp_path / "r.pt"
    killed(lambda: trained(path, ALL, every_s=3600.0, extra_loss=at_step(STEPS + 2)))
    steps: list[int] = []
    again = trained(path, ALL, extra_loss=lambda step: steps.append(step) or torch.zeros(()))
    assert steps == list(range(STEPS, 3 * STEPS)) and same(again, whole["all"])


def test_killed_at_the_end_of_an_epoch(tmp_path: Path, whole: dict[str, Any]) -> None:
    """After validation, before it was written: the epoch's figures are noted once."""
    path = tmp_path / "r.pt"
    killed(lambda: trained(path, ALL, report=lambda epoch, _: die() if epoch == 1 else None))
    ticks: list[str] = []
    assert same(trained(path, ALL, tick=lambda text="": ticks.append(text)), whole["all"])
    assert [text[:3] for text in ticks] == ["", "val", "val"]  # what was done already is counted, once


def test_killed_while_it_writes(tmp_path: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    path, real, writes = tmp_path / "r.pt", os.fsync, []

    def fsync(handle: int) -> None:
        writes.append(1)
        if len(writes) == 7:
            die()
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        killed(lambda: trained(path, ALL))
    assert len(list(tmp_path.iterdir())) == 2  # the old file, and half of the new one
    assert same(trained(path, ALL), whole["all"])
    assert list(tmp_path.iterdir()) == []


def test_writing_changes_nothing_and_the_file_goes(tmp_path: Path, whole: dict[str, Any]) -> None:
    assert same(trained(tmp_path / "r.pt", ALL), whole["all"])
    assert list(tmp_path.iterdir()) == []


def test_a_finished_training_answers_at_once(tmp_path: Path, whole: dict[str, Any]) -> None:
    path = tmp_path / "r.pt"
    assert same(trained(path, ALL, keep_finished=True), whole["all"])
    assert same(trained(path, ALL, keep_finished=True, extra_loss=at_step(0)), whole["all"]) and path.is_file()  # no step, or it would die
    assert same(trained(path, ALL), whole["all"]) and not path.is_file()


def test_the_guards_memory_is_kept(tmp_path: Path) -> None:
    """Silent in three epochs, one of them before the interruption."""
    path, settings = tmp_path / "r.pt", replace(PLAIN, epochs=6)

    def silent() -> nn.Module:
        model = net()
        model.stem_conv.register_forward_hook(lambda _m, _i, out: 0 * out)
        return model

    killed(lambda: trained(path, settings, model=silent(), extra_loss=at_step(STEPS + 1)))
    with pytest.raises(UserError, match=r"stem_neuron is silent.*stopped after epoch 2: so for 3 epochs"):
        trained(path, settings, model=silent())


# --- whose file


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"settings": replace(PLAIN, lr=2e-2)}, "settings"),
        ({"seed": 1}, "seed"),
        ({"model": 1}, "model"),  # other weights
        ({"train": noise(32, 9)}, "data"),
        ({"train": replace(noise(), scale=65.0)}, "data"),
        ({"train": replace(noise(), y_N=noise().y_N.flip(0))}, "data"),
    ],
)
def test_another_trainings_file_is_ignored(tmp_path: Path, given: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "r.pt"
    killed(lambda: trained(path, extra_loss=at_step(5)))
    make = lambda: {**given, "model": net(1)} if "model" in given else dict(given)  # noqa: E731
    with caplog.at_level(logging.WARNING):
        other = trained(path, **make())
    assert [r.getMessage() for r in caplog.records] == [f"{path} is of a training with other {said}; this one starts from the beginning"]
    assert same(other, trained(None, **make()))


@pytest.mark.parametrize("part", ["code", "machine"])
def test_another_code_or_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, part: str) -> None:
    path = tmp_path / "r.pt"
    killed(lambda: trained(path, extra_loss=at_step(5)))
    if part == "code":
        monkeypatch.setattr(resume_module, "_sources", lambda: [Path(__file__)])
    else:
        monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
    trained(path)
    assert f"other {part}; this one starts" in caplog.text


def test_a_model_of_another_width(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "r.pt"
    killed(lambda: trained(path, extra_loss=at_step(5)))
    trained(path, model=net(width=5))
    assert "other model; this one starts" in caplog.text


def test_the_sources_are_there() -> None:
    names = {file.name for file in resume_module._sources()}
    assert {"_fit.py", "_sew_resnet.py", "_lif.py"} <= names


# --- damaged files


@pytest.mark.parametrize("damage", ["empty", "cut", "one bit", "text", "not ours"])
def test_a_corrupt_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "r.pt"
    killed(lambda: trained(path, extra_loss=at_step(5)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    other = io.BytesIO()
    torch.save([1, 2], other)
    sealed = hashlib.sha256(other.getvalue()).digest() + other.getvalue()
    path.write_bytes({"empty": b"", "cut": bytes(data[:-100]), "one bit": bytes(data), "text": b"hello" * 20, "not ours": sealed}[damage])
    with pytest.raises(UserError, match=r"r\.pt, the state of an interrupted training, is corrupt \(.*\); delete it and run again"):
        trained(path)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


def test_loading_executes_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    payload = io.BytesIO()
    torch.save({"made_by": {}, "state": Evil()}, payload)
    for data in (payload.getvalue(), pickle.dumps({"made_by": {}, "state": Evil()}, protocol=2)):
        Path("r.pt").write_bytes(hashlib.sha256(data).digest() + data)
        with pytest.raises(UserError, match="corrupt"):
            trained(Path("r.pt"))
    assert not Path("ran").exists()
