"""The two tracks as params.yaml describes them: their learners and what is asked of each."""

from dataclasses import replace

from snn5.bio.reproducibility._gradient_learner import GradientLearner
from snn5.bio.reproducibility._liquid_learner import LiquidLearner
from snn5.bio.reproducibility._study import Study
from snn5.config import Liquid, Reproducibility
from snn5.datasets import Splits

TRACKS = ("bio", "sg")


def learners(settings: Reproducibility, liquid: Liquid, splits: Splits) -> dict[str, LiquidLearner | GradientLearner]:
    """`bio`, a liquid with a read-out learned online, and `sg`, a network trained by surrogate gradients.

    Args:
        settings: `p8_reproducibility`. liquid: `p8`, what the settings do not change.
    """
    own = replace(liquid, neurons=settings.neurons, drive=settings.drive, input_synapses=settings.input_synapses, bins=settings.bins)
    return {
        "bio": LiquidLearner(
            settings=own, splits=splits, code=settings.code, time_steps=settings.liquid_steps, epochs=settings.readout_epochs
        ),
        "sg": GradientLearner(settings=settings.train, splits=splits, code=settings.code, time_steps=settings.train_steps),
    }


def studies(settings: Reproducibility) -> dict[str, Study]:
    """What is asked of each."""
    targets = {"bio": settings.bio_target, "sg": settings.sg_target}
    return {
        track: Study(target=targets[track], code=settings.code, seeds=settings.seeds, runs=settings.runs, sources=track in settings.sources)
        for track in TRACKS
    }
