"""P1's and P6's networks of one slot, each seed's: what p5_engine and p5_spinnaker have in common."""

from collections.abc import Callable

from snn5 import checkpoint
from snn5.checkpoint import Checkpoint
from snn5.errors import NotPortable, UserError
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._stage import Stage
from snn5.stages._unported import REASON, unported
from snn5.statistics import summarise

SOURCES = {"p1": "data/p1_train/sew_resnet-{slot}/checkpoints", "p6": "data/p6_integrate/{slot}/checkpoints"}


def slot_of(stage: Stage) -> str:
    """The stage's argument.

    Raises:
        UserError: it is not frames or events.
    """
    slot = " ".join(stage.args)
    if slot not in ("frames", "events"):
        raise UserError(f"{stage.script} {slot}: need one argument, frames or events")
    return slot


def by_source(stage: Stage, slot: str, seeds: list[int], measure: Callable[[Checkpoint, dict[str, object]], Run]) -> Record:
    """`measure` each network in parallel; a source's summary is left out where one of its seeds is not portable."""
    jobs = [(source, seed) for source in SOURCES for seed in seeds]
    files = {(source, seed): stage.input(f"{SOURCES[source].format(slot=slot)}/seed{seed}.safetensors") for source, seed in jobs}

    def work(job: tuple[str, int], tick: Tick) -> Run:
        tick()
        params: dict[str, object] = {"source": job[0], "seed": job[1]}
        try:
            return measure(checkpoint.load(files[job]), params)
        except NotPortable as error:
            return unported(error, params)

    found = dict(zip(jobs, run_jobs(work, jobs, label=stage.name, total=1), strict=True))
    summary: dict[str, float] = {}
    for source in SOURCES:
        own = [found[source, seed] for seed in seeds]
        if not any(REASON in run.details for run in own):
            summary |= summarise(own, prefix=f"{source}/")
    return Record(summary=summary, runs={f"{source}-seed{seed}": run for (source, seed), run in found.items()})
