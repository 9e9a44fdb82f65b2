"""P8: the liquid state machine, and what is known about reproducibility so far."""

from snn5.report._parts import Missing, Part
from snn5.report._results import Results


def parts(results: Results) -> list[Part]:
    """P8.1 and P8.4."""
    return [Missing(title="The liquid state machine", reason="p8_lsm has not run")]
