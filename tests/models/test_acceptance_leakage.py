"""The test set stays out of training (G11): no network sees a test image before the last step, and no test label moves anything."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import snn5.training._one as one_module
from snn5.checkpoint import Checkpoint
from snn5.config import Train
from snn5.datasets import Split, Splits
from snn5.record import Run
from snn5.training import fit, train_one

EPOCHS, MARK = 3, 255  # the value of one pixel of each test image, and of no other image
SETTINGS = Train(
    model="sew_resnet8",
    model_args={"width": 4, "neuron_args": {"tau": 1.2, "v_threshold": 0.3}},
    epochs=EPOCHS,
    batch_size=8,
    lr=1e-2,
    shift_pixels=0,
)
INFO: dict[str, Any] = {"dataset": "noise", "num_classes": 3, "scale": 100}


def split(n: int, first: int, seed: int, *, mark: bool = False) -> Split:
    random = np.random.default_rng(seed)
    x_TNCHW = random.integers(0, 200, (2, n, 1, 8, 8)).astype(np.uint8)
    if mark:
        x_TNCHW[:, :, 0, 0, 0] = MARK
    return Split(x_TNCHW=x_TNCHW, y_N=random.integers(0, 3, n), index_N=np.arange(first, first + n), info=INFO)


def splits(test_seed: int = 2) -> Splits:
    return Splits(train=split(24, 0, 0), val=split(12, 24, 1), test=split(15, 36, test_seed, mark=True))


@pytest.fixture
def diary() -> Iterator[list[str]]:
    """What networks saw, in order: `train` or `test` for each forward pass of a whole model, `epoch` where an epoch ended."""
    entries: list[str] = []

    def look(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        x = inputs[0] if inputs else None
        if hasattr(module, "encode") and isinstance(x, Tensor) and x.ndim == 5:
            entries.append("test" if bool((x == MARK / 100).any()) else "train" if module.training else "val")

    handle = torch.nn.modules.module.register_module_forward_pre_hook(look)
    yield entries
    handle.remove()


def read_only_at_the_end(diary: list[str]) -> None:
    """All epochs end before the first test image is seen, and nothing is trained after it."""
    assert diary.count("epoch") == EPOCHS and diary.count("train") == EPOCHS * 3
    first = diary.index("test")
    assert set(diary[first:]) == {"test"}


def training_of(data: Splits, diary: list[str] | None = None) -> tuple[Checkpoint, Run]:
    def tick(text: str = "") -> None:
        if diary is not None:
            diary.append("epoch")

    return train_one(SETTINGS, data, time_steps=2, seed=3, tick=tick, guard=False)


def decided_without_the_test_set(train: Callable[[Splits], tuple[Checkpoint, Run]]) -> None:
    """Other test images and labels: the same weights, the same epoch, the same curves; another test accuracy."""
    (a, run_a), (b, run_b) = train(splits(2)), train(splits(9))
    assert run_a.params == run_b.params and run_a.curves == run_b.curves
    assert a.card == b.card and a.state.keys() == b.state.keys()
    assert all(torch.equal(a.state[name], b.state[name]) for name in a.state)
    tested = [{k: v for k, v in run.metrics.items() if k.startswith("test/")} for run in (run_a, run_b)]
    assert tested[0] != tested[1]


def test_g11_no_test_image_is_seen_before_the_end(diary: list[str]) -> None:
    training_of(splits(), diary)
    assert "val" in diary
    read_only_at_the_end(diary)


def test_g11_the_test_set_decides_nothing() -> None:
    decided_without_the_test_set(training_of)


def test_g11_fit_takes_no_test_set() -> None:
    assert list(inspect.signature(fit).parameters)[:4] == ["model", "train", "val", "settings"]
    assert not [name for name in inspect.signature(fit).parameters if "test" in name]


def test_both_epochs_are_reported_and_the_chosen_one_is_the_best_on_validation() -> None:
    _, run = training_of(splits())
    curve = dict(run.curves["val/acc"])
    assert len(curve) == EPOCHS and run.metrics["val/acc"] == max(curve.values()) == curve[run.params["best_epoch"]]
    assert {"test/acc", "test/acc_last"} <= run.metrics.keys() and run.params["n_test"] == 15


# --- the usual mistake: the best epoch on the test set


def peeking(monkeypatch: pytest.MonkeyPatch, data: Splits) -> None:
    """`fit` validates on the test set."""
    honest = one_module.fit
    test = one_module.samples(data.test)
    monkeypatch.setattr(one_module, "fit", lambda model, train, _val, *args, **kw: honest(model, train, test, *args, **kw))


def test_choosing_on_test_images_is_caught(monkeypatch: pytest.MonkeyPatch, diary: list[str]) -> None:
    data = splits()
    peeking(monkeypatch, data)
    training_of(data, diary)
    with pytest.raises(AssertionError):
        read_only_at_the_end(diary)


def test_choosing_on_test_labels_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(data: Splits) -> tuple[Checkpoint, Run]:
        with monkeypatch.context() as patch:
            peeking(patch, data)
            return training_of(data)

    with pytest.raises(AssertionError):
        decided_without_the_test_set(train)


def test_the_mark_is_on_test_images_only() -> None:
    data = splits()
    assert (data.test.x_TNCHW == MARK).any() and not any((s.x_TNCHW == MARK).any() for s in (data.train, data.val))
    assert replace(data.test, y_N=data.test.y_N).info == INFO
