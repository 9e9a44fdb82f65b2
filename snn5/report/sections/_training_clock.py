"""P2: what the fused neurons bring on the clock, where it was recorded."""

from snn5.report._parts import Part
from snn5.report._results import Results
from snn5.report.sections._clock import clock

COMMAND = "snn5 bench train --json experiments/results/train.json"


def parts(results: Results) -> list[Part]:
    """The table of `snn5 bench train`."""
    if not (found := results.recorded.get("train")):
        return []
    how = f"Forward and backward, medians, sides in turn, {found['machine']['threads']} threads"
    note = (
        "Against “own process” theirs has a process of its own, as SpikingJelly comes; else both are in one, which keeps freed memory. "
        f"Command: {COMMAND}."
    )
    return [clock("Recorded: training on the clock, against stock SpikingJelly", found, ours="ours", how=how, note=note)]
