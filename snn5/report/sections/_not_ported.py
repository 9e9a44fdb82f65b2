"""Networks that the chips cannot hold: which, and why."""

from snn5.report._parts import Missing, Part
from snn5.report._results import Results


def not_ported(results: Results, *stages: str) -> list[Part]:
    """One part per network that a stage could not port; seeds with the same reason are told once."""
    reasons: dict[tuple[str, str], str] = {}
    for stage in stages:
        for name, run in results.runs(stage):
            if "not_portable" in run.details:
                head, *lines = str(run.details["not_portable"]).splitlines()
                said = " ".join([head, "; ".join(line.strip() for line in lines)]).strip()
                reasons.setdefault((stage, name.rpartition("-seed")[0]), said)
    return [Missing(title=f"Not ported: {name} ({stage})", reason=reason) for (stage, name), reason in reasons.items()]
