"""The stage of the local classifier with few digits and a small pool."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from snn5 import config, record
from snn5.config import Local
from snn5.datasets import Split, save_split
from snn5.stages._stage import Stage
from snn5.stages.p8_local import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    x, y = load_digits(return_X_y=True)
    for name, own in {"train": range(0, 300), "val": range(300, 350), "test": range(350, 450)}.items():
        split = Split(
            x_TNCHW=x[own].astype(np.uint8).reshape(1, -1, 1, 8, 8),
            y_N=y[own],
            index_N=np.asarray(own),
            info={"scale": 16, "num_classes": 10, "dataset": "digits"},
        )
        save_split(split, tmp_path / f"data/p7_data/frames/{name}.safetensors")
    monkeypatch.chdir(tmp_path)
    settings = replace(config.load(ROOT / "params.yaml", profile="default"), p8_local=Local(neurons=60, epochs=4, seeds=[0, 1]))
    return Stage(script="p8_local", args=(), config=settings, root=tmp_path)


def test_record(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run(stage)
    assert sorted(made.runs) == [f"{variant}-seed{seed}" for variant in ("no_homeostasis", "no_stdp", "stdp") for seed in (0, 1)]
    assert made.summary["verdict/deterministic"] == 1.0 and made.details["n_test"] == 100
    assert made.summary["stdp/test/acc"] > 0.7 > made.summary["no_stdp/test/acc"]
    assert [name for name, one in made.runs.items() if "fields" in one.details] == ["stdp-seed0"]
    assert {row["name"] for row in made.details["claims"]} == {"deterministic", "accuracy", "worst", "stdp", "homeostasis"}

    record.save(made, tmp_path / "one")
    monkeypatch.setenv("SNN5_WORKERS", "1")
    record.save(run(stage), tmp_path / "two")
    for name in ("metrics.json", "curves.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
