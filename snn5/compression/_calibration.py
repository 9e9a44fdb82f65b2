"""The few training samples that one-shot compression looks at."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from snn5.datasets import Split
from snn5.errors import UserError
from snn5.training import Samples, in_order, samples


def calibration_samples(train: Split, *, per_class: int, generator: torch.Generator) -> Samples:
    """`per_class` samples of each class, drawn without replacement; all of a class that has fewer. In rising order of position.

    Args:
        train: the training split; validation and test stay unseen. per_class: >= 1; 1 to 10 are enough (arXiv 2506.03996).

    Raises:
        UserError: another split, or a number below 1.
    """
    own = train.info.get("split")
    if own not in (None, "train"):
        raise UserError(f"calibration samples were asked of the {own} split; pass the training split")
    if per_class < 1:
        raise UserError(f"per_class={per_class}; need at least 1 sample of each class")
    drawn = []
    for label in np.unique(train.y_N):
        own_M = np.flatnonzero(train.y_N == label)
        drawn.append(own_M[torch.randperm(len(own_M), generator=generator)[:per_class].numpy()])
    index = np.sort(np.concatenate(drawn))
    return samples(replace(train, x_TNCHW=train.x_TNCHW[:, index], y_N=train.y_N[index], index_N=train.index_N[index]))


def batches(data: Samples | Tensor, size: int = 32) -> Iterator[Tensor]:
    """x_TNCHW, `size` samples at a time.

    Raises:
        UserError: there is no sample.
    """
    if count(data) == 0:
        raise UserError("no calibration sample; give at least one")
    if isinstance(data, Samples):
        yield from (x_TNCHW for x_TNCHW, _ in in_order(data, size))
    else:
        yield from data.split(size, dim=1)


def count(data: Samples | Tensor) -> int:
    """How many samples there are."""
    return len(data) if isinstance(data, Samples) else int(data.shape[1])


def device_of(data: Samples | Tensor) -> torch.device:
    """Where they lie."""
    return data.y_N.device if isinstance(data, Samples) else data.device
