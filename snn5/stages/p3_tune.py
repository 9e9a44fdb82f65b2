"""P3.1: an Optuna study with successive halving (ASHA) on the network of P1, then its best point trained anew with every seed; and a
second study of two goals, validation accuracy and synaptic operations, whose Pareto front says what an operation is worth.

    python -m snn5.stages.p3_tune

Both studies see train and validation only. Expected: at most half of the 108 epochs spent; no gain over P1's point on test.
With p3.workers above 1 several processes share each study, and the trials differ from run
to run.
Out: checkpoints/seed<k>.safetensors, metrics.json (a run per trial and per seed), curves.csv.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from snn5 import checkpoint
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main
from snn5.stages._tune import study_summary, trial_runs
from snn5.statistics import summarise
from snn5.training import samples, train_one
from snn5.tuning import RATES, Budget, Objective, Plan, Tradeoff, apply, best, front, point_of, run_plans


def run(stage: Stage) -> Record:
    """Search twice, then retrain."""
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
    given, seed = (settings, shape, samples(splits.train), samples(splits.val)), stage.seed("study")
    of = [asdict(settings), asdict(tuning), shape, parents, "asha"]  # a study of other rules is another study
    key = hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:12]
    plans = [
        Plan(
            name=f"{stage.name}-{key}",
            objective=Objective(*given, epochs=tuning.max_epochs, seed=seed),
            budget=Budget(trials=tuning.trials, max_epochs=tuning.max_epochs, reduction_factor=tuning.reduction_factor),
            first=point_of(settings),
        ),
        Plan(
            name=f"{stage.name}-tradeoff-{key}",
            objective=Tradeoff(*given, epochs=tuning.tradeoff_epochs, seed=seed),
            budget=Budget(trials=tuning.tradeoff_trials, max_epochs=tuning.tradeoff_epochs, prune=False),
            first=point_of(settings),
            goals=("maximize", "minimize"),
        ),
    ]
    studies = run_plans(plans, root=stage.root, seed=tuning.seed, workers=tuning.workers, label=f"{stage.name} trials")
    chosen = best(studies[0])
    point = chosen.user_attrs["point"]
    tuned, strength = apply(settings, point, settings.epochs), point["rate_penalty"]

    def job(seed: int, tick: Tick) -> tuple[checkpoint.Checkpoint, Run]:
        how: dict[str, Any] = {"time_steps": time_steps, "seed": stage.seed(seed), "parents": parents, "tick": tick}
        return train_one(tuned, splits, regulariser=RATES, strength=strength, **how)

    results = run_jobs(job, stage.config.seeds, label=f"{stage.name} best point", total=tuned.epochs)
    seeds = {}
    for number, (trained, result) in zip(stage.config.seeds, results, strict=True):
        checkpoint.save(trained, stage.out / "checkpoints" / f"seed{number}.safetensors")
        result.params |= {"seed": number, **point}
        seeds[f"seed{number}"] = result
    summary = {**summarise(seeds.values()), "study/val_acc": float(chosen.value or 0.0), **study_summary(studies, tuning.max_epochs)}
    details = {"point": point, "trial": chosen.number, "study": plans[0].name, "front": [t.number for t in front(studies[1])]}
    return Record(summary=summary, runs=trial_runs(studies) | seeds, details=details)


if __name__ == "__main__":
    main(run)
