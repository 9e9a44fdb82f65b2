"""P8.2: a recurrent layer of excitatory and inhibitory neurons that obeys Dale's law, and what inhibitory STDP does for its stability.

    python -m snn5.stages.p8_dale

A steady Poisson input for 20 000 steps, then twice its rate for as long, for four variants of one network: `istdp` (pair STDP among
excitatory neurons, Vogels' rule from inhibitory ones), `frozen` (nothing learns), `stdp` (inhibition does not learn), `e_only` (no
inhibitory neurons, nothing learns). The same variants learn from digits without labels and are read out by ridge regression.
Claim, for the worst of 5 seeds: no weight ever against Dale's law or outside the wiring; at least half of the inhibition stays; the rate
after the doubled input is at most 1.15 of that before, where it is at least 1.8 times in the frozen network; the rate is within 30 % of its
target; without inhibition it is at least three times as high.
Expected (mean of 5 seeds): 1.00 (worst 1.07) against 2.41; rate 0.0115 against a target of 0.01 per step; digits 79.8 % with inhibition
that learns, at 0.021 spikes per neuron and step, against 84.2 % frozen at 0.132. Half a minute of CPU time.
Out: metrics.json, curves.csv; a raster of the first seed's `istdp` is in its details.
"""

from collections import defaultdict

import torch

from snn5.bio.reproducibility import poisson
from snn5.bio.simple_network import VARIANTS, digits_trial, steady_trial, verdict
from snn5.datasets import Split
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main


def run(stage: Stage) -> Record:
    """Every variant with every seed; the variants of a seed share their random numbers."""
    settings = stage.config.p8_dale
    splits, _ = read_splits(stage, "frames")
    train, test = (_spikes(split, settings.digit_rate, settings.digit_steps, stage.seed("spikes")) for split in (splits.train, splits.test))
    classes = int(splits.train.info["num_classes"])

    def job(what: tuple[str, int], tick: Tick) -> Run:
        name, seed = what
        variant, own = VARIANTS[name], stage.seed(seed)
        made = steady_trial(settings, variant, own)
        digits = digits_trial(settings, variant, train, test, classes=classes, seed=own)
        made.metrics |= {key if key.startswith("test/") else f"digits/{key}": value for key, value in digits.metrics.items()}
        made.details |= digits.details
        made.params |= {"group": name, "seed": seed}
        tick()
        return made

    jobs = [(name, seed) for name in VARIANTS for seed in settings.seeds]
    groups: dict[str, list[Run]] = defaultdict(list)
    for (name, seed), made in zip(jobs, run_jobs(job, jobs, label=stage.name, total=1), strict=True):
        groups[name].append(made)
        if (name, seed) != jobs[0]:
            made.details.pop("raster")  # one is enough
    summary, claims = verdict(settings, groups)
    runs = {f"{name}-seed{made.params['seed']}": made for name, own in groups.items() for made in own}
    return Record(summary=summary, runs=runs, details={"claims": claims, "n_test": len(splits.test)})


def _spikes(split: Split, rate: float, steps: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Poisson spikes [T, N, C] of the mean images, a white pixel at `rate`."""
    x_NC = torch.from_numpy(split.x_TNCHW).flatten(2).float().mean(0) / float(split.info["scale"])
    return poisson(rate * x_NC, torch.from_numpy(split.index_N), steps, seed), torch.from_numpy(split.y_N)


if __name__ == "__main__":
    main(run)
