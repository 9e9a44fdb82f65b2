"""What all seeds of P8.2 say together, against what is claimed."""

from collections.abc import Mapping, Sequence
from typing import Any

from snn5.config import Dale
from snn5.record import Run
from snn5.statistics import summarise

TIMES, KEPT, NEAR = 3.0, 0.5, 0.3  # E without inhibition over with; share of inhibition that stays; distance from the target rate


def verdict(settings: Dale, groups: Mapping[str, Sequence[Run]]) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Means over seeds and the claims, each by its worst seed.

    Args:
        groups: runs by variant, one per seed: `istdp`, `frozen`, `e_only`, any others.

    Returns:
        Summary figures (`<group>/...`; `verdict/...`: 1 met, 0 missed) and the claims as rows for the report.
    """
    summary: dict[str, float] = {}
    for group, runs in groups.items():
        summary |= summarise(runs, prefix=f"{group}/")

    def worst(group: str, name: str, pick: Any) -> float:
        return float(pick(run.metrics[name] for run in groups[group]))

    e_only, istdp = ([run.metrics["steady/rate_e"] for run in groups[group]] for group in ("e_only", "istdp"))
    times = min(alone / held for alone, held in zip(e_only, istdp, strict=True))
    away = max(abs(rate / settings.rate_per_ms - 1) for rate in istdp)
    steps = 2 * settings.steps
    claims: list[tuple[str, str, float, int, float]] = [  # name, text, measured, +1 at least / -1 at most, limit
        ("dale", f"weights against Dale's law or outside the wiring, in {steps} steps", worst("istdp", "dale/violations", max), -1, 0.0),
        ("kept", "least share of the inhibition that was left at any time", worst("istdp", "dale/inhibition_kept", min), 1, KEPT),
        (
            "ratio",
            "rate after a doubled input over before, with inhibitory STDP",
            worst("istdp", "rate_ratio", max),
            -1,
            settings.ratio_limit,
        ),
        ("control", "the same where nothing learns", worst("frozen", "rate_ratio", min), 1, settings.frozen_ratio),
        ("target", "distance from the target rate, as a share of it", away, -1, NEAR),
        ("needed", "rate without inhibition over the rate with inhibitory STDP", times, 1, TIMES),
        ("alive", "runaway or silent networks with inhibitory STDP", sum(_lost(run) for run in groups["istdp"]), -1, 0.0),
    ]
    rows: list[dict[str, Any]] = [
        {"name": name, "claim": text, "measured": measured, "limit": limit, "at_least": sign > 0, "met": sign * (measured - limit) >= 0}
        for name, text, measured, sign, limit in claims
    ]
    summary |= {f"verdict/{row['name']}": float(row["met"]) for row in rows}
    summary["verdict/all"] = float(all(row["met"] for row in rows))
    return summary, rows


def _lost(run: Run) -> float:
    return max(run.metrics[f"{when}/{what}"] for when in ("steady", "doubled") for what in ("runaway", "silent"))
