"""P2: neurons (PLIF against LIF) and coding (time-to-first-spike against rate)."""

from snn5.report._parts import Part
from snn5.report._results import Results
from snn5.report.sections import _coding, _neurons, _training_clock


def parts(results: Results) -> list[Part]:
    """P2.1, then P2.3, then the neurons' speed."""
    return [*_neurons.parts(results), *_coding.parts(results), *_training_clock.parts(results)]
