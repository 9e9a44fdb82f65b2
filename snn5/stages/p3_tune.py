"""P3.1: an Optuna study with Hyperband on the network of P1, then its best point trained anew with every seed.

    python -m snn5.stages.p3_tune

The study sees train and validation only. Out: checkpoints/seed<k>.safetensors, metrics.json (a run per trial and per seed), curves.csv.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from optuna.trial import TrialState

from snn5 import checkpoint
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main
from snn5.statistics import summarise
from snn5.training import samples, train_one
from snn5.tuning import Budget, Objective, apply, best, open_storage, point_of, search


def run(stage: Stage) -> Record:
    """Search, then retrain."""
    tuning = stage.config.p3
    settings = getattr(stage.config.p1, tuning.data)
    time_steps = getattr(stage.config.data, tuning.data).time_steps
    splits, parents = read_splits(stage, tuning.data)
    x_TNCHW, info = splits.train.x_TNCHW, splits.train.info
    shape = {
        "in_channels": x_TNCHW.shape[2],
        "num_classes": int(info["num_classes"]),
        "image_size": x_TNCHW.shape[-1],
        "time_steps": time_steps,
    }
    objective = Objective(settings, shape, samples(splits.train), samples(splits.val), epochs=tuning.max_epochs, seed=stage.seed("study"))
    key = hashlib.sha256(json.dumps([asdict(settings), asdict(tuning), shape, parents], sort_keys=True).encode()).hexdigest()[:12]
    budget = Budget(trials=tuning.trials, max_epochs=tuning.max_epochs, reduction_factor=tuning.reduction_factor)

    def study_job(_: None, tick: Tick) -> Any:
        name, storage = f"{stage.name}-{key}", open_storage(stage.root)
        return search(objective, name=name, storage=storage, budget=budget, seed=tuning.seed, first=point_of(settings), tick=tick)

    [study] = run_jobs(study_job, [None], label=f"{stage.name} trials", total=tuning.trials)
    chosen = best(study)
    point = chosen.user_attrs["point"]
    tuned = apply(settings, point, settings.epochs)

    def job(seed: int, tick: Tick) -> tuple[checkpoint.Checkpoint, Run]:
        return train_one(tuned, splits, time_steps=time_steps, seed=stage.seed(seed), parents=parents, tick=tick)

    results = run_jobs(job, stage.config.seeds, label=f"{stage.name} best point", total=tuned.epochs)
    runs = {f"trial{t.number:03d}": _trial(t) for t in study.get_trials()}
    seeds = {}
    for seed, (trained, result) in zip(stage.config.seeds, results, strict=True):
        checkpoint.save(trained, stage.out / "checkpoints" / f"seed{seed}.safetensors")
        result.params |= {"seed": seed, **point}
        seeds[f"seed{seed}"] = result
    states = [t.state for t in study.get_trials()]
    summary = {
        **summarise(seeds.values()),
        "study/val_acc": float(chosen.value or 0.0),
        "study/complete": float(states.count(TrialState.COMPLETE)),
        "study/pruned": float(states.count(TrialState.PRUNED)),
        "study/epochs": float(sum(len(t.intermediate_values) for t in study.get_trials())),
        "study/epochs_unpruned": float(len(states) * tuning.max_epochs),
    }
    return Record(summary=summary, runs=runs | seeds, details={"point": point, "trial": chosen.number, "study": study.study_name})


def _trial(trial: Any) -> Run:
    values = sorted(trial.intermediate_values.items())
    params = {**trial.user_attrs.get("point", {}), "state": trial.state.name, "stopped": trial.user_attrs.get("stopped", "")}
    return Run(params=params, metrics={"val/acc": values[-1][1]} if values else {}, curves={"val/acc": values})


if __name__ == "__main__":
    main(run)
