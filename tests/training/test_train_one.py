"""One network from first weight to checkpoint; the test split is out of reach until the end."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import snn5.training._one as one_module
from snn5.checkpoint import Checkpoint, Transform
from snn5.compression import MeanRate
from snn5.config import Train
from snn5.datasets import Split, Splits, load
from snn5.record import Run
from snn5.training import Fit, Samples, evaluate, samples, train_one

LIVELY = {"tau": 1.2, "v_threshold": 0.3}  # every layer spikes from the start
SETTINGS = Train(model="sew_resnet8", model_args={"width": 4, "neuron_args": LIVELY}, epochs=2, batch_size=16, lr=5e-3)


def some(split: Split, n: int) -> Split:
    return replace(split, x_TNCHW=split.x_TNCHW[:, :n], y_N=split.y_N[:n], index_N=split.index_N[:n])


@pytest.fixture(scope="module")
def splits() -> Splits:
    whole = load("digits", time_steps=3)
    return Splits(train=some(whole.train, 96), val=some(whole.val, 40), test=some(whole.test, 50))


@pytest.fixture(scope="module")
def trained(splits: Splits) -> tuple[Checkpoint, Run]:
    return train_one(SETTINGS, splits, time_steps=3, seed=11, parents={"data/x": "abc"})


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_card_says_what_was_done(trained: tuple[Checkpoint, Run]) -> None:
    card, run = trained[0].card, trained[1]
    assert (card.model, card.dataset, card.time_steps, card.neuron, card.twin) == ("sew_resnet8", "digits", 3, "plif", False)
    shape = {"in_channels": 1, "num_classes": 10, "image_size": 8, "time_steps": 3}
    assert card.model_args == {**shape, "neuron": "plif", "width": 4, "neuron_args": LIVELY}
    assert card.preprocessing == {"scale": 16} and card.cutoff is None and card.quantisation is None and card.masks == []
    history = Transform(name="train", args={"seed": 11, "epoch": run.params["best_epoch"], "loss": "tet"}, parents={"data/x": "abc"})
    assert card.transforms == [history]


def test_test_is_in_fp32_whatever_the_training_was_in(splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[bool] = []
    monkeypatch.setattr(one_module, "evaluate", lambda *given: kinds.append(torch.is_autocast_enabled("cpu")) or evaluate(*given))
    checkpoint, run = train_one(replace(SETTINGS, precision="bf16", epochs=1, warmup_epochs=0), splits, time_steps=3, seed=11, guard=False)
    assert kinds == [False, False] and run.params["precision"] == "bf16"
    assert evaluate(checkpoint.build(), samples(splits.test)).rates == run.details["rates"]


def test_the_checkpoint_is_the_epoch_chosen_on_validation(splits: Splits, trained: tuple[Checkpoint, Run]) -> None:
    checkpoint, run = trained
    model = checkpoint.build()
    assert evaluate(model, samples(splits.val)).accuracy == run.metrics["val/acc"] == max(v for _, v in run.curves["val/acc"])
    found = evaluate(model, samples(splits.test))
    assert found.accuracy == run.metrics["test/acc"] and found.rates == run.details["rates"]
    assert run.metrics["cost/spike_rate"] == pytest.approx(sum(found.rates.values()) / 9)
    assert run.metrics["model/params"] == sum(p.numel() for p in model.parameters())
    kept = {"seed": 11, "best_epoch": run.params["best_epoch"], "precision": "fp32", "n_train": 96, "n_val": 40, "n_test": 50}
    assert run.params == kept


def test_last_and_chosen_epoch_are_told_apart(monkeypatch: pytest.MonkeyPatch, splits: Splits) -> None:
    """`best` has weights that answer class 0 always, `last` class 1: their test accuracies are those classes' shares."""

    def fake(model: nn.Module, *_args: Any, **_kw: Any) -> Fit:
        states = []
        for k in (0, 1):
            nn.init.zeros_(model.head.weight)
            nn.init.zeros_(model.head.bias)
            model.head.bias.data[k] = 1.0
            states.append({name: v.clone() for name, v in model.state_dict().items()})
        return Fit(best=states[0], last=states[1], best_epoch=7, val=0.25, curves={"train/loss": [(0, 1.0)]})

    monkeypatch.setattr(one_module, "fit", fake)
    checkpoint, run = train_one(SETTINGS, splits, time_steps=3, seed=0)
    share = [float((splits.test.y_N == k).mean()) for k in (0, 1)]
    assert (run.metrics["test/acc"], run.metrics["test/acc_last"]) == pytest.approx(share) and share[0] != share[1]
    assert checkpoint.state["head.bias"][0] == 1.0 and checkpoint.card.transforms[0].args["epoch"] == 7
    assert run.metrics["val/acc"] == 0.25


def test_same_seed_same_bytes_and_another_seed_others(splits: Splits, trained: tuple[Checkpoint, Run]) -> None:
    torch.manual_seed(99)  # is nobody's seed
    again, run = train_one(SETTINGS, splits, time_steps=3, seed=11, parents={"data/x": "abc"})
    assert same(again.state, trained[0].state) and again.card == trained[0].card and run == trained[1]
    assert not same(train_one(SETTINGS, splits, time_steps=3, seed=12)[0].state, trained[0].state)


