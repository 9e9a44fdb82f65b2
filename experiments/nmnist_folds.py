"""P1 and P2 on real recordings: every family on N-MNIST, five-fold cross-validation.

    SNN5_DATA_ROOT=... python -m experiments.nmnist_folds [FAMILY ...]

Data: all recordings of the N-MNIST folder (here the first 1000 of Train and 100 of Test, pooled), three slices of equal length (one per
saccade). Folds: by class, from a seed; each recording is tested exactly once, by networks that never saw
it. 5 % of each training side is validation; it only picks `test/acc`'s epoch. The headline is the last epoch's accuracy.
Interrupt and start it again at will: finished folds are kept in .cache/experiments, a fold in mid-training resumes.
Out: experiments/results/nmnist_folds.json.
"""

import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from snn5._settings import parse, read_yaml
from snn5.config import Contrast, Train
from snn5.datasets import Split, Splits, load
from snn5.errors import UserError, unknown
from snn5.files import find_root, read_json, write_json
from snn5.parallel import Tick, run_jobs
from snn5.reproducible import keep_memory, seed_of
from snn5.statistics import mean_sd
from snn5.training import train_one

FOLDS, TIME_STEPS, VAL_FRACTION, SEED = 5, 3, 0.05, 5
HERE = Path("experiments")
SETTINGS, RESULT, KEPT = HERE / "nmnist_folds.yaml", HERE / "results" / "nmnist_folds.json", Path(".cache/experiments/nmnist_folds")


def recordings() -> Split:
    """All recordings as one split."""
    parts = load("nmnist", time_steps=TIME_STEPS)
    sides = (parts.train, parts.val, parts.test)
    order = np.argsort(np.concatenate([s.index_N for s in sides]), kind="stable")
    x_TNCHW = np.concatenate([s.x_TNCHW for s in sides], axis=1)[:, order]
    y_N, index_N = (np.concatenate([getattr(s, key) for s in sides])[order] for key in ("y_N", "index_N"))
    return Split(x_TNCHW=x_TNCHW, y_N=y_N, index_N=index_N, info=parts.train.info)


def folds(y_N: np.ndarray, seed: int = SEED) -> np.ndarray:
    """The fold that tests each recording: classes shuffled, then dealt out in turn."""
    fold_N = np.empty(len(y_N), np.int64)
    for label in np.unique(y_N):
        members = np.random.default_rng([seed, int(label)]).permutation(np.flatnonzero(y_N == label))
        fold_N[members] = (np.arange(len(members)) + int(label)) % FOLDS
    return fold_N


def split_of(whole: Split, fold_N: np.ndarray, fold: int) -> Splits:
    """Train, validation and test of one fold."""

    def take(where: np.ndarray) -> Split:
        return Split(x_TNCHW=whole.x_TNCHW[:, where], y_N=whole.y_N[where], index_N=whole.index_N[where], info=whole.info)

    test, rest = np.flatnonzero(fold_N == fold), np.flatnonzero(fold_N != fold)
    rest = np.random.default_rng([SEED, FOLDS + fold]).permutation(rest)
    held = round(VAL_FRACTION * len(rest))
    return Splits(train=take(np.sort(rest[held:])), val=take(np.sort(rest[:held])), test=take(test))


def main(names: list[str]) -> None:
    """Train what is missing, then write the table.

    Raises:
        UserError: a family that experiments/nmnist_folds.yaml does not name.
    """
    raw = read_yaml(SETTINGS)
    base = parse(Train, raw["train"], f"{SETTINGS}: train")
    families = parse(Contrast, {"variants": raw["families"]}, str(SETTINGS)).variants_of(base)
    for name in names:
        if name not in families:
            raise unknown("family", name, families, f"(named in {SETTINGS})")
    whole = recordings()
    fold_N = folds(whole.y_N)
    jobs = [(name, fold) for fold in range(FOLDS) for name in (names or families)]
    todo = [job for job in jobs if not _kept(*job, families[job[0]])]

    def job(which: tuple[str, int], tick: Tick) -> None:
        name, fold = which
        resume = KEPT / f"{name}-fold{fold}.pt"
        _, run = train_one(
            families[name],
            split_of(whole, fold_N, fold),
            time_steps=TIME_STEPS,
            seed=seed_of("nmnist_folds", name, fold),
            tick=tick,
            resume=resume,
        )
        found = {"settings": _plain(families[name]), "params": run.params, "metrics": run.metrics, "rates": run.details["rates"]}
        write_json(_path(name, fold), found)

    if todo:
        run_jobs(job, todo, label="nmnist_folds", total=max(families[name].epochs for name, _ in todo))
    write_json(RESULT, _table(families, whole))


def _table(families: dict[str, Train], whole: Split) -> dict[str, Any]:
    """Families whose folds are all there: accuracy over all recordings, mean and spread over folds."""
    found = {}
    for name, settings in families.items():
        if all(_kept(name, fold, settings) for fold in range(FOLDS)):
            runs = [read_json(_path(name, fold)) for fold in range(FOLDS)]
            metrics = [run["metrics"] for run in runs]
            entry: dict[str, Any] = {"settings": _plain(settings), "folds": [m["test/acc_last"] for m in metrics]}
            for key in sorted(set.intersection(*map(set, metrics))):
                entry[key], entry[f"{key}_sd"] = mean_sd(m[key] for m in metrics)
            sizes = [run["params"]["n_test"] for run in runs]
            right = sum(round(m["test/acc_last"] * n) for m, n in zip(metrics, sizes, strict=True))
            found[name] = entry | {"right": right, "n": sum(sizes), "pooled/acc_last": right / sum(sizes)}
    data = {
        "recordings": len(whole),
        "time_steps": TIME_STEPS,
        "folds": FOLDS,
        "val_fraction": VAL_FRACTION,
        "seed": SEED,
    }
    return {"command": "python -m experiments.nmnist_folds", "data": data, "families": found}


def _path(name: str, fold: int) -> Path:
    return KEPT / f"{name}-fold{fold}.json"


def _kept(name: str, fold: int, settings: Train) -> bool:
    """Whether this fold was finished with these settings."""
    return _path(name, fold).is_file() and read_json(_path(name, fold))["settings"] == _plain(settings)


def _plain(settings: Train) -> dict[str, Any]:
    return {f.name: getattr(settings, f.name) for f in fields(settings)}


if __name__ == "__main__":
    try:
        os.chdir(find_root())
        keep_memory()
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
