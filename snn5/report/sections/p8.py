"""P8: the liquid state machine, the classifier by local rules, and what is known about reproducibility so far."""

from snn5.report._parts import Part
from snn5.report._results import Results
from snn5.report.sections import _liquid, _local, _seeds


def parts(results: Results) -> list[Part]:
    """P8.1, the local classifier, then P8.4."""
    return [*_liquid.parts(results), *_local.parts(results), *_seeds.parts(results)]
