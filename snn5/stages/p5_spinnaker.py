"""P5.3: P1's and P6's networks on SpiNNaker without a board: function on NEST, arithmetic in s16.15, place on a virtual board; and NIR.

    python -m snn5.stages.p5_spinnaker frames

Nothing is chosen here; cells are calibrated on training samples. Claim (issue 6): NEST finds every spike of the reference without rounding;
all labels are the same on reference and NEST, 99 % and more in s16.15; P6's network has its place on one 48-chip board.
A network without a form in whole numbers, or with weights beyond 16 bits, is recorded as that, with the reason.
Expected, seed 0, n = 200: no difference on NEST; less than 1 % of the places differ in s16.15, one label at most. 27 s of one core on
frames, about 100 s on events.
Out: metrics.json; curves.csv is empty.
"""

from snn5.datasets import load_split
from snn5.record import Record
from snn5.stages._by_source import by_source, slot_of
from snn5.stages._spinnaker import ported
from snn5.stages._stage import Stage, main


def run(stage: Stage) -> Record:
    """The first seeds' two networks."""
    slot, settings = slot_of(stage), stage.config.p5_spinnaker
    train, test = (load_split(stage.input(f"data/p7_data/{slot}/{side}.safetensors")) for side in ("train", "test"))
    seeds = stage.config.seeds[: settings.networks]
    return by_source(stage, slot, seeds, lambda found, params: ported(found, train, test, settings, params))


if __name__ == "__main__":
    main(run)
