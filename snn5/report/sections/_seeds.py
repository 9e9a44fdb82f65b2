"""P8.4 beside its own stage: success rate (R1) and spread (R2) of the seeds that other stages have."""

from snn5.report._parts import Missing, Part, Table
from snn5.report._results import Results, Value
from snn5.report._text import decimal, percent
from snn5.success import lower_bound

# label, stage, start of the runs' names, accuracy that the stage claims
_CASES = (
    ("SEW-ResNet, frames (P1.1)", "p1_train@sew_resnet-frames", "seed", 0.97),
    ("SEW-ResNet, events (P1.1)", "p1_train@sew_resnet-events", "seed", 0.95),
    ("liquid, events (P8.1)", "p8_lsm", "events-", None),
    ("liquid, order task (P8.1)", "p8_lsm", "order_easy-", 0.95),
    ("local rules, frames (P8)", "p8_local", "stdp-", None),
)


def parts(results: Results) -> list[Part]:
    """One row per network whose stage claims an accuracy."""
    rows = []
    for label, stage, start, claimed in _CASES:
        accuracies = [run.metrics["test/acc"] for run in results.named(stage, start) if "test/acc" in run.metrics]
        asked = _declared(results, stage) if claimed is None else claimed
        if not accuracies or asked is None:
            continue
        value, good = Value.of(accuracies), sum(accuracy >= asked for accuracy in accuracies)
        rows.append(
            [
                label,
                f"{100 * asked:.0f}",
                percent(value),
                f"{good} of {value.seeds}",
                f"{100 * lower_bound(good, value.seeds):.0f}",
                decimal(1 - value.sd / value.mean, 3) if value.mean else "–",
                str(results.samples(stage, start) or ""),
            ]
        )
    if not rows:
        return [Missing(title="Reproducibility", reason="no stage has run with several seeds")]
    return [
        Table(
            title="Seeds of the other stages",
            columns=(
                "network",
                "accuracy asked, %",
                "test accuracy, %",
                "seeds that reach it (R1)",
                "proved success rate, %",
                "1 − sd/mean (R2)",
                "n",
            ),
            rows=rows,
            note="Proved: the one-sided 95 % Clopper-Pearson lower bound; target ③ needs 95, that is 59 of 59 seeds.",
        )
    ]


def _declared(results: Results, stage: str) -> float | None:
    """The accuracy that the stage's own claims ask for (p8.target, p8_local.target)."""
    record = results.get(stage)
    claims = record.details.get("claims", []) if record else []
    return next((float(claim["limit"]) for claim in claims if claim.get("name") == "accuracy"), None)
