"""What all seeds of P8.2 say together, against what is claimed."""

from collections.abc import Mapping, Sequence
from typing import Any

from snn5.bio._claims import Claim, at_least, at_most, verdicts
from snn5.config import Dale
from snn5.record import Run
from snn5.statistics import summarise

TIMES, KEPT, NEAR = 3.0, 0.5, 0.3  # E without inhibition over with; share of inhibition that stays; distance from the target rate


def verdict(settings: Dale, groups: Mapping[str, Sequence[Run]]) -> tuple[dict[str, float], list[Claim]]:
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
    claims = [
        at_most("dale", f"weights against Dale's law or outside the wiring, in {steps} steps", worst("istdp", "dale/violations", max), 0.0),
        at_least("kept", "least share of the inhibition that was left at any time", worst("istdp", "dale/inhibition_kept", min), KEPT),
        at_most(
            "ratio",
            "rate after a doubled input over before, with inhibitory STDP",
            worst("istdp", "rate_ratio", max),
            settings.ratio_limit,
        ),
        at_least("control", "the same where nothing learns", worst("frozen", "rate_ratio", min), settings.frozen_ratio),
        at_most("target", "distance from the target rate, as a share of it", away, NEAR),
        at_least("needed", "rate without inhibition over the rate with inhibitory STDP", times, TIMES),
        at_most("alive", "runaway or silent networks with inhibitory STDP", sum(_lost(run) for run in groups["istdp"]), 0.0),
    ]
    return summary | verdicts(claims), claims


def _lost(run: Run) -> float:
    return max(run.metrics[f"{when}/{what}"] for when in ("steady", "doubled") for what in ("runaway", "silent"))
