"""What every training stage reads: the splits of a slot, with the md5 of each file for the checkpoint's history."""

from snn5.datasets import Splits, load_split
from snn5.files import md5
from snn5.stages._stage import Stage

NAMES = ("train", "val", "test")


def read_splits(stage: Stage, slot: str) -> tuple[Splits, dict[str, str]]:
    """The splits of `frames` or `events` as p7_data made them, and {path: md5} of their files."""
    paths = [stage.input(f"data/p7_data/{slot}/{name}.safetensors") for name in NAMES]
    train, val, test = (load_split(path) for path in paths)
    return Splits(train=train, val=val, test=test), {path.as_posix(): md5(path) for path in paths}
