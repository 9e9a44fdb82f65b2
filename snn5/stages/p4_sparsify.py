"""P4.1: activity regularisation by the synaptic-operation penalty, swept over its strength.

    python -m snn5.stages.p4_sparsify

Starts from P1's checkpoints (the slot of p6.data). Every strength is fine-tuned with every seed for the same number of epochs; strength 0
is the control. The strongest whose mean validation accuracy stays within p4.max_accuracy_loss of the control's is chosen.
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
from snn5.stages._stage import Stage, main
from snn5.statistics import mean_sd, summarise
from snn5.training import samples


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
        metrics = {**measured.metrics(), "val/acc": result.curves["val/acc"][-1][1]}
        details = {"measurement": measured.to_json()}
        return sparse, Run(params={"seed": seed, "strength": strength}, metrics=metrics, curves=result.curves, details=details)

    variants = list(product(strengths, seeds))
    results = dict(zip(variants, run_jobs(job, variants, label=stage.name, total=settings.epochs), strict=True))
    val_acc = {s: mean_sd(results[s, seed][1].metrics["val/acc"] for seed in seeds)[0] for s in strengths}
    chosen = max(s for s in strengths if val_acc[s] >= val_acc[0.0] - settings.max_accuracy_loss)
    for seed in seeds:
        checkpoint.save(results[chosen, seed][0], stage.out / "checkpoints" / f"seed{seed}.safetensors")
    summary = {"chosen_strength": chosen}
    for s in strengths:
        summary |= summarise([results[s, seed][1] for seed in seeds], prefix=f"strength{s:g}/")
    summary |= summarise(results[chosen, seed][1] for seed in seeds)
    summary["cost/synops_ratio"] = summary["cost/synops"] / summary["strength0/cost/synops"]
    return Record(summary=summary, runs={f"strength{s:g}-seed{seed}": result for (s, seed), (_, result) in results.items()})


if __name__ == "__main__":
    main(run)
