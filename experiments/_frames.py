"""The still images that a profile names, as the experiments take them: loaded and split in this process, not read from DVC's files."""

from snn5.config import Config
from snn5.datasets import Splits, load


def frames_of(chosen: Config) -> Splits:
    """`data.frames` of the profile."""
    data = chosen.data.frames
    return load(
        data.dataset,
        time_steps=data.time_steps,
        val_fraction=data.val_fraction,
        test_fraction=data.test_fraction,
        split_seed=data.split_seed,
    )
