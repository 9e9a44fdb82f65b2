"""P4.1: activity regularisation by the synaptic-operation penalty, swept over its strength.

    python -m snn5.stages.p4_sparsify

Starts from P1's checkpoints (the slot of p6.data). Every strength is fine-tuned with every seed for the same number of epochs; strength 0
is the control. The strongest whose loss against it on validation, and a standard error of that, stay within p4.max_accuracy_loss is chosen.
Out: checkpoints/seed<k>.safetensors of the chosen strength, metrics.json, curves.csv.
"""

from dataclasses import replace
from itertools import product

import torch

from snn5 import checkpoint
from snn5.benchmark import measure
from snn5.compression import sparsify
from snn5.files import md5
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._near import near_ones
from snn5.stages._stage import Stage, main
from snn5.statistics import summarise
from snn5.training import evaluate, samples


def run(stage: Stage) -> Record:
    """Sweep, choose on validation, keep the chosen checkpoints."""
    settings, slot, seeds = stage.config.p4, stage.config.p6.data, stage.config.seeds
    strengths = sorted({0.0, *settings.strengths})
    splits, _ = read_splits(stage, slot)
    recipe = replace(getattr(stage.config.p1, slot), epochs=settings.epochs, lr=settings.lr, warmup_epochs=0)
    train, val = samples(splits.train), samples(splits.val)
    parents = {seed: stage.input(f"data/p1_train/sew_resnet-{slot}/checkpoints/seed{seed}.safetensors") for seed in seeds}

    def job(variant: tuple[float, int], tick: Tick) -> tuple[checkpoint.Checkpoint, Run]:
        strength, seed = variant
        sparse, result = sparsify(
            checkpoint.load(parents[seed]),
            train,
            val,
            recipe,
            strength=strength,
            ramp_fraction=settings.ramp_fraction,
            generator=torch.Generator().manual_seed(stage.seed(seed)),  # one order for all strengths
            parents={parents[seed].as_posix(): md5(parents[seed])},
            tick=tick,
            guard=False,
        )
        measured = measure(sparse, splits.test, seed=seed, protocol="last_epoch")
        metrics = {**measured.metrics(), "val/acc": evaluate(sparse.build(), val).accuracy}
        details = {"measurement": measured.to_json()}
        return sparse, Run(params={"seed": seed, "strength": strength}, metrics=metrics, curves=result.curves, details=details)

    variants = list(product(strengths, seeds))
    results = dict(zip(variants, run_jobs(job, variants, label=stage.name, total=settings.epochs), strict=True))
    rows = {s: [results[s, seed][1] for seed in seeds] for s in strengths}
    chosen = max(near_ones(rows, rows[0.0], settings.max_accuracy_loss, settings.standard_errors))  # strength 0 is near itself
    for seed in seeds:
        checkpoint.save(results[chosen, seed][0], stage.out / "checkpoints" / f"seed{seed}.safetensors")
    summary = {"chosen_strength": chosen}
    for s in strengths:
        summary |= summarise(rows[s], prefix=f"strength{s:g}/")
    summary |= summarise(rows[chosen])
    summary["cost/synops_ratio"] = summary["cost/synops"] / summary["strength0/cost/synops"]
    return Record(summary=summary, runs={f"strength{s:g}-seed{seed}": result for (s, seed), (_, result) in results.items()})


if __name__ == "__main__":
    main(run)
