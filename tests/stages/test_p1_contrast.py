"""Stages that compare variants: what a variant inherits, what the record says, and errors that name the place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from snn5 import checkpoint, config, record
from snn5.config import Contrast, Train
from snn5.datasets import Split, save_split
from snn5.errors import UserError
from snn5.stages import p1_contrast, p1_depth
from snn5.stages._stage import Stage

ROOT = Path(__file__).parents[2]
BASE = Train(model="sew_resnet8", model_args={"width": 4}, epochs=3, warmup_epochs=1, batch_size=16, lr=0.01)


def test_a_variant_changes_the_shared_changes_which_change_the_recipe() -> None:
    made = Contrast(
        train={"epochs": 5, "model_args": {"width": 6}},
        variants={"plain": {}, "deep": {"model": "sew_resnet20", "lr": 0.1}, "iand": {"model_args": {"connect": "iand"}}},
    ).variants_of(BASE)
    assert list(made) == ["plain", "deep", "iand"]
    assert made["plain"] == replace(BASE, epochs=5, model_args={"width": 6})
    assert (made["deep"].model, made["deep"].lr, made["deep"].epochs) == ("sew_resnet20", 0.1, 5)
    assert made["iand"].model_args == {"width": 6, "connect": "iand"}


def test_another_model_does_not_inherit_arguments() -> None:
    made = Contrast(train={"model": "hsvt_tiny"}, variants={"a": {"model_args": {"depth": 2}}}).variants_of(BASE)
    assert made["a"].model_args == {"depth": 2}


@pytest.mark.parametrize(
    ("variants", "message"),
    [({}, "variants="), ({"a": 3}, "variants="), ({"a": {"lrr": 1.0}}, r"variants\.a"), ({"a": {"lr": "fast"}}, r"variants\.a\.lr")],
)
def test_a_bad_variant_is_named(variants: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Contrast(variants=variants).variants_of(BASE)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    x, y = load_digits(return_X_y=True)
    for name, rows in {"train": slice(0, 120), "val": slice(120, 160), "test": slice(160, 220)}.items():
        split = Split(
            x_TNCHW=x[rows].astype(np.uint8).reshape(1, -1, 1, 8, 8),
            y_N=y[rows],
            index_N=np.arange(rows.start, rows.stop),
            info={"scale": 16, "num_classes": 10, "dataset": "digits"},
        )
        save_split(split, tmp_path / f"data/p7_data/frames/{name}.safetensors")
    monkeypatch.chdir(tmp_path)
    whole = config.load(ROOT / "params.yaml", profile="default")
    depth = Contrast(
        may_collapse=True,
        train={"model_args": {"width": 4}, "epochs": 2, "neuron": "if"},
        variants={"sew_resnet8": {}, "spiking_resnet8": {"model": "spiking_resnet8"}},
    )
    return Stage(script="p1_depth", args=(), config=replace(whole, seeds=[0, 1], p1_depth=depth), root=tmp_path)


def test_record_and_checkpoints(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = p1_depth.run(stage)
    assert list(made.runs) == [f"{name}-seed{seed}" for name in ("sew_resnet8", "spiking_resnet8") for seed in (0, 1)]
    assert made.details == {"reference": "sew_resnet8", "data": "frames"}
    gains = [
        made.runs[f"spiking_resnet8-seed{s}"].metrics["test/acc"] - made.runs[f"sew_resnet8-seed{s}"].metrics["test/acc"] for s in (0, 1)
    ]
    assert made.summary["spiking_resnet8/acc_gain"] == pytest.approx(sum(gains) / 2)
    assert "sew_resnet8/acc_gain" not in made.summary
    for name, run in made.runs.items():
        loaded = checkpoint.load(stage.out / "checkpoints" / f"{name}.safetensors")
        assert loaded.card.model == run.params["variant"] and loaded.card.neuron == "if"
        assert run.details["measurement"]["accuracy"] == run.metrics["test/acc"]
        assert run.metrics["cost/synops"] > 0 and run.params["n_test"] == 60

    record.save(made, tmp_path / "one")
    monkeypatch.setenv("SNN5_WORKERS", "1")
    record.save(p1_depth.run(stage), tmp_path / "two")  # what the first run left in .cache/resume answers the same
    assert (tmp_path / "one" / "metrics.json").read_bytes() == (tmp_path / "two" / "metrics.json").read_bytes()


def test_an_unknown_family(stage: Stage) -> None:
    with pytest.raises(UserError, match="unknown family 'hsvit'; did you mean hsvt"):
        p1_contrast.run(replace(stage, script="p1_contrast", args=("hsvit",)))
