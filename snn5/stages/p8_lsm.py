"""P8.1: a liquid state machine with a ridge read-out, trained by no gradient, on digits events and on a task of spike order.

    python -m snn5.stages.p8_lsm

Claim: at least 95 % on the events; on the order task at least 95 % where a read-out of input counts knows nothing, and 20 points from
recurrence where the read-out sees whole-window counts only; the same seed gives the same bits, whatever the batches. What each rule is
worth is no claim. Measured (5 seeds, mean and 95 % interval): hard order task 96.5 +- 1.0 % frozen, 97.4 +- 1.0 with intrinsic plasticity,
98.0 +- 1.2 with STDP too, 99.1 +- 0.3 with all three rules (+2.7 +- 1.0, paired); events 97.7 +- 0.9 frozen, then 98.2, 98.1, 98.0: no
difference shown, nor from recurrence, whose work the time bins do. Seeds draw the wiring. Out: metrics.json, curves.csv.
"""

from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import torch

from snn5.bio import ABLATIONS, EASY, HARD, counts_trial, finer, order_trial, recordings_trial, verdict
from snn5.config import Plasticity
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main

THRESHOLDS = (2.0, 4.0)  # times the resting one: the accuracy-rate curve of the order task
AGAIN = "events_again"  # the first seed a second time, in other batches


def run(stage: Stage) -> Record:
    """Every variant with every seed; the variants of a seed share their random numbers."""
    settings = stage.config.p8
    coarse, _ = read_splits(stage, "events")
    fine = finer(stage.config.data.events, coarse, settings.dt_ms)
    train, val, test = ((torch.from_numpy(s.x_TNCHW), torch.from_numpy(s.y_N)) for s in (fine.train, fine.val, fine.test))
    classes = int(fine.train.info["num_classes"])

    def events(seed: int, learning: Plasticity | None = None, gain: float = settings.gain, **more: Any) -> Run:
        own = replace(settings, gain=gain)
        return recordings_trial(own, train, val, test, classes=classes, seed=stage.seed("events", seed), learning=learning, **more)

    def hard(seed: int, learning: Plasticity | None = None, alive: bool = True, **changes: Any) -> Run:
        return order_trial(replace(settings, **changes), HARD, seed=stage.seed("order", seed), bins=1, alive=alive, learning=learning)

    variants: dict[str, Any] = {  # functions of a seed
        "events": events,
        "events_gain0": partial(events, online=False, gain=0.0),
        "order_easy": lambda seed: order_trial(settings, EASY, seed=stage.seed("order", seed), bins=settings.bins),
        "order_hard": hard,
        "order_hard_gain0": partial(hard, gain=0.0),
    }
    for theta in THRESHOLDS:
        variants[f"order_hard_theta{theta:g}"] = partial(hard, alive=False, threshold=theta * settings.threshold)
    for name, off in ABLATIONS.items():
        if name != "frozen":  # which is there already
            learning = replace(settings.plasticity, **off)
            variants[f"events_{name}"] = partial(events, online=False, learning=learning)
            variants[f"order_hard_{name}"] = partial(hard, learning=learning)

    def job(what: tuple[str, int], tick: Tick) -> Run:
        group, seed = what
        made = events(seed, batch=37) if group == AGAIN else variants[group](seed)
        made.params |= {"group": group, "seed": seed}
        tick()
        return made

    jobs = [*product(variants, settings.seeds), (AGAIN, settings.seeds[0])]
    made = dict(zip(jobs, run_jobs(job, jobs, label=stage.name, total=1), strict=True))
    again = made.pop((AGAIN, settings.seeds[0]))
    groups = {group: [made[group, seed] for seed in settings.seeds] for group in variants}
    for result in (one for what, one in made.items() if what != ("events", settings.seeds[0])):
        result.details.pop("raster", None)  # one is enough
    summary, claims = verdict(groups, again, target=settings.target)
    runs = {f"{group}-seed{seed}": result for (group, seed), result in made.items()}
    runs["input_counts"] = counts_trial(train, test, classes=classes, bins=settings.bins)
    return Record(summary=summary, runs=runs, details={"claims": claims, "n_test": len(fine.test)})


if __name__ == "__main__":
    main(run)
