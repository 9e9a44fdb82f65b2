"""CIFAR-100 from its official binary or Python files."""

import hashlib
from pathlib import Path

import numpy as np

from snn5.datasets._cifar10 import SIDE, records_of
from snn5.datasets._cifar_pickle import read_pickle
from snn5.datasets._registry import Entry, Request, Samples, register
from snn5.datasets._root import need
from snn5.errors import UserError

NAME = "cifar100"
FILES = (
    "cifar-100-binary/{train,test}.bin (unpacked from the official cifar-100-binary.tar.gz), "
    "or cifar-100-python/{train,test} (from cifar-100-python.tar.gz)"
)
_NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle caterpillar
cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster
house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree
orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose
sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television
tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
_RECORD = 2 + 3 * SIDE * SIDE  # the coarse label, the fine one, then the red, green and blue planes


def read_part(path: Path) -> np.ndarray:
    """The records of one part: uint8 [N, 3074].

    Raises:
        UserError: missing, cut off, of another kind, or a label out of range; names the file.
    """
    if path.suffix == ".bin":
        records = records_of(need(path, NAME, FILES), _RECORD)
    else:
        records = read_pickle(need(path, NAME, FILES), ("coarse_labels", "fine_labels"))
    if records[:, 0].max() > 19 or records[:, 1].max() > 99:
        raise UserError(
            f"{path} has labels up to {records[:, 0].max()} and {records[:, 1].max()}; CIFAR-100 has 0 to 19 and 0 to 99: copy it again"
        )
    return records


def read_cifar100(request: Request) -> Samples:
    """Images uint8 [1, 60000, 3, 32, 32], channels red, green, blue, with their fine labels; the official test part is the test set.

    Raises:
        UserError: a file is missing or damaged; the message names it.
    """
    binary, python = request.root / "cifar-100-binary", request.root / "cifar-100-python"
    pickled = not binary.is_dir() and python.is_dir()
    parts = [read_part(python / part if pickled else binary / f"{part}.bin") for part in ("train", "test")]
    records = np.concatenate(parts)
    return Samples(
        x_TNCHW=records[:, 2:].reshape(1, -1, 3, SIDE, SIDE),
        y_N=records[:, 1].astype(np.int64),
        test_N=np.arange(len(records)) >= len(parts[0]),
        scale=255,
        info={"channels": ["red", "green", "blue"], "records_sha256": hashlib.sha256(records.tobytes()).hexdigest()},
    )


register(
    Entry(
        name=NAME,
        kind="frames",
        classes=tuple(_NAMES.split()),
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="none stated by its authors",
        citation="A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, technical report, University of Toronto, 2009",
        files=FILES,
        paths=("cifar-100-binary", "cifar-100-python"),
        md5={
            "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
            "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
        },
        loader=read_cifar100,
    )
)
