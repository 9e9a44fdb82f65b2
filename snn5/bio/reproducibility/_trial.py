"""What a learner is to the study of reproducibility: a function of three seeds that answers with predictions and hashes of its bits.

Shapes: N test samples.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from snn5.reproducible import seed_of


class Draws(NamedTuple):
    """Where the randomness of one training comes from: a seed for each of its three sources.

    Attributes:
        init: wiring and first weights. noise: spikes that the inputs are coded in. order: of the training samples.
    """

    init: int
    noise: int
    order: int

    @classmethod
    def of(cls, *parts: object) -> "Draws":
        """Three seeds for every sequence of `parts`, each independent of the others."""
        return cls(*(seed_of(*parts, source) for source in cls._fields))


class Manner(NamedTuple):
    """How a training is run; nothing of it may change a bit of the result.

    Attributes:
        batch: samples that are simulated side by side where they do not learn together. interrupt: stop in the middle, keep the state as
            bytes, and go on from them.
    """

    batch: int = 64
    interrupt: bool = False


class Outcome(NamedTuple):
    """What one training gave.

    Attributes:
        prediction_N, label_N: of the test set, int64. val: accuracy on validation.
        sha256: by what it is of: first and last weights, spikes, read-out, predictions.
    """

    prediction_N: Tensor
    label_N: Tensor
    val: float
    sha256: dict[str, str]

    @property
    def accuracy(self) -> float:
        """The share of the test set that is predicted right."""
        return int((self.prediction_N == self.label_N).sum()) / len(self.label_N)


Learner = Callable[[Draws, Manner], Outcome]


def permutation(n: int, seed: int) -> Tensor:
    """An order of n samples."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))
