"""P5.2: P1's and P6's networks in whole numbers on the event-driven engine, on one slot's test samples.

    python -m snn5.stages.p5_engine frames

Nothing is chosen here. Claim (issue 6): every spike and logit is the exact reference's; float to integer costs at most 0.5 points.
A network without a form in whole numbers, or with potentials beyond 24 bits, is recorded as that, with the reason.
Expected, 3 seeds, n = 450: no difference in any of tens of millions of figures; less than half a point on average, up to one for one seed.
5 to 15 s each. How long an answer takes: `snn5 bench infer`.
Out: metrics.json with parity, accuracies and operations of an answer; curves.csv with the accuracy of the engine by step.
"""

from snn5.datasets import load_split
from snn5.record import Record
from snn5.stages._by_source import by_source, slot_of
from snn5.stages._engine import compared
from snn5.stages._stage import Stage, main


def run(stage: Stage) -> Record:
    """Each seed's two networks: float, exact reference, engine."""
    slot = slot_of(stage)
    test = load_split(stage.input(f"data/p7_data/{slot}/test.safetensors"))
    return by_source(stage, slot, stage.config.seeds, lambda found, params: compared(found, test, params))


if __name__ == "__main__":
    main(run)
