"""The golden loss curve: 20 optimiser steps of SEW-ResNet8 on digits, every loss to the last bit.

A refactor must leave tests/assets/golden_loss_sew_resnet8.txt alone; a change of the numerics must edit it, visibly, with

    SNN5_WRITE_GOLDEN=1 python -m pytest -n 0 tests/training/test_golden_curve.py

The last bits belong to a version of torch and to the instructions of a CPU. Both stand in the file's header; elsewhere the curve is
compared as closely as rounding allows.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import snn5.training._fit as fit_module
from snn5.config import Train
from snn5.datasets import Split, load
from snn5.models import create_model, initialise
from snn5.reproducible import one_thread
from snn5.training import fit, samples

FILE = Path(__file__).parents[1] / "assets" / "golden_loss_sew_resnet8.txt"
LIVELY = {"tau": 1.5, "v_threshold": 0.5}  # every layer spikes from the first step: a silent one would keep its numerics to itself
FIRST, FIRST_TOLERANCE, TOLERANCE = 3, 1e-5, 0.02  # on another CPU rounding moves a spike sooner or later (measured: 0.3 % at SSE4)
# Every value is spelt out, so that a new default moves no golden figure.
SETTINGS = Train(
    model="sew_resnet8",
    neuron="plif",
    epochs=2,
    batch_size=32,
    optimizer="adamw",
    lr=4e-3,
    neuron_lr_scale=1.0,
    weight_decay=1e-2,
    warmup_epochs=1,
    loss="tet",
    tet_lambda=0.05,
    label_smoothing=0.05,
    shift_pixels=1,
)


def some(split: Split, n: int) -> Split:
    return replace(split, x_TNCHW=split.x_TNCHW[:, :n], y_N=split.y_N[:n], index_N=split.index_N[:n])


def golden_curve(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The loss of each of 2 x 10 steps of 32 samples: warm-up, cosine, augmentation and validation as in every training."""
    losses: list[float] = []
    splits = load("digits", time_steps=4)
    real = fit_module.loss_of(SETTINGS)

    def noted(logits_TNK: Tensor, y_N: Tensor) -> Tensor:
        loss = real(logits_TNK, y_N)
        losses.append(loss.item())
        return loss

    monkeypatch.setattr(fit_module, "loss_of", lambda _settings: noted)
    with one_thread():
        generator = torch.Generator().manual_seed(5)
        model = create_model(
            "sew_resnet8", in_channels=1, num_classes=10, image_size=8, time_steps=4, neuron="plif", width=8, neuron_args=LIVELY
        )
        initialise(model, generator)
        fit(
            model, samples(some(splits.train, 320)), samples(some(splits.val, 64)), SETTINGS, generator=generator
        )  # raises where a layer is silent
    return losses


def header() -> str:
    return f"# torch {torch.__version__.partition('+')[0]} {torch.backends.cpu.get_cpu_capability()}"


def test_golden_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = golden_curve(monkeypatch)
    assert len(losses) == 20
    if os.environ.get("SNN5_WRITE_GOLDEN"):
        lines = [
            header(),
            "# step loss; made and explained by tests/training/test_golden_curve.py",
            *(f"{i} {v!r}" for i, v in enumerate(losses)),
        ]
        FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = FILE.read_text(encoding="utf-8").splitlines()
    golden = [float(line.split()[1]) for line in lines if not line.startswith("#")]
    if lines[0] == header():
        assert losses == golden
    else:
        assert losses[:FIRST] == pytest.approx(golden[:FIRST], rel=FIRST_TOLERANCE)
        assert losses == pytest.approx(golden, rel=TOLERANCE)
