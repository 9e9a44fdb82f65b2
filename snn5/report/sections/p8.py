"""P8: the liquid state machine, and how reproducible learning is."""

from snn5.report._parts import Part
from snn5.report._results import Results
from snn5.report.sections import _liquid, _reproducibility, _seeds


def parts(results: Results) -> list[Part]:
    """P8.1, then P8.4."""
    return [*_liquid.parts(results), *_reproducibility.parts(results), *_seeds.parts(results)]
