"""What all seeds of P8.3 say together, against what is claimed."""

from collections.abc import Mapping, Sequence

from snn5.bio._claims import Claim, at_least, at_most, verdicts
from snn5.bio.homeostasis._measures import bcm_at_loop_gain
from snn5.config import Homeostasis
from snn5.record import Run
from snn5.statistics import summarise

FOLLOWS = 0.05  # largest relative distance of BCM's threshold from the second moment
LOOP_GAINS = (0.3, 0.8, 1.25, 2.0)  # the bound lies at 1
_CHANGED = ("x4", "x0.25")


def stability_bound(gains: Sequence[float] = LOOP_GAINS) -> list[dict[str, float]]:
    """`bcm_at_loop_gain` for each gain, with `as_predicted`: 1.0 where a distance from the fixed point dies out below 1, or grows above."""
    found = []
    for gain in gains:
        seen = bcm_at_loop_gain(gain)
        shrinks = seen["end"] < seen["start"]
        found.append(seen | {"as_predicted": float(shrinks == (seen["loop_gain"] < 1))})
    return found


def verdict(
    settings: Homeostasis, groups: Mapping[str, Sequence[Run]], bound: Sequence[Mapping[str, float]]
) -> tuple[dict[str, float], list[Claim]]:
    """Means over seeds and the claims, each by its worst seed.

    Args:
        groups: runs by variant, one per seed: `none`, `threshold`, `bcm`, `both`, any others. bound: from `stability_bound`.

    Returns:
        Summary figures (`<group>/...`; `verdict/...`: 1 met, 0 missed) and the claims as rows for the report.
    """
    summary: dict[str, float] = {}
    for group, runs in groups.items():
        summary |= summarise(runs, prefix=f"{group}/")

    def all_of(group: str, *names: str) -> list[float]:
        return [run.metrics[name] for run in groups[group] for name in names]

    ways = [f"{name}/settled_steps" for name in _CHANGED]
    back, least = float(settings.back_steps), settings.selectivity
    selective = [*all_of("bcm", "x1/selectivity"), *all_of("both", *(f"{name}/selectivity" for name in ("x1", *_CHANGED)))]
    claims = [
        at_most("threshold", "steps until the rate is within 10 % for good, adaptive thresholds", max(all_of("threshold", *ways)), back),
        at_most("both", "the same with adaptive thresholds and BCM", max(all_of("both", *ways)), back),
        at_least("control", "the same where nothing adapts", min(all_of("none", *ways)), back + settings.window),
        at_most("moment", "distance of BCM's threshold from the second moment", max(all_of("bcm", "bcm/theta_error")), FOLLOWS),
        at_least("selective", "selectivity with BCM", min(selective), least),
        at_least(
            "bound",
            f"loop gains of {len(bound)} on the predicted side of 1",
            sum(row["as_predicted"] for row in bound),
            float(len(bound)),
        ),
    ]
    return summary | verdicts(claims), claims