def test_test_samples_change_no_weight(splits: Splits, trained: tuple[Checkpoint, Run]) -> None:
    """Other test images with other labels: the same weights, the same curves, the same epoch; only test figures differ."""
    other = replace(splits.test, x_TNCHW=255 - splits.test.x_TNCHW, y_N=np.roll(splits.test.y_N, 1))
    checkpoint, run = train_one(
        SETTINGS, Splits(train=splits.train, val=splits.val, test=other), time_steps=3, seed=11, parents={"data/x": "abc"}
    )
    assert same(checkpoint.state, trained[0].state) and run.curves == trained[1].curves and run.params == trained[1].params
    assert run.details != trained[1].details


def test_fit_never_gets_the_test_split(monkeypatch: pytest.MonkeyPatch, splits: Splits) -> None:
    real = one_module.fit
    given: list[Samples] = []

    def spy(model: nn.Module, *args: Any, **kw: Any) -> Fit:
        given.extend(a for a in (*args, *kw.values()) if isinstance(a, Samples))
        return real(model, *args, **kw)

    monkeypatch.setattr(one_module, "fit", spy)
    train_one(SETTINGS, splits, time_steps=3, seed=0)
    assert len(given) == 2
    for mine, split in zip(given, (splits.train, splits.val), strict=True):
        assert torch.equal(mine.x_NTCHW, torch.from_numpy(split.x_TNCHW).transpose(0, 1))


def test_a_twin_is_trained_and_said_to_be_one(splits: Splits) -> None:
    settings = replace(SETTINGS, model_args={"width": 4, "neuron_args": {"tau": 3.0}, "connect": "iand"})
    checkpoint, run = train_one(settings, splits, time_steps=3, seed=11, twin=True)
    assert (checkpoint.card.twin, checkpoint.card.neuron, checkpoint.card.time_steps) == (True, "relu", 1)
    assert checkpoint.build().is_twin and "cost/spike_rate" not in run.metrics and run.details["rates"] == {}
    assert not any(name.endswith(".w") for name in checkpoint.state)


def test_ticks_once_an_epoch(splits: Splits) -> None:
    ticks: list[str] = []
    train_one(SETTINGS, splits, time_steps=3, seed=0, tick=ticks.append)
    assert len(ticks) == 2 and all(text.startswith("val ") for text in ticks)


def test_details_have_the_rates_of_every_epoch(trained: tuple[Checkpoint, Run]) -> None:
    details = trained[1].details
    assert set(details["rates_by_epoch"]) == set(details["rates"])
    assert all([epoch for epoch, _ in points] == [0, 1] for points in details["rates_by_epoch"].values())


def test_an_interrupted_training_goes_on(tmp_path: Path, splits: Splits, trained: tuple[Checkpoint, Run]) -> None:
    path = tmp_path / "seed11.pt"

    def stop(_text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_one(SETTINGS, splits, time_steps=3, seed=11, resume=path, tick=lambda text: stop(text) if path.exists() else None)
    checkpoint, run = train_one(SETTINGS, splits, time_steps=3, seed=11, parents={"data/x": "abc"}, resume=path, keep_finished=True)
    assert same(checkpoint.state, trained[0].state) and run == trained[1] and path.is_file()
    again, run = train_one(SETTINGS, splits, time_steps=3, seed=11, parents={"data/x": "abc"}, resume=path)
    assert same(again.state, trained[0].state) and run == trained[1] and not path.is_file()


def test_every_recipe_ends_in_a_checkpoint_that_builds(splits: Splits) -> None:
    settings = replace(SETTINGS, precision="bf16", channels_last=True, ema_decay=0.9, mixup=0.2, flip=True, clip_norm=1.0)
    checkpoint, run = train_one(settings, splits, time_steps=3, seed=11)
    assert {v.dtype for v in checkpoint.state.values() if v.is_floating_point()} == {torch.float32}
    found = evaluate(checkpoint.build(), samples(splits.test)).accuracy
    assert found == pytest.approx(run.metrics["test/acc"], abs=0.1)  # FP32 against bfloat16


def test_a_rate_penalty_leaves_fewer_spikes_and_stands_in_the_history(splits: Splits, trained: tuple[Checkpoint, Run]) -> None:
    quiet, run = train_one(SETTINGS, splits, time_steps=3, seed=11, regulariser=MeanRate(), strength=100.0, guard=False)
    assert run.curves["cost/spike_rate"][-1][1] < 0.95 * trained[1].curves["cost/spike_rate"][-1][1]  # of the last epoch
    assert quiet.card.transforms[-1].args["regulariser"] == {"name": "MeanRate"}
    assert quiet.card.transforms[-1].args["strength"] == 100.0
    same_as, _ = train_one(SETTINGS, splits, time_steps=3, seed=11, regulariser=MeanRate(), strength=0.0, parents={"data/x": "abc"})
    assert same(same_as.state, trained[0].state) and same_as.card == trained[0].card
