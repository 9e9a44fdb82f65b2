"""P8: the liquid state machine, balance under Dale's law, homeostasis, and how reproducible learning is."""

from snn5.report._parts import Part
from snn5.report._results import Results
from snn5.report.sections import _dale, _homeostasis, _liquid, _local, _prototype, _recorded, _reproducibility, _rival, _seeds


def parts(results: Results) -> list[Part]:
    """P8.1 to P8.4."""
    return [
        *_liquid.parts(results),
        *_rival.parts(results),
        *_recorded.liquid(results),
        *_recorded.heidelberg(results),
        *_local.parts(results),
        *_dale.parts(results),
        *_homeostasis.parts(results),
        *_reproducibility.parts(results),
        *_recorded.reproducibility(results),
        *_seeds.parts(results),
        *_prototype.parts(results),
    ]
