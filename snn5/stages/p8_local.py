"""P8: a classifier of digits frames that local rules alone have made: competitive STDP, intrinsic plasticity, neurons named after classes.

    python -m snn5.stages.p8_local

No gradient, no read-out that is solved for, and no label while it learns: neurons compete for samples by lateral inhibition, the winner's
weights move towards its input, thresholds share the samples out, and the training set's labels then name the neurons.
Claim: at least 90 % in every one of 10 seeds, and both rules are needed: without either the same network, named the same way, is far worse.
Expected (10 seeds, 450 test samples): 95.6 +- 1.1 %, the worst 94.2 %; without STDP 63.5 +- 2.0 %, without homeostasis 50.7 +- 5.9 %, where
six neurons of 200 take all samples. 63k SynOps per answer. 22 CPU seconds.
Seeds draw the first weights and the order of samples; all share one split. Settings were chosen on validation with other seeds.
Out: metrics.json, curves.csv; receptive fields of the first seed are in its details.
"""

from dataclasses import replace

import torch

from snn5.bio import LOCAL_VARIANTS, local_trial, local_verdict
from snn5.datasets import Split
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main

AGAIN = "again"  # the first seed a second time


def run(stage: Stage) -> Record:
    """Every variant with every seed; the variants of a seed start alike."""
    settings = stage.config.p8_local
    splits, _ = read_splits(stage, "frames")
    train, val, test = (_flat(split) for split in (splits.train, splits.val, splits.test))
    classes = int(splits.train.info["num_classes"])

    def job(what: tuple[str, int], tick: Tick) -> Run:
        variant, seed = what
        own = replace(settings, **LOCAL_VARIANTS.get(variant, {}))
        made = local_trial(own, train, val, test, classes=classes, seed=stage.seed(seed))
        made.params |= {"variant": variant, "seed": seed}
        tick()
        return made

    jobs = [(variant, seed) for variant in LOCAL_VARIANTS for seed in settings.seeds] + [(AGAIN, settings.seeds[0])]
    made = dict(zip(jobs, run_jobs(job, jobs, label=stage.name, total=1), strict=True))
    again = made.pop((AGAIN, settings.seeds[0]))
    groups = {variant: [made[variant, seed] for seed in settings.seeds] for variant in LOCAL_VARIANTS}
    for what, result in made.items():
        if what != ("stdp", settings.seeds[0]):
            result.details.pop("fields")  # one seed's are enough
    summary, claims = local_verdict(groups, again, target=settings.target)
    runs = {f"{variant}-seed{seed}": result for (variant, seed), result in made.items()}
    return Record(summary=summary, runs=runs, details={"claims": claims, "n_test": len(splits.test)})


def _flat(split: Split) -> tuple[torch.Tensor, torch.Tensor]:
    """Intensities [N, C] in [0, 1], averaged over the frames where there are several."""
    x_TNC = torch.from_numpy(split.x_TNCHW).flatten(2).double() / float(split.info["scale"])
    return x_TNC.mean(0).clamp(max=1.0), torch.from_numpy(split.y_N)


if __name__ == "__main__":
    main(run)
