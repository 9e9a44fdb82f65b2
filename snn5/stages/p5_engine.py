"""P5.2: P1's and P6's networks in whole numbers on the event-driven engine, on one slot's test samples.

    python -m snn5.stages.p5_engine frames

Nothing is chosen here. Claim (issue 6): every spike and logit is the exact reference's; float to integer costs at most 0.5 points.
A network without a form in whole numbers is recorded as that, with the reason.
Expected, 3 seeds, n = 450: no difference in any of 10 to 48 million figures; -0.2 to +0.4 points on average, -0.7 to +0.9 for one seed.
5 to 15 s each. How long an answer takes: `snn5 bench infer`.
Out: metrics.json with parity, accuracies and operations of an answer; curves.csv with the accuracy of the engine by step.
"""

from snn5 import checkpoint
from snn5.datasets import load_split
from snn5.errors import UserError
from snn5.hardware import NotPortable
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._engine import compared
from snn5.stages._stage import Stage, main
from snn5.statistics import summarise

SOURCES = {"p1": "data/p1_train/sew_resnet-{slot}/checkpoints", "p6": "data/p6_integrate/{slot}/checkpoints"}


def run(stage: Stage) -> Record:
    """Each seed's two networks: float, exact reference, engine."""
    slot, seeds = " ".join(stage.args), stage.config.seeds
    if slot not in ("frames", "events"):
        raise UserError(f"p5_engine {slot}: need one argument, frames or events")
    test = load_split(stage.input(f"data/p7_data/{slot}/test.safetensors"))
    jobs = [(source, seed) for source in SOURCES for seed in seeds]
    files = {(source, seed): stage.input(f"{SOURCES[source].format(slot=slot)}/seed{seed}.safetensors") for source, seed in jobs}

    def work(job: tuple[str, int], tick: Tick) -> Run:
        tick()
        params = {"source": job[0], "seed": job[1]}
        try:
            return compared(checkpoint.load(files[job]), test, params)
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
