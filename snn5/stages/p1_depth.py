"""P1.1: SEW-ResNet against the plain spiking ResNet as both grow deeper, on digits frames.

    python -m snn5.stages.p1_depth

Claim (Fang et al. 2021): the plain net, whose neurons come after the sum, degrades with depth; SEW-ResNet, which sums spikes, does not.
Out: checkpoints/<variant>-seed<k>.safetensors, metrics.json, curves.csv.
"""

from snn5.record import Record
from snn5.stages._contrast import contrast
from snn5.stages._stage import Stage, main


def run(stage: Stage) -> Record:
    """Every depth of both families with every seed."""
    return contrast(stage, stage.config.p1_depth)


if __name__ == "__main__":
    main(run)
