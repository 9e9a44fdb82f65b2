"""What all seeds of P8.1 say together, against what is claimed."""

from collections.abc import Mapping, Sequence

from snn5.bio._ablation import ablation_summary
from snn5.bio._claims import Claim, at_least, at_most, verdicts
from snn5.bio._tasks import EASY, HARD
from snn5.record import Run
from snn5.statistics import summarise


def verdict(groups: Mapping[str, Sequence[Run]], again: Run, *, target: float) -> tuple[dict[str, float], list[Claim]]:
    """Means over seeds and the claims.

    Args:
        groups: runs by group, one per seed: `events`, `events_gain0`, `order_easy`, `order_hard`, `order_hard_gain0`, any others.
        again: the first run of `events` made a second time.
        target: least accuracy on the recordings.

    Returns:
        Summary figures (`<group>/...`; `ablation/...`; `verdict/...`: 1 met, 0 missed) and the claims as rows for the report.
    """
    summary: dict[str, float] = {}
    for group, runs in groups.items():
        summary |= summarise(runs, prefix=f"{group}/")
    summary |= ablation_summary(groups)
    first = groups["events"][0]
    same = first.metrics == again.metrics and first.details["sha256"] == again.details["sha256"]
    counted, backwards = summary["order_easy/test/acc_input_counts"], summary["order_hard/test/acc_reversed"]
    recurrence = summary["order_hard/test/acc"] - summary["order_hard_gain0/test/acc"]
    summary["compare/acc_of_recurrence"] = recurrence
    easy, hard = (1 / task.classes + 0.05 for task in (EASY, HARD))
    claims = [
        at_least("deterministic", "same seed, other batches: same spikes, states, read-out and predictions", float(same), 1.0),
        at_least("accuracy", "accuracy on the recordings", summary["events/test/acc"], target),
        at_least("order", "accuracy on the easy order task", summary["order_easy/test/acc"], 0.95),
        at_most("counts", "accuracy of input counts on it, at most chance + 5 points", counted, easy),
        at_most("reversal", "accuracy on the hard order task played backwards, at most chance + 5 points", backwards, hard),
        at_least("recurrence", "accuracy that recurrence adds on the hard order task, whole-window counts", recurrence, 0.2),
    ]  # fmt: skip
    return summary | verdicts(claims), claims
