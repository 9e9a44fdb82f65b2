"""`snn5 bench cutoff`: three sides over the same samples, and the share of steps that was run."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from snn5 import bench, checkpoint
from snn5.cli import app
from snn5.datasets import Split, save_split
from snn5.errors import UserError
from snn5.inference import all_logits, gap, leave, rule_of
from snn5.models import create_model


@pytest.fixture
def split() -> Split:
    x = np.random.default_rng(0).integers(0, 3, (3, 20, 2, 8, 8), dtype=np.uint8)
    return Split(x_TNCHW=x, y_N=np.arange(20) % 4, index_N=np.arange(20), info={"split": "test", "dataset": "toy", "num_classes": 4})


@pytest.fixture
def early(split: Split) -> checkpoint.Checkpoint:
    """Half of the samples leave after the first of three steps."""
    model = create_model("sew_resnet8", in_channels=2, num_classes=4, image_size=8, time_steps=3, neuron="lif", width=4)
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(0))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.weight, 4.0)
            torch.nn.init.constant_(module.bias, 1.0)
    args = {"model": model.name, "model_args": model.arguments, "dataset": "toy", "time_steps": 3, "neuron": "lif"}
    plain = checkpoint.of(model, checkpoint.Card(**args))
    beta = float(gap(all_logits(plain.build(), split)[0][0]).median())
    return replace(plain, card=replace(plain.card, cutoff={"rule": "gap", "epsilon": 0.0, "thresholds": [beta, 1e9, 1e9]}))


def test_rows(split: Split, early: checkpoint.Checkpoint) -> None:
    rows = bench.cutoff(early, split, batch_size=8, repeats=2)
    assert [r.baseline for r in rows] == ["all steps, at once", "all steps, step by step"]
    assert all(r.theirs > 0 and r.ours > 0 and r.low <= r.ratio <= r.high and r.repeats == 2 for r in rows)
    rule = rule_of(early.card.cutoff)
    assert rule is not None
    step_N, _ = leave(all_logits(early.build(), split)[0], rule)
    assert 1 < step_N.double().mean() < 3
    assert rows[0].name == f"sew_resnet8 on toy, {60 / int(step_N.sum()):.2f}x fewer steps"


def test_a_checkpoint_without_a_cutoff_is_refused(split: Split, early: checkpoint.Checkpoint) -> None:
    with pytest.raises(UserError, match="this sew_resnet8 has no cutoff; give a checkpoint of p5_cutoff"):
        bench.cutoff(replace(early, card=replace(early.card, cutoff=None)), split)


def test_the_command(tmp_path: Path, split: Split, early: checkpoint.Checkpoint) -> None:
    checkpoint.save(early, tmp_path / "early.safetensors")
    save_split(split, tmp_path / "test.safetensors")
    words = ["bench", "cutoff", str(tmp_path / "early.safetensors"), str(tmp_path / "test.safetensors"), "--batch", "5"]
    done = CliRunner().invoke(app, [*words, "--json", str(tmp_path / "x.json")])
    assert done.exit_code == 0, done.output
    assert len(json.loads((tmp_path / "x.json").read_text())["rows"]) == 2
