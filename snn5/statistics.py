"""Figures over seeds: never a mean without its spread and its n."""

import math
from collections.abc import Iterable

from snn5.record import Run


def mean_sd(values: Iterable[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (n - 1; 0 for a single value)."""
    data = list(values)
    mean = math.fsum(data) / len(data)
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in data) / (len(data) - 1)) if len(data) > 1 else 0.0


def summarise(runs: Iterable[Run], prefix: str = "") -> dict[str, float]:
    """`<name>` (mean) and `<name>_sd` of every metric that all runs have, and `n_seeds`."""
    runs = list(runs)
    names = set.intersection(*(set(r.metrics) for r in runs)) if runs else set()
    summary = {f"{prefix}n_seeds": float(len(runs))}
    for name in sorted(names):
        summary[prefix + name], summary[f"{prefix}{name}_sd"] = mean_sd(r.metrics[name] for r in runs)
    return summary
