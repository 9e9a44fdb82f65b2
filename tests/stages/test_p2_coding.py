"""The P2.3 stage on a handful of digits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from snn5 import config, record
from snn5.config import Coding
from snn5.datasets import Split, save_split
from snn5.errors import UserError
from snn5.stages._stage import Stage
from snn5.stages.p2_coding import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    x, y = load_digits(return_X_y=True)
    rows = {"train": range(0, 200), "val": range(200, 250), "test": range(250, 310)}
    for name, own in rows.items():
        split = Split(
            x_TNCHW=x[own].astype(np.uint8).reshape(1, -1, 1, 8, 8),
            y_N=y[own],
            index_N=np.asarray(own),
            info={"scale": 16, "num_classes": 10, "dataset": "digits"},
        )
        save_split(split, tmp_path / f"data/p7_data/frames/{name}.safetensors")
    monkeypatch.chdir(tmp_path)
    settings = replace(config.load(ROOT / "params.yaml", profile="default"), p2_coding=Coding(hidden=24, layers=1, epochs=2, seeds=[0, 1]))
    return Stage(script="p2_coding", args=(), config=settings, root=tmp_path)


def test_record(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run(stage)
    assert sorted(made.runs) == [f"{code}-seed{seed}" for code in ("latch", "rate", "relu", "ttfs") for seed in (0, 1)]
    assert [path.name for path in stage.parents] == ["train.safetensors", "val.safetensors", "test.safetensors"]
    assert made.summary["ttfs/cost/spikes_per_neuron_max"] == made.summary["verdict/one_spike"] == 1.0
    assert made.summary["compare/latency_ratio"] == 2.0  # an input window and a hidden one
    assert made.summary["compare/acc_loss_to_rate"] == pytest.approx(made.summary["rate/test/acc"] - made.summary["ttfs/test/acc"])
    assert {row["name"] for row in made.details["claims"]} == {"one_spike", "synops", "accuracy"}
    drawn = made.details["raster"]
    assert drawn["sample"] == {"index": 250, "label": int(load_digits().target[250]), "seed": 0}
    pixels = load_digits().data[250].astype(int).tolist()
    assert [row.count("1") for row in drawn["rate"][0]["rows"]] == pixels  # T = 16: as many spikes as grey levels
    assert [row.count("1") for row in drawn["ttfs"][0]["rows"]] == [int(p > 0) for p in pixels]
    assert [len(layer["rows"]) for layer in drawn["ttfs"]] == [64, 24]

    record.save(made, tmp_path / "one")
    monkeypatch.setenv("SNN5_WORKERS", "1")
    record.save(run(stage), tmp_path / "two")
    for name in ("metrics.json", "curves.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_missing_data(stage: Stage) -> None:
    Path("data/p7_data/frames/val.safetensors").unlink()
    with pytest.raises(UserError, match=r"p2_coding needs data/p7_data/frames/val.safetensors.*`dvc repro p7_data`"):
        run(stage)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seeds": [3]}, r"seeds=\[3\]; need at least two seeds"),
        ({"seeds": [1, 1]}, "all different"),
        ({"quantiles": [0.5, 1.2]}, r"quantiles=\[0.5, 1.2\]; need at least one value, each above 0 up to 1"),
        ({"time_steps": 1}, "p2_coding.time_steps=1: need a value from 2 to 1024"),
        ({"leyers": 2}, "unknown key 'leyers'; did you mean layers"),
    ],
)
def test_settings(given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        config.parse(Coding, given, "p2_coding")
