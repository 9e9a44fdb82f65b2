"""Whether one network is as accurate as another, as far as a few seeds and a few hundred validation samples can tell."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import TypeVar

from snn5.record import Run
from snn5.statistics import mean_sd

Name = TypeVar("Name", int, float)  # bits, a sparsity, a strength


def near(own: Sequence[float], other: Sequence[float], gap: float, standard_errors: float = 1.0) -> bool:
    """Whether accuracies are little enough below others.

        d_s = other_s - own_s          mean_s(d) + standard_errors sd_s(d) / sqrt(S) <= gap

    Args:
        own, other: by seed, on validation. standard_errors: the margin; without it the boldest setting is the one that was lucky there.
    """
    mean, sd = mean_sd(b - a for a, b in zip(own, other, strict=True))
    return mean + standard_errors * sd / sqrt(len(own)) <= gap + 1e-9  # a gap of exactly the limit is within it, however it was rounded


def near_ones(variants: Mapping[Name, Sequence[Run]], other: Sequence[Run], gap: float, standard_errors: float) -> list[Name]:
    """Those of `variants` (runs by seed) that are `near` the other on validation."""

    def accuracies(runs: Sequence[Run]) -> list[float]:
        return [run.metrics["val/acc"] for run in runs]

    return [name for name, runs in variants.items() if near(accuracies(runs), accuracies(other), gap, standard_errors)]
