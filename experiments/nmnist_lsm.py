"""P8.1 on real recordings: a liquid with a ridge read-out on N-MNIST, five-fold cross-validation, frozen and after it has learned.

    SNN5_DATA_ROOT=... python -m experiments.nmnist_lsm [VARIANT ...]

Data and folds: those of experiments.nmnist_folds (1100 recordings, each tested once); 100 slices of 3 ms, pixels summed in twos. No
gradient: the liquid is random (`frozen`) or has learned from its training side without labels by intrinsic plasticity, STDP and inhibitory
STDP (`ip_stdp_istdp`); the read-out is ridge regression whose penalty generalised cross-validation chooses, all on the training side alone.
The liquid's size, patch and bins were chosen by five-fold cross-validation inside the training side of fold 0; the figure of fold 0 is thus
wholly clean, while recordings that other folds test had a part in that choice. Validation recordings decide nothing here.
Measured over all 1100 recordings (sd over folds): frozen 94.2 +- 1.5 %, 267k SynOps; after learning 94.3 +- 0.8 %, 235k SynOps, which shows
no difference in accuracy. Fold 0 alone (n = 219): 95.9 and 94.5 %. Played backwards: 19.6 and 24.5 %. One CPU minute.
Interrupt it at will: the same command goes on. Out: experiments/results/nmnist_lsm.json.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments._start import start
from experiments.nmnist_folds import FOLDS, SEED, VAL_FRACTION, folds, recordings, split_of
from snn5 import config
from snn5.bio import ABLATIONS, recordings_trial
from snn5.config import Liquid
from snn5.datasets import Split, load_split, save_split
from snn5.errors import unknown
from snn5.files import read_json, write_json
from snn5.parallel import Tick, run_jobs
from snn5.reproducible import seed_of
from snn5.statistics import mean_sd

TIME_STEPS, DT_MS, BIN_PIXELS = 100, 3.0, 2
VARIANTS = ("frozen", "ip_stdp_istdp")
RESULT, KEPT = Path("experiments/results/nmnist_lsm.json"), Path(".cache/experiments/nmnist_lsm")


def settings() -> Liquid:
    """The liquid of params.yaml, larger, in steps of 3 ms, each neuron with a patch of the sensor."""
    p8 = config.load(profile="default").p8
    return replace(p8, neurons=2000, dt_ms=DT_MS, delay_ms=DT_MS, refractory_ms=DT_MS, input_synapses=8.0, input_radius=2.0, bins=3)


def smaller(whole: Split) -> Split:
    """The recordings with `BIN_PIXELS` x `BIN_PIXELS` pixels summed to one."""
    steps, n, channels, height, width = whole.x_TNCHW.shape
    b = BIN_PIXELS
    x_TNCHW = whole.x_TNCHW.reshape(steps, n, channels, height // b, b, width // b, b).sum((4, 6), dtype=np.uint8)
    return Split(x_TNCHW=x_TNCHW, y_N=whole.y_N, index_N=whole.index_N, info=whole.info)


def small_recordings() -> Split:
    """All recordings at the liquid's resolution, read from the data set once and kept."""
    path = KEPT / "recordings.safetensors"
    if not path.is_file():
        save_split(smaller(recordings(TIME_STEPS)), path)
    return load_split(path)


def main(names: list[str]) -> None:
    """Run what is missing of the variants asked for (default: all), then write the table of those that are whole.

    Raises:
        UserError: a variant that `VARIANTS` does not name.
    """
    for name in names:
        if name not in VARIANTS:
            raise unknown("variant", name, VARIANTS)
    liquid = settings()
    missing = [(name, fold) for name in names or VARIANTS for fold in range(FOLDS) if kept(liquid, name, fold) is None]
    if missing:
        whole = small_recordings()
        fold_N = folds(whole.y_N)

        def work(job: tuple[str, int], tick: Tick) -> None:
            variant, fold = job
            parts = split_of(whole, fold_N, fold)
            sides = [(torch.from_numpy(s.x_TNCHW), torch.from_numpy(s.y_N)) for s in (parts.train, parts.val, parts.test)]
            learning = replace(liquid.plasticity, **ABLATIONS[variant])
            seed = seed_of("nmnist_lsm", fold)
            run = recordings_trial(liquid, *sides, classes=10, seed=seed, online=False, learning=learning)
            write_json(_path(*job), {"settings": asdict(liquid), "metrics": run.metrics, "n_test": len(parts.test)})
            tick()

        run_jobs(work, missing, label="nmnist_lsm", total=1)
    found = {name: [entry for fold in range(FOLDS) if (entry := kept(liquid, name, fold)) is not None] for name in VARIANTS}
    table = {name: entry_of(runs) for name, runs in found.items() if len(runs) == FOLDS}
    data = {"time_steps": TIME_STEPS, "bin_pixels": BIN_PIXELS, "folds": FOLDS, "val_fraction": VAL_FRACTION, "seed": SEED}
    write_json(RESULT, {"command": "python -m experiments.nmnist_lsm", "data": data, "settings": asdict(liquid), "variants": table})


def kept(liquid: Liquid, variant: str, fold: int) -> dict[str, Any] | None:
    """What is there of a variant's fold with these settings."""
    path = _path(variant, fold)
    found: dict[str, Any] | None = read_json(path) if path.is_file() else None
    return found if found is not None and found["settings"] == asdict(liquid) else None


def entry_of(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Accuracy over all recordings, mean and spread over folds."""
    entry: dict[str, Any] = {"folds": [run["metrics"]["test/acc"] for run in runs]}
    for key in sorted(set.intersection(*(set(run["metrics"]) for run in runs))):
        entry[key], entry[f"{key}_sd"] = mean_sd(run["metrics"][key] for run in runs)
    right = sum(round(run["metrics"]["test/acc"] * run["n_test"]) for run in runs)
    n = sum(run["n_test"] for run in runs)
    return entry | {"right": right, "n": n, "pooled/acc": right / n}


def _path(variant: str, fold: int) -> Path:
    return KEPT / f"{variant}-fold{fold}.json"


if __name__ == "__main__":
    start(lambda: main(sys.argv[1:]))
