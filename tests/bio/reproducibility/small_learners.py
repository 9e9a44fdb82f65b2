"""Learners of both tracks that take a fraction of a second, on a few images of two classes."""

from pathlib import Path

import numpy as np

from snn5 import config
from snn5.bio.reproducibility import GradientLearner, LiquidLearner
from snn5.config import Liquid, Train
from snn5.datasets import Split, Splits

ROOT = Path(__file__).parents[3]


def images(n: int, first: int) -> Split:
    """Bright on the left or on the right, with a little texture."""
    y_N = np.arange(n) % 2
    x_TNCHW = np.random.default_rng(first).integers(0, 5, (1, n, 1, 4, 4), dtype=np.uint8)
    x_TNCHW[0, y_N == 0, :, :, :2] += 9
    x_TNCHW[0, y_N == 1, :, :, 2:] += 9
    return Split(x_TNCHW=x_TNCHW, y_N=y_N, index_N=np.arange(first, first + n), info={"dataset": "two", "num_classes": 2, "scale": 16})


SPLITS = Splits(train=images(40, 0), val=images(10, 40), test=images(30, 50))
LIQUID = Liquid(neurons=30, drive=4.0, bins=2, input_synapses=4.0)
TRAIN = Train(
    model="spiking_mlp", model_args={"hidden": [8]}, epochs=4, batch_size=10, lr=0.03, loss="rate", shift_pixels=0, guard_epochs=0
)


def bio(code: str = "poisson") -> LiquidLearner:
    return LiquidLearner(settings=LIQUID, splits=SPLITS, code=code, time_steps=20, epochs=2)


def sg(code: str = "poisson") -> GradientLearner:
    return GradientLearner(settings=TRAIN, splits=SPLITS, code=code, time_steps=8)


def settings() -> config.Config:
    return config.load(ROOT / "params.yaml", profile="default")
