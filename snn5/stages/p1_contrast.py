"""P1.2 to P1.4: an architecture with and without what makes it special.

    python -m snn5.stages.p1_contrast spikingformer|hsvt|dta|staa

spikingformer, on events: pooling of spikes against CML, and Q-K token attention, which chips can run (P1.2). hsvt, on events: spiking
temporal cells against ConvLSTM (P1.3, the project's own design). dta, staa, on frames as in their papers: attention against the plain
backbone (P1.4; STAA is a reconstruction).
Out: checkpoints/<variant>-seed<k>.safetensors, metrics.json, curves.csv.
"""

from snn5.errors import unknown
from snn5.record import Record
from snn5.stages._contrast import contrast
from snn5.stages._stage import Stage, main

FAMILIES = ("spikingformer", "hsvt", "dta", "staa")


def run(stage: Stage) -> Record:
    """Every variant of one family with every seed."""
    family = stage.args[0] if len(stage.args) == 1 else ""
    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    return contrast(stage, getattr(stage.config.p1_contrast, family))


if __name__ == "__main__":
    main(run)
