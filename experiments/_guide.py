"""A guide for a spiking network: its own ReLU twin, trained first on the same images, by the same plan."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from experiments._hand_over import hand_over, threshold_of, v_threshold_of
from snn5.compression import Teacher
from snn5.config import Fast
from snn5.models import SpikingModel, ann_twin, initialise
from snn5.training import Evaluation, PacePlan, Samples, computing, fit


class GuidedPlan(PacePlan):
    """The plan of a network with a guide: another guide is another training, which must not go on from the first one's state."""

    def __init__(self, settings: Fast) -> None:
        super().__init__(settings.pace)
        self.guide = settings.guide

    def __repr__(self) -> str:
        return f"{super().__repr__()} {self.guide!r}"


def trained_twin(
    model: SpikingModel,
    train: Samples,
    val: Samples,
    settings: Fast,
    *,
    generator: torch.Generator,
    report: Callable[[int, Evaluation], None],
    resume: Path,
) -> SpikingModel:
    """The ReLU twin of `model` on its device, at its last epoch: trained, or taken from `resume`.

    Args:
        generator: of its weights, order, shifts. report: called after each of its epochs.
    """
    guide = settings.guide
    twin = ann_twin(model)
    initialise(twin, generator)
    twin.to(train.y_N.device)
    recipe = replace(settings.train, epochs=guide.epochs, lr=guide.lr)
    plan = PacePlan(replace(settings.pace, step_plan=[[guide.epochs, 1]]))
    fit(twin, train, val, recipe, generator=generator, report=report, plan=plan, resume=resume, every_s=float("inf"), keep_finished=True)
    return twin


@contextmanager
def guided(model: SpikingModel, twin: SpikingModel, train: Samples, settings: Fast) -> Iterator[Callable[[int], Tensor]]:
    """Give `model` the twin's weights (see _hand_over); inside, the loss that pulls `model` towards the twin's answers.

    L = guide.weight L_kd   (see snn5/compression/_distil.py), added to the loss of the labels
    """
    guide = settings.guide
    hand_over(twin, model, threshold_of(twin, train, guide.quantile), v_threshold_of(model))
    teacher = Teacher(model=twin, weight=guide.weight, temperature=guide.temperature)
    with teacher.on(model).watching() as heard:

        def pull(_step: int) -> Tensor:
            with computing(settings.train.precision, train.y_N.device):
                return guide.weight * heard.value()

        yield pull
