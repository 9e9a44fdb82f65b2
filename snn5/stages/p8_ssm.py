"""P8.1: the spiking state space model beside the liquid, on the same recordings and the same spike orders, trained by gradients.

    python -m snn5.stages.p8_ssm

The liquid's figures are those of p8_lsm. Same splits of the events, in slices of p8_ssm.dt_ms; same samples of the hard order task, seed by
seed. What training costs is counted in operations: wall time would differ every run.
Claim: at least 95 % on the events, and the same seed gives the same bits; what the rival does on the order task is no claim.
Measured, 3 seeds: events 96.8 % (sd 0.9, n = 450), hard order task 93.3 % (sd 3.2, n = 600 a seed). 45 seconds on two cores.
Seeds draw the weights and the order of samples, on the order task the samples, too. Out: metrics.json, curves.csv.
"""

from dataclasses import replace
from itertools import product

from snn5.bio import HARD, finer
from snn5.bio.rival import order_splits, rival_trial, rival_verdict
from snn5.datasets import Split, Splits
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.reproducible import seed_of
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main

TASKS = ("events", "order_hard")  # as p8_lsm calls them
AGAIN = "again"  # the first seed of the order task a second time


def run(stage: Stage) -> Record:
    """Both tasks with every seed."""
    settings = stage.config.p8_ssm
    coarse, _ = read_splits(stage, "events")
    found = finer(stage.config.data.events, coarse, settings.dt_ms)
    fine = Splits(**{side: square(getattr(found, side)) for side in ("train", "val", "test")})
    order = replace(settings.train, epochs=settings.order_epochs)

    def job(what: tuple[str, int], tick: Tick) -> Run:
        task, seed = what
        if task == "events":
            made = rival_trial(settings.train, fine, seed=stage.seed("events", seed), tick=tick)
        else:
            splits = order_splits(HARD, seed_of("p8_lsm", "order", seed), dt_ms=stage.config.p8.dt_ms)
            made = rival_trial(order, splits, seed=stage.seed("order", seed), tick=tick)
        made.params |= {"group": task, "seed": seed}
        return made

    jobs = [*product(TASKS, settings.seeds), (AGAIN, settings.seeds[0])]
    made = dict(zip(jobs, run_jobs(job, jobs, label=stage.name, total=max(settings.train.epochs, order.epochs)), strict=True))
    again = made.pop((AGAIN, settings.seeds[0]))
    groups = {task: [made[task, seed] for seed in settings.seeds] for task in TASKS}
    summary, claims = rival_verdict(groups, again, reference="order_hard", target=settings.target)
    runs = {f"{task}-seed{seed}": result for (task, seed), result in made.items()}
    return Record(summary=summary, runs=runs, details={"claims": claims, "n_test": len(fine.test)})


def square(split: Split) -> Split:
    """What is no square, a column of a sound's rows, as channels of one pixel: the network takes all of a step's numbers at once anyway."""
    steps, samples, channels, height, width = split.x_TNCHW.shape
    if height == width:
        return split
    return replace(split, x_TNCHW=split.x_TNCHW.reshape(steps, samples, channels * height * width, 1, 1))


if __name__ == "__main__":
    main(run)
