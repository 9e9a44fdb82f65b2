"""P2.3: time-to-first-spike (TTFS) against rate coding, at equal T, topology and training, on digits frames.

    python -m snn5.stages.p2_coding

Claim (the roadmap's, made provable): TTFS spikes at most once per neuron, costs at most half of the rate code's SynOps with the inputs'
spikes counted, and loses at most 1.0 point of accuracy. The price: TTFS layers work one after another, so an answer takes (hidden layers
+ 1) x T steps, and each hidden neuron is updated through two windows instead of one.
Expected (10 seeds, 450 test samples, mean and sd over seeds): accuracy 98.5 +- 0.3 % for TTFS, 98.4 +- 0.3 % for rate, 98.5 +- 0.3 % for
ReLU; 11.9k against 75.0k SynOps, 16 +- 0.5 % (26 % with neuron updates counted as operations too); 0.42 against 2.8 spikes per hidden
neuron; 48 against 16 steps. Latched TTFS, all layers in one window of 16 steps: 96.9 +- 0.5 % at 13 % of the SynOps, so it misses the third
claim by 0.5 points. One test sample is 0.22 points. 45 s on two cores.
Out: metrics.json, curves.csv; a raster of the first test sample, rate and TTFS, is in the details of the record.
"""

from typing import Any

import torch

from snn5.coding import Samples, compare, verdict
from snn5.datasets import Split
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main


def run(stage: Stage) -> Record:
    """Train and judge rate, TTFS, latched and ReLU networks with every seed."""
    settings = stage.config.p2_coding
    splits, _ = read_splits(stage, "frames")
    train, val, test = (_flat(split) for split in (splits.train, splits.val, splits.test))
    classes = int(splits.train.info["num_classes"])

    def job(seed: int, tick: Tick) -> dict[str, Run]:
        return compare(settings, train, val, test, classes=classes, seed=stage.seed(seed), tick=tick)

    by_seed = run_jobs(job, settings.seeds, label=stage.name, total=4 * settings.epochs)
    summary, claims = verdict(settings, by_seed)
    runs: dict[str, Run] = {}
    rasters: dict[str, Any] = {}
    for seed, made in zip(settings.seeds, by_seed, strict=True):
        for code, result in made.items():
            result.params |= {"seed": seed, "code": code}
            drawn = result.details.pop("raster", None)  # one seed's is enough
            if drawn is not None:
                rasters.setdefault(code, drawn)
            runs[f"{code}-seed{seed}"] = result
    sample = {"index": int(splits.test.index_N[0]), "label": int(splits.test.y_N[0]), "seed": settings.seeds[0]}
    details = {"claims": claims, "raster": {"sample": sample, **rasters}, "n_test": len(splits.test)}
    return Record(summary=summary, runs=runs, details=details)


def _flat(split: Split) -> Samples:
    """Intensities [N, I] in [0, 1], averaged over the frames where there are several."""
    x_TNI = torch.from_numpy(split.x_TNCHW).flatten(2).double() / float(split.info["scale"])
    return Samples(x_TNI.mean(0).clamp(max=1.0), torch.from_numpy(split.y_N))


if __name__ == "__main__":
    main(run)
