"""P3 to P6 on real recordings: what pruning, few bits, the cutoff and all of them together make of a network for N-MNIST.

    SNN5_DATA_ROOT=... python -m experiments.nmnist_chain

Data and folds: those of experiments.nmnist_folds (1100 recordings, T = 3, each tested once), with 15 % of each training side as validation.
Each fold trains a SEW-ResNet and its ReLU twin anew; then, each apart, on the network as trained: 90 % pruned in one shot from 10 samples a
class, 4 and 2 bits, the cutoff; and P6's chain (see snn5/stages/_chain.py) with the settings of experiments/nmnist_chain.yaml, which were
fixed before any test figure was seen. Validation chooses the cutoff's epsilon; trained steps keep the last epoch; test is read last.
Interrupt it at will: the same command goes on with the next fold. Out: experiments/results/nmnist_chain.json; the networks of every fold in
.cache/experiments/nmnist_chain/foldK.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from experiments._chain import ChainPlan, rival_epochs, row_of, settings_of, stopped, together
from experiments._start import start
from experiments.nmnist_folds import FOLDS, SEED, TIME_STEPS, folds, recordings, split_of
from experiments.nmnist_lsm import entry_of
from snn5 import checkpoint
from snn5._settings import read_yaml
from snn5.benchmark import measure
from snn5.checkpoint import Checkpoint
from snn5.compression import calibration_samples, prune, quantize
from snn5.datasets import Split, Splits
from snn5.files import read_json, write_json
from snn5.parallel import Tick, run_jobs
from snn5.reproducible import seed_of
from snn5.stages._chain import RIVALS, STEPS, recipe_of
from snn5.stages._chain_record import measured
from snn5.training import samples, train_one

VAL_FRACTION = 0.15
SETTINGS, RESULT = Path("experiments/nmnist_chain.yaml"), Path("experiments/results/nmnist_chain.json")
KEPT = Path(".cache/experiments/nmnist_chain")
USED = ("events", "lr", "ema_decay", "teacher_weight", "temperature", "calibration_per_class")  # of P6's settings
SINCE = {  # settings that were fixed before
    "teacher_precision": "fp32",
    "teacher_channels_last": False,
    "teacher_every_step": False,
    "prune_method": "sbc_sequential",
}


@dataclass(frozen=True, kw_only=True)
class Plan(ChainPlan):
    """What experiments/nmnist_chain.yaml says; `train` is the network's and its twin's recipe, too, `chain.events` are the epochs.

    Attributes:
        pruned: the share of zeros of the one-shot row. widths: bits of the rows.
    """

    pruned: float
    widths: Sequence[int]


def plan() -> Plan:
    """The settings."""
    raw = read_yaml(SETTINGS)
    return Plan(**settings_of(raw, SETTINGS), pruned=raw["pruned"], widths=raw["widths"])


def train_fold(asked: Plan, splits: Splits, fold: int, tick: Tick = lambda _text="": None) -> float:
    """All networks of one fold, kept by name; the seconds that one-shot pruning took."""
    seed = seed_of("nmnist_chain", fold)
    start, twin = (
        train_one(asked.train, splits, time_steps=TIME_STEPS, seed=seed, twin=is_twin, tick=tick, resume=KEPT / f"{fold}-{is_twin}.pt")[0]
        for is_twin in (False, True)
    )
    made, seconds = apart(asked, start, splits, seed)
    steps, anns = together(asked, asked.chain.events, start, twin, splits, seed, tick=tick)
    for name, one in {**steps, **anns, **made}.items():
        checkpoint.save(one, path_of(fold, name))
    return seconds


def rows_of(asked: Plan, test: Split, fold: int) -> dict[str, Any]:
    """What the networks of one fold give on its recordings: metrics by row, with the energy of those that have a twin with memory, too."""
    seed, names = seed_of("nmnist_chain", fold), (f"pruned {asked.pruned:g}", *(f"{bits} bits" for bits in asked.widths), "cutoff alone")
    steps, anns, made = ({name: checkpoint.load(path_of(fold, name)) for name in group} for group in (STEPS, RIVALS, names))
    rows = measured(steps, anns, test, seed) | {name: measure(one, test, seed=seed, protocol="val_selected") for name, one in made.items()}
    return {name: row_of(row) for name, row in rows.items()}


def path_of(fold: int, name: str) -> Path:
    """Where a network is kept."""
    return KEPT / f"fold{fold}" / f"{name.replace(' ', '_')}.safetensors"


def apart(asked: Plan, start: Checkpoint, splits: Splits, seed: int) -> tuple[dict[str, Checkpoint], float]:
    """Each technique by itself on the network as trained, and the seconds that one-shot pruning took."""
    train, val, draw = samples(splits.train), samples(splits.val), torch.Generator().manual_seed(seed)
    few = calibration_samples(splits.train, per_class=asked.chain.calibration_per_class, generator=draw)
    begun = time.perf_counter()
    made = {f"pruned {asked.pruned:g}": prune(start, few, sparsity=asked.pruned, method=asked.chain.prune_method)[0]}
    seconds = time.perf_counter() - begun
    tuned = recipe_of(asked.train, asked.chain, asked.chain.events.quantised_epochs)
    for bits in asked.widths:
        made[f"{bits} bits"] = quantize(start, train, val, tuned, bits=bits, generator=draw)[0]
    return made | {"cutoff alone": stopped(asked, start, splits, seed)}, seconds


def table_of(found: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows over the folds: mean and spread of each metric, and the accuracy over all recordings."""
    return {name: entry_of([fold[name] for fold in found]) for name in found[0]}


def used(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the networks depend on."""
    plan, chain = settings["plan"], settings["plan"]["chain"]
    own = {name: chain[name] for name in USED} | {name: chain.get(name, before) for name, before in SINCE.items()}
    return {**settings, "plan": {**plan, "calibrated": plan.get("calibrated"), "chain": own}}


def main() -> None:
    """Train the folds that are missing, measure all, then write the table."""
    asked = plan()
    settings = {"plan": asdict(asked), "val_fraction": VAL_FRACTION, "time_steps": TIME_STEPS, "folds": FOLDS, "seed": SEED}

    def kept(fold: int) -> dict[str, Any] | None:
        path = KEPT / f"fold{fold}.json"
        found: dict[str, Any] | None = read_json(path) if path.is_file() else None
        return found if found is not None and used(found["settings"]) == used(settings) else None

    whole = recordings()
    fold_N = folds(whole.y_N)

    def work(fold: int, tick: Tick) -> None:
        seconds = train_fold(asked, split_of(whole, fold_N, fold, val_fraction=VAL_FRACTION), fold, tick)
        write_json(KEPT / f"fold{fold}.json", {"settings": settings, "seconds": seconds})

    def look(fold: int, tick: Tick) -> dict[str, Any]:
        rows = rows_of(asked, split_of(whole, fold_N, fold, val_fraction=VAL_FRACTION).test, fold)
        tick()
        return rows

    if missing := [fold for fold in range(FOLDS) if kept(fold) is None]:
        effort = asked.chain.events
        total = 2 * asked.train.epochs + effort.epochs + effort.quantised_epochs + 2 * rival_epochs(effort)
        run_jobs(work, missing, label="nmnist_chain", total=total)
    table = table_of(run_jobs(look, range(FOLDS), label="nmnist_chain measured", total=1))
    rows = {"rows": table, "prune_seconds": [one["seconds"] for fold in range(FOLDS) if (one := kept(fold)) is not None]}
    write_json(RESULT, {"command": "python -m experiments.nmnist_chain", "settings": settings} | rows)


if __name__ == "__main__":
    start(main)
