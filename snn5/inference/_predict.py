"""A checkpoint's answer to a file: an image or an event recording, as `snn5 predict` gives it.

The event engine answers, in whole numbers, with the checkpoint's early exit. A model that has no such form is run by PyTorch; a note says
so.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from snn5.checkpoint import Checkpoint
from snn5.datasets import frames_from_events, read_image, read_recording
from snn5.errors import UserError
from snn5.hardware import to_integer
from snn5.inference._cutoff import rule_of
from snn5.inference._execute import run_until_sure
from snn5.inference.engine import Engine
from snn5.models import SpikingModel

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """An answer.

    Attributes:
        label: the class, 0..K-1. confidence: its softmax over the mean logits of the steps that were run. step: how many they were.
        milliseconds: of the network alone, without reading the file. synops: weights added; None where PyTorch ran.
    """

    label: int
    confidence: float
    step: int
    milliseconds: float
    synops: int | None


class Predictor:
    """A checkpoint that answers files.

    Args:
        checkpoint: a spiking network. method, size: how a recording becomes T frames; see `frames_from_events`.

    Raises:
        UserError: an ANN twin, or a model that looks at later steps and has no form in whole numbers.
    """

    def __init__(self, checkpoint: Checkpoint, *, method: str = "time", size: int = 0) -> None:
        card, model = checkpoint.card, checkpoint.build()
        if card.twin or not isinstance(model, SpikingModel):
            raise UserError(f"{card.model!r} is no spiking network but an ANN twin; give a checkpoint of a spiking one")
        self.time_steps, self.notes = card.time_steps, []
        self._divisor = float(card.preprocessing.get("scale", 1.0))
        self._side, self._channels = model.image_size * model.bin_pixels, model.in_channels
        self._method, self._size = method, size
        self._engine: Engine | None = None
        self._model, self._rule = model, rule_of(card.cutoff)
        try:
            network = to_integer(checkpoint)
        except UserError as error:
            first, *rest = str(error).splitlines()
            reason = rest[0].strip() if rest else first
            self.notes.append(f"PyTorch runs this checkpoint, since it has no form in whole numbers: {reason}")
        else:
            self._engine, self._unit = Engine(network), network.readout.scale
        self._answer(np.zeros((1, 1, self._channels, self._side, self._side), np.int32))  # compiled here, not in the first file's time

    def predict(self, file: Path) -> Prediction:
        """The answer to one file.

        Raises:
            UserError: a file that is missing, damaged or of another kind than the network takes; names it.
        """
        x_TNCHW = self._read(file)
        begin = time.perf_counter()
        logits_K, step, synops = self._answer(x_TNCHW)
        elapsed = 1e3 * (time.perf_counter() - begin)
        mean = logits_K / step
        share = np.exp(mean - mean.max())
        label = int(mean.argmax())
        return Prediction(label=label, confidence=float(share[label] / share.sum()), step=step, milliseconds=elapsed, synops=synops)

    def predict_all(self, files: Iterable[Path]) -> tuple[list[tuple[Path, Prediction]], list[str]]:
        """The answers to those files that can be read, and what is wrong with the others."""
        found: list[tuple[Path, Prediction]] = []
        errors: list[str] = []
        for file in files:
            try:
                found.append((file, self.predict(file)))
            except UserError as error:
                errors.append(str(error))
        return found, errors

    def _answer(self, x_TNCHW: NDArray[np.int32]) -> tuple[NDArray[np.float64], int, int | None]:
        """Summed logits, steps, synaptic operations."""
        if self._engine is not None:
            found = self._engine(x_TNCHW)
            return found.sum_NK[0] * self._unit, int(found.step_N[0]), int(found.synops_N[0])
        left = run_until_sure(self._model, torch.from_numpy(x_TNCHW / self._divisor).float(), self._rule)
        return left.logits_NK[0].double().numpy(), int(left.step_N[0]), None

    def _read(self, file: Path) -> NDArray[np.int32]:
        """[1 or T, 1, C, H, W] in the whole numbers that the data set uses."""
        if not file.is_file():
            raise UserError(f"{file}: no such file")
        if file.suffix.lower() in IMAGES:
            if self._channels == 2:
                raise UserError(f"{file}: an image, but this network was trained on events (OFF and ON); give a recording")
            pixels = read_image(file, color=self._channels == 3, size=[self._side, self._side])
            return np.rint(pixels * (self._divisor / 255))[None, None].astype(np.int32)
        if self._channels != 2:
            raise UserError(f"{file}: this network was trained on images; give one that ends in {', '.join(IMAGES)}")
        found = read_recording(file)
        off = max(int(found.x.max()), int(found.y.max()))
        if off >= self._side:
            raise UserError(
                f"{file}: an event at {off}, but the network sees {self._side} x {self._side} pixels; give one trained on such a sensor"
            )
        frames = frames_from_events(
            found.t, found.x, found.y, found.p, time_steps=self.time_steps, sensor=self._side, method=self._method, size=self._size
        )
        return frames[:, None].astype(np.int32)
