"""P6: the roadmap's techniques on one network, step by step, judged against the ANN.

    python -m snn5.stages.p6_integrate

P3's tuned network, then P4.1's sparsity at the strength P4 chose, then P5.1's cutoff at the epsilon P5 chose; each step is measured on
test, so that the table says what each brought. Every ingredient is resolved to the MLflow run that made its bytes and checked against
dvc.lock; the lineage is logged on this stage's own run. TTFS (P2.3), quantisation (P4.2) and pruning (P4.3) are not in the chain yet.
Out: checkpoints/seed<k>.safetensors (the final networks), metrics.json, curves.csv.
"""

from dataclasses import replace

import torch

from snn5 import checkpoint
from snn5.benchmark import Measurement, compare, measure
from snn5.compression import sparsify
from snn5.files import read_json
from snn5.inference import calibrate_cutoff
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main
from snn5.statistics import summarise
from snn5.training import samples

STEPS = ("tuned", "sparse", "cutoff")


def run(stage: Stage) -> Record:
    """Compose, measure after each step, judge."""
    slot, seeds = stage.config.p6.data, stage.config.seeds
    strength = read_json(stage.ingredient("data/p4_sparsify/metrics.json").file)["summary"]["chosen_strength"]
    epsilon = read_json(stage.ingredient(f"data/p5_cutoff/{slot}/metrics.json").file)["summary"]["chosen_epsilon"]
    tuned = {s: stage.ingredient(f"data/p3_tune/checkpoints/seed{s}.safetensors") for s in seeds}
    twins = {s: stage.ingredient(f"data/p1_train/ann_twin-{slot}/checkpoints/seed{s}.safetensors") for s in seeds}
    splits, files = read_splits(stage, slot)
    p4 = stage.config.p4
    recipe = replace(getattr(stage.config.p1, slot), epochs=p4.epochs, lr=p4.lr, warmup_epochs=0)
    train, val = samples(splits.train), samples(splits.val)

    def job(seed: int, tick: Tick) -> tuple[checkpoint.Checkpoint, dict[str, Measurement]]:
        start = checkpoint.load(tuned[seed].file)
        draw, made_of = torch.Generator().manual_seed(stage.seed(seed)), {tuned[seed].path: tuned[seed].md5}
        sparse, _ = sparsify(
            start, train, val, recipe, strength=strength, ramp_fraction=p4.ramp_fraction, generator=draw, parents=made_of, tick=tick
        )
        others = splits.val, splits.test
        final = calibrate_cutoff(sparse, splits.train, epsilon=epsilon, seed=stage.seed(seed), keep_out=others, parents=files)
        ann = measure(checkpoint.load(twins[seed].file), splits.test, seed=seed, protocol="val_selected")
        found = {"ann": ann}
        for step, made in zip(STEPS, (start, sparse, final), strict=True):
            # One protocol for all rows: tuned has the epoch best on validation, sparse the last of a run whose strength validation chose.
            found[step] = compare(measure(made, splits.test, seed=seed, protocol="val_selected"), ann)
        return final, found

    results = dict(zip(seeds, run_jobs(job, seeds, label=stage.name, total=p4.epochs), strict=True))
    runs: dict[str, Run] = {}
    summary = {"strength": strength, "epsilon": epsilon}
    for step in ("ann", *STEPS):
        own = {seed: results[seed][1][step] for seed in seeds}
        rows = {
            f"{step}-seed{seed}": Run(params={"seed": seed, "step": step}, metrics=m.metrics(), details=m.to_json())
            for seed, m in own.items()
        }
        runs |= rows
        summary |= summarise(rows.values(), prefix=f"{step}/")
    for seed in seeds:
        checkpoint.save(results[seed][0], stage.out / "checkpoints" / f"seed{seed}.safetensors")
    summary |= {name.removeprefix("cutoff/"): value for name, value in summary.items() if name.startswith("cutoff/")}
    target = stage.config.p6.target_ratio
    summary |= {"target/ratio": target, "target/reached": float(summary["cost/ratio_ann_dense"] <= target)}
    return Record(summary=summary, runs=runs)


if __name__ == "__main__":
    main(run)
