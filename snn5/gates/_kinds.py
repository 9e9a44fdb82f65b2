"""Kinds of gated metrics: what a figure is, and when a new one is worse than its baseline.

    exact       one number; any other fails. Counts on frozen networks, and what a network's shape alone decides
    accuracy    right answers of each seed, out of n; fails if fewer for more than chance and the seeds' spread
    cost        one number per seed, less is better; fails if the mean rises by more than 2 % and 3 standard errors
    rate        spikes per neuron and step, one number per seed; fails if its mean moves by more than 5 %, by more than 0.002 and by more
                than 3 standard errors, or if the layer falls silent (< 1e-4) or saturates (> 0.5) and did neither at the baseline

The standard error of a difference is sqrt(s_0^2 / k_0 + s_1^2 / k_1) over k_0 and k_1 seeds, 0 for single numbers. A figure that is not a
finite number fails in every kind.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.stats import fisher_exact

from snn5.statistics import mean_sd

LEVEL, MARGIN = 0.01, 0.005  # of the one-sided test of an accuracy; a drop that small is let pass
COST_SHARE, RATE_SHARE, RATE_ABS, ERRORS = 0.02, 0.05, 0.002, 3.0
SILENT, SATURATED = 1e-4, 0.5
ROUNDING = 1e-9  # relative; sums in another order, where a figure is no whole number


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A gated figure.

    Attributes:
        kind: see above. values: one per seed; right answers for `accuracy`. n: samples that each of them is over, for `accuracy`.
    """

    kind: str
    values: tuple[float, ...]
    n: int = 0

    @property
    def mean(self) -> float:
        """Over seeds; of an accuracy the share of right answers."""
        return mean_sd(self.values)[0] / (self.n or 1)

    def text(self) -> str:
        """As a person reads it."""
        if not self.values:
            return "nothing"
        if self.kind == "accuracy":
            return f"{100 * self.mean:.2f} % ({'+'.join(f'{v:g}' for v in self.values)} of {self.n} each)"
        return f"{self.mean:.10g}" + (f" (mean of {len(self.values)})" if len(self.values) > 1 else "")


def worse(old: Metric, new: Metric) -> str | None:
    """Why `new` fails against the baseline `old`; None where it does not."""
    if not new.values or not all(math.isfinite(v) for v in new.values):
        return f"{list(new.values)} is no finite number"
    if old.kind != new.kind:
        return f"is of kind {new.kind!r}, its baseline of {old.kind!r}"
    return KINDS[old.kind](old, new)


def better(old: Metric, new: Metric) -> bool:
    """Whether the figures may change places and fail then: an improvement that the baseline does not know."""
    return old.kind in ("accuracy", "cost") and KINDS[old.kind](new, old) is not None


def _exact(old: Metric, new: Metric) -> str | None:
    same = len(old.values) == len(new.values) and all(
        math.isclose(a, b, rel_tol=ROUNDING, abs_tol=0.0) for a, b in zip(old.values, new.values, strict=True)
    )
    return None if same else f"must stay {old.text()}"


def _accuracy(old: Metric, new: Metric) -> str | None:
    if old.n < 1 or new.n < 1 or not all(0 <= v <= new.n for v in new.values):
        return f"{list(new.values)} right answers of {new.n} are no accuracy"
    if new.n != old.n:
        return f"is over {new.n} samples, its baseline over {old.n}"
    drop, p = old.mean - new.mean, chance(old, new)
    errors = _error(old, new) / new.n
    if drop > MARGIN and p < LEVEL and drop > 2 * errors:
        return f"{100 * drop:.2f} points below {old.text()}, p = {p:.1g}"
    return None


def chance(old: Metric, new: Metric) -> float:
    """Fisher's exact test, one-sided: how likely so much fewer right answers are, were both networks equally good."""
    table = [[sum(m.values), m.n * len(m.values) - sum(m.values)] for m in (old, new)]
    return float(fisher_exact([[round(v) for v in row] for row in table], alternative="greater").pvalue)


def _cost(old: Metric, new: Metric) -> str | None:
    rise = new.mean - old.mean
    if rise > COST_SHARE * abs(old.mean) and rise > ERRORS * _error(old, new):
        return f"{_share(rise, old.mean)} above {old.text()}"
    return None


def _rate(old: Metric, new: Metric) -> str | None:
    for state, is_so in (("silent", _silent), ("saturated", _saturated)):
        if is_so(new.mean) and not is_so(old.mean):
            return f"the layer is {state} now; it was at {old.text()}"
    change = new.mean - old.mean
    if abs(change) > max(RATE_SHARE * old.mean, RATE_ABS, ERRORS * _error(old, new)):
        return f"moved by {_share(change, old.mean)} from {old.text()}"
    return None


def _silent(rate: float) -> bool:
    return rate < SILENT


def _saturated(rate: float) -> bool:
    return rate > SATURATED


def _error(old: Metric, new: Metric) -> float:
    """Standard error of the difference of the two means of `values`."""
    return math.sqrt(sum(mean_sd(m.values)[1] ** 2 / len(m.values) for m in (old, new)))


def _share(change: float, of: float) -> str:
    return f"{100 * change / of:.1f} %" if of else f"{change:.4g}"


KINDS: dict[str, Callable[[Metric, Metric], str | None]] = {"exact": _exact, "accuracy": _accuracy, "cost": _cost, "rate": _rate}
