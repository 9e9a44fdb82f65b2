"""The data stage: three files and a record of what is in them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from snn5 import config, record
from snn5.datasets import load_split, verify
from snn5.errors import UserError
from snn5.stages.p7_data import run

ROOT = Path(__file__).parents[2]


def stage(out: Path, *args: str) -> Any:
    return SimpleNamespace(args=args, out=out, config=config.load(ROOT / "params.yaml", profile="default"))


@pytest.mark.parametrize("slot", ["frames", "events"])
def test_files_and_record(slot: str, tmp_path: Path) -> None:
    made = run(stage(tmp_path, slot))
    assert verify(tmp_path) == []
    assert made.summary == {
        "data/train_samples": 1078,
        "data/val_samples": 269,
        "data/test_samples": 450,
        "data/duplicates": 0,
        "data/dropped": 0,
    }
    for side in ("train", "val", "test"):
        split, figures = load_split(tmp_path / f"{side}.safetensors"), made.runs[side]
        assert figures.details["split_sha256"] == split.info["split_sha256"]
        assert figures.details["shape"] == list(split.x_TNCHW.shape)
        assert sum(n for _, n in figures.curves["data/class_count"]) == figures.metrics["data/samples"] == len(split)
        assert figures.metrics["data/empty_frames"] == figures.metrics["data/saturated"] == 0
        steps = [value for _, value in figures.curves["data/sum_per_step"]]
        assert len(steps) == len(split.x_TNCHW) and sum(steps) == pytest.approx(figures.metrics["data/mean_sum"])
    assert ("data/on" in made.runs["train"].metrics) == (slot == "events")
    assert made.details["licence"] == "CC BY 4.0" and ("camera" in made.details) == (slot == "events")
    record.save(made, tmp_path)  # JSON takes it, and gives it back
    assert record.load(tmp_path).runs["val"].metrics == made.runs["val"].metrics


def test_arguments(tmp_path: Path) -> None:
    for args in ((), ("frames", "events")):
        with pytest.raises(UserError, match="need one argument out of frames, events"):
            run(stage(tmp_path, *args))
    with pytest.raises(UserError, match="unknown data slot 'frame'; did you mean frames"):
        run(stage(tmp_path, "frame"))
