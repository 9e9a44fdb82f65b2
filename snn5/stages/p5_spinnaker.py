"""P5.3: P1's and P6's networks on SpiNNaker without a board: function on NEST, arithmetic in s16.15, place on a virtual board; and NIR.

    python -m snn5.stages.p5_spinnaker frames

Nothing is chosen here; cells are calibrated on training samples. Claim (issue 6): NEST finds every spike of the reference without rounding;
all labels are the same on reference and NEST, 99 % and more in s16.15; P6's network has its place on one 48-chip board.
A network without a form in whole numbers is recorded as that, with the reason.
Expected, seed 0, n = 200: no difference on NEST; 0.01 to 0.03 % of the places differ in s16.15, no label. 27 s of one core on frames, about
100 s on events.
Out: metrics.json; curves.csv is empty.
"""

from snn5 import checkpoint
from snn5.datasets import load_split
from snn5.errors import UserError
from snn5.hardware import NotPortable
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._spinnaker import ported
from snn5.stages._stage import Stage, main
from snn5.statistics import summarise

SOURCES = {"p1": "data/p1_train/sew_resnet-{slot}/checkpoints", "p6": "data/p6_integrate/{slot}/checkpoints"}


def run(stage: Stage) -> Record:
    """The first seeds' two networks."""
    slot, settings = " ".join(stage.args), stage.config.p5_spinnaker
    if slot not in ("frames", "events"):
        raise UserError(f"p5_spinnaker {slot}: need one argument, frames or events")
    seeds = stage.config.seeds[: settings.networks]
    train, test = (load_split(stage.input(f"data/p7_data/{slot}/{side}.safetensors")) for side in ("train", "test"))
    jobs = [(source, seed) for source in SOURCES for seed in seeds]
    files = {(source, seed): stage.input(f"{SOURCES[source].format(slot=slot)}/seed{seed}.safetensors") for source, seed in jobs}

    def work(job: tuple[str, int], tick: Tick) -> Run:
        tick()
        params: dict[str, object] = {"source": job[0], "seed": job[1]}
        try:
            return ported(checkpoint.load(files[job]), train, test, settings, params)
        except NotPortable as error:
            return Run(params=params, details={"not_portable": str(error)})

    found = dict(zip(jobs, run_jobs(work, jobs, label=stage.name, total=1), strict=True))
    summary: dict[str, float] = {}
    for source in SOURCES:
        own = [found[source, seed] for seed in seeds]
        if all(run.metrics for run in own):  # a network that one seed has no form of is reported as that, as in p5_lava
            summary |= summarise(own, prefix=f"{source}/")
    return Record(summary=summary, runs={f"{source}-seed{seed}": run for (source, seed), run in found.items()})


if __name__ == "__main__":
    main(run)
