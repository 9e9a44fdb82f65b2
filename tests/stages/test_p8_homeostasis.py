"""The P8.3 stage with few neurons and steps."""

from dataclasses import replace
from pathlib import Path

import pytest

from snn5 import config, record
from snn5.config import Homeostasis
from snn5.stages._stage import Stage
from snn5.stages.p8_homeostasis import run

ROOT = Path(__file__).parents[2]


def test_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config.load(ROOT / "params.yaml", profile="default")
    small = Homeostasis(seeds=[0, 1], neurons=8, first_steps=4000, steps=4000, window=1000, back_steps=2000)
    stage = Stage(script="p8_homeostasis", args=(), config=replace(settings, p8_homeostasis=small), root=tmp_path)
    made = run(stage)
    variants = ("none", "threshold", "additive", "bcm", "both")
    assert sorted(made.runs) == sorted(f"{name}-seed{seed}" for name in variants for seed in (0, 1))
    assert {row["name"] for row in made.details["claims"]} == {"threshold", "both", "control", "moment", "selective", "bound"}
    assert made.summary["verdict/bound"] == 1.0 and made.summary["verdict/control"] == 1.0
    assert made.summary["threshold/x4/error"] < made.summary["none/x4/error"]
    assert made.runs["both-seed1"].curves["rate"][-1][0] == 11000 and made.details["n_test"] == 10
    assert made.runs["bcm-seed0"].metrics != made.runs["bcm-seed1"].metrics

    record.save(made, tmp_path / "one")
    monkeypatch.setenv("SNN5_WORKERS", "1")
    record.save(run(stage), tmp_path / "two")
    for name in ("metrics.json", "curves.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
