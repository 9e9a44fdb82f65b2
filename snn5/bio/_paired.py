"""A figure of two variants compared seed by seed."""

import math
from collections.abc import Sequence

from scipy.stats import t as student

from snn5.record import Run
from snn5.statistics import mean_sd


def half_width(sd: float, n: int) -> float:
    """Half of the 95 % interval of a mean over n seeds (Student's t): t(0.975, n - 1) sd / sqrt(n); infinite for one seed.

    It says how far the draws of the seeds vary, not how far another test set would.
    """
    return float(student.ppf(0.975, n - 1)) * sd / math.sqrt(n) if n > 1 else math.inf


def paired_gain(runs: Sequence[Run], reference: Sequence[Run], metric: str = "test/acc") -> tuple[float, float, float]:
    """Mean, sd and half width of the 95 % interval of runs - reference; both one per seed, in the seeds' order."""
    mean, sd = mean_sd(a.metrics[metric] - b.metrics[metric] for a, b in zip(runs, reference, strict=True))
    return mean, sd, half_width(sd, len(runs))
