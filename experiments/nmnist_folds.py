"""P1 and P2 on real recordings: every family on N-MNIST, five-fold cross-validation.

    SNN5_DATA_ROOT=... python -m experiments.nmnist_folds [FAMILY ...]

Data: all recordings of the N-MNIST folder (here the first 1000 of Train and 100 of Test, pooled), three slices of equal length (one per
saccade); a family whose name ends in `_still` sees them with the camera's saccades taken out (experiments/_saccades.py). Folds: by class,
from a seed; each recording is tested exactly once, by a network that never saw it. 5 % of each training side is validation; it only picks
the epoch of `test/acc`. The headline is the last epoch's accuracy, which nothing picked. The suite's figures (operations, energy, bytes,
time reversed) are of the picked epoch's network, of the folds in MEASURED.
Interrupt it at will: the same command goes on. Out: experiments/results/nmnist_folds.json.
"""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments._recorded import Job, recorded, results
from experiments._saccades import held_still
from experiments._start import start
from snn5._settings import parse, read_yaml
from snn5.config import Contrast, Train
from snn5.datasets import Split, Splits, load
from snn5.datasets._nmnist import FILES, read_nmnist
from snn5.datasets._registry import Request
from snn5.datasets._root import data_root
from snn5.datasets._source import Change
from snn5.errors import unknown
from snn5.files import write_json
from snn5.statistics import mean_sd

MEASURED = (0,)
FOLDS, TIME_STEPS, VAL_FRACTION, SEED = 5, 3, 0.05, 5
SETTINGS, RESULT = Path("experiments/nmnist_folds.yaml"), Path("experiments/results/nmnist_folds.json")


def recordings(time_steps: int = TIME_STEPS, change: Change | None = None) -> Split:
    """All recordings as one split, in the order of their files; each after `change`, if there is one."""
    parts = load("nmnist", time_steps=time_steps)
    sides = (parts.train, parts.val, parts.test)
    order = np.argsort(np.concatenate([s.index_N for s in sides]), kind="stable")
    x_TNCHW = np.concatenate([s.x_TNCHW for s in sides], axis=1)[:, order]
    y_N, index_N = (np.concatenate([getattr(s, key) for s in sides])[order] for key in ("y_N", "index_N"))
    if change:
        source = read_nmnist(Request(root=data_root(None, "nmnist", FILES), time_steps=time_steps))
        assert source.vary
        x_TNCHW = np.stack([source.vary(int(i), change)[0] for i in index_N], axis=1)
    return Split(x_TNCHW=x_TNCHW, y_N=y_N, index_N=index_N, info=parts.train.info)


def folds(y_N: np.ndarray, seed: int = SEED) -> np.ndarray:
    """The fold that tests each recording: each class shuffled, then dealt out in turn."""
    fold_N = np.empty(len(y_N), np.int64)
    for label in np.unique(y_N):
        members = np.random.default_rng([seed, int(label)]).permutation(np.flatnonzero(y_N == label))
        fold_N[members] = (np.arange(len(members)) + int(label)) % FOLDS
    return fold_N


def split_of(whole: Split, fold_N: np.ndarray, fold: int, *, val_fraction: float = VAL_FRACTION) -> Splits:
    """Train, validation and test of one fold."""

    def take(where: np.ndarray, side: str) -> Split:
        info = whole.info | {"split": side}
        return Split(x_TNCHW=whole.x_TNCHW[:, where], y_N=whole.y_N[where], index_N=whole.index_N[where], info=info)

    test, rest = np.flatnonzero(fold_N == fold), np.flatnonzero(fold_N != fold)
    rest = np.random.default_rng([SEED, FOLDS + fold]).permutation(rest)
    held = round(val_fraction * len(rest))
    return Splits(train=take(np.sort(rest[held:]), "train"), val=take(np.sort(rest[:held]), "val"), test=take(test, "test"))


def families() -> dict[str, Train]:
    """The recipe of each family."""
    raw = read_yaml(SETTINGS)
    base = parse(Train, raw["train"], f"{SETTINGS}: train")
    made: Contrast = parse(Contrast, {"variants": raw["families"]}, str(SETTINGS))
    return made.variants_of(base)


def change_of(family: str) -> Change | None:
    """What a family does to the recordings before it counts their events: `_still` at the end of its name holds them still."""
    return held_still if family.endswith("_still") else None


def main(names: list[str]) -> None:
    """Train the families asked for (default: all) that the table does not have with these settings and the suite's figures; put them there.

    Raises:
        UserError: a family that experiments/nmnist_folds.yaml does not name.
    """
    recipes = families()
    for name in names:
        if name not in recipes:
            raise unknown("family", name, recipes, f"(named in {SETTINGS})")
    moving = recordings()
    fold_N = folds(moving.y_N)
    data = {"recordings": len(moving), "time_steps": TIME_STEPS, "folds": FOLDS, "val_fraction": VAL_FRACTION, "seed": SEED}
    table = recorded(RESULT, "families", {name: asdict(recipe) for name, recipe in recipes.items()}, data=data)
    missing = [name for name in names or recipes if "cost/synops" not in table.get(name, {})]
    seen = {change: recordings(change=change) if change else moving for change in {change_of(name) for name in missing}}
    jobs = {
        f"{name}-fold{fold}": Job(
            settings=recipes[name],
            splits=partial(split_of, seen[change_of(name)], fold_N, fold),
            time_steps=TIME_STEPS,
            seed=(name, fold),
            suite=fold in MEASURED,
        )
        for fold in range(FOLDS)
        for name in missing
    }
    found = results("nmnist_folds", jobs)
    table |= {name: _entry(recipes[name], [found[f"{name}-fold{fold}"] for fold in range(FOLDS)]) for name in missing}
    write_json(RESULT, {"command": "python -m experiments.nmnist_folds", "data": data, "families": table})


def _entry(settings: Train, runs: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Accuracy over all recordings, mean and spread over folds."""
    metrics, sizes = [run["metrics"] for run in runs], [run["params"]["n_test"] for run in runs]
    entry: dict[str, Any] = {"settings": asdict(settings), "folds": [m["test/acc_last"] for m in metrics]}
    for key in sorted(set.union(*map(set, metrics))):
        entry[key], entry[f"{key}_sd"] = mean_sd(m[key] for m in metrics if key in m)
    entry["suite_folds"] = sum("cost/synops" in m for m in metrics)
    right = sum(round(m["test/acc_last"] * n) for m, n in zip(metrics, sizes, strict=True))
    return entry | {"right": right, "n": sum(sizes), "pooled/acc_last": right / sum(sizes)}


if __name__ == "__main__":
    start(lambda: main(sys.argv[1:]))
