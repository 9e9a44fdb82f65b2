"""P4.3: one-shot pruning of P1's networks (the slot of p6.data) with the membrane's Hessian, against magnitude pruning.

    python -m snn5.stages.p4_prune

Every method prunes to every sparsity from the same calibration samples (training samples, p4_prune.samples_per_class of each class), with
the same number of weights in each layer and without training. The largest sparsity at which the loss of `sbc_sequential` on validation,
and a standard error of it, stay within p4.max_accuracy_loss is chosen (else the smallest). Distances are on validation samples.
Claim (Shi et al. 2025): at most 1.5 points lost at 90 %, far above magnitude pruning. Expected on the digits, 3 seeds, n = 450: 0.2
points lost at 85 %, 0.4 at 90 %, where magnitude pruning has 77 and 39 % left. 75 s of one core.
Out: checkpoints/seed<k>.safetensors of the chosen sparsity, metrics.json, curves.csv (empty: nothing is trained).
"""

from itertools import product

import torch

from snn5 import checkpoint
from snn5.benchmark import measure
from snn5.checkpoint import Checkpoint
from snn5.compression import calibration_samples, prune_many, spike_distance
from snn5.files import md5
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._near import near_ones
from snn5.stages._stage import Stage, main
from snn5.statistics import summarise
from snn5.training import evaluate, samples

DENSE, OWN = ("dense", 0.0), "sbc_sequential"
METHODS = (OWN, "sbc", "magnitude")
RATIOS = (("synops", "cost/synops"), ("nnz", "model/params_nnz"))


def run(stage: Stage) -> Record:
    """Prune, choose on validation, keep the chosen checkpoints."""
    settings, slot, seeds = stage.config.p4_prune, stage.config.p6.data, stage.config.seeds
    splits, parents = read_splits(stage, slot)
    paths = {seed: stage.input(f"data/p1_train/sew_resnet-{slot}/checkpoints/seed{seed}.safetensors") for seed in seeds}
    variants, val = list(product(METHODS, sorted(settings.sparsities))), samples(splits.val)

    def job(seed: int, tick: Tick) -> dict[str, tuple[Checkpoint, Run]]:
        dense, files = checkpoint.load(paths[seed]), parents | {paths[seed].as_posix(): md5(paths[seed])}
        draw = torch.Generator().manual_seed(stage.seed(seed))
        few = calibration_samples(splits.train, per_class=settings.samples_per_class, generator=draw)
        done: dict[str, tuple[Checkpoint, Run]] = {}
        reports = [(dense, None), *prune_many(dense, few, variants, parents=files)]
        for (method, sparsity), (made, report) in zip([DENSE, *variants], reports, strict=True):
            measured = measure(made, splits.test, seed=seed, protocol="val_selected")
            run = Run(params={"seed": seed, "method": method, "sparsity": sparsity, "n_test": measured.n, "n_calibration": len(few)})
            run.metrics = measured.metrics() | {"val/acc": evaluate(made.build(), val).accuracy}
            run.details = {"measurement": measured.to_json()}
            if report is not None:
                run.metrics |= {"prune/sparsity": report.sparsity, "prune/distance": spike_distance(dense, made, val)}
                run.details["prune"] = report.to_json()
            done[f"{method}-{sparsity:g}"] = made, run
            tick()
        return done

    results = dict(zip(seeds, run_jobs(job, seeds, label=stage.name, total=1 + len(variants)), strict=True))
    rows = {name: [results[seed][name][1] for seed in seeds] for name in results[seeds[0]]}
    limits = (stage.config.p4.max_accuracy_loss, stage.config.p4.standard_errors)
    within = near_ones({s: rows[f"{OWN}-{s:g}"] for s in settings.sparsities}, rows["dense-0"], *limits)
    chosen = max(within, default=min(settings.sparsities))
    for seed in seeds:
        checkpoint.save(results[seed][f"{OWN}-{chosen:g}"][0], stage.out / "checkpoints" / f"seed{seed}.safetensors")
    summary = {"chosen_sparsity": chosen, "sparsities_within_limit": float(len(within))} | summarise(rows[f"{OWN}-{chosen:g}"])
    for name, own in rows.items():
        summary |= summarise(own, prefix=f"{name}/")
    summary |= {f"prune/{key}_ratio": summary[name] / summary[f"dense-0/{name}"] for key, name in RATIOS}
    summary["prune/acc_change"] = summary["test/acc"] - summary["dense-0/test/acc"]
    return Record(summary=summary, runs={f"{name}-seed{seed}": results[seed][name][1] for name in rows for seed in seeds})


if __name__ == "__main__":
    main(run)
