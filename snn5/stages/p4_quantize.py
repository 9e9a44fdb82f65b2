"""P4.2: quantisation-aware training (QUEST-style: LSQ on a device's grid, energy term) beside rounding to nearest.

    python -m snn5.stages.p4_quantize

Starts from P1's checkpoints (the slot of p6.data). Every width is trained with every seed for the same epochs, the last of which counts;
the fewest bits whose mean validation accuracy stays within p4.max_accuracy_loss of the float parents' are chosen (else the most bits).
Claim: 4 bits cost at most 0.5 points of test accuracy, 2 bits at most 2.
Expected, 3 seeds, n = 450: 4 bits -0.2 (sd 1.0), 2 bits 0.1 (sd 0.5), rounding alone at 2 bits 6.1 (sd 5.8) points lost. 41 s of one core.
Out: checkpoints/seed<k>.safetensors and packed/seed<k>.safetensors of the chosen width, metrics.json, curves.csv.
"""

from dataclasses import replace
from functools import partial
from itertools import product

import torch

from snn5 import checkpoint
from snn5.benchmark import measure
from snn5.checkpoint import Checkpoint
from snn5.compression import Scheme, pack, quantize, round_to_nearest
from snn5.files import md5, write_bytes
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main
from snn5.statistics import mean_sd, summarise
from snn5.training import evaluate, samples


def run(stage: Stage) -> Record:
    """Round and train at every width, choose on validation, keep the chosen checkpoints."""
    settings, slot, seeds = stage.config.p4_quantize, stage.config.p6.data, stage.config.seeds
    scheme = Scheme(grid=settings.grid, scale=settings.scale, edge_bits=settings.edge_bits)
    splits, _ = read_splits(stage, slot)
    recipe = replace(getattr(stage.config.p1, slot), epochs=settings.epochs, lr=settings.lr, warmup_epochs=0)
    train, val = samples(splits.train), samples(splits.val)
    paths = {seed: stage.input(f"data/p1_train/sew_resnet-{slot}/checkpoints/seed{seed}.safetensors") for seed in seeds}

    def job(variant: tuple[str, int, int], tick: Tick) -> tuple[Checkpoint, Run]:
        method, bits, seed = variant
        made, parents = checkpoint.load(paths[seed]), {paths[seed].as_posix(): md5(paths[seed])}
        curves: dict[str, list[tuple[int, float]]] = {}
        if method == "qat":
            draws = torch.Generator().manual_seed(stage.seed(seed))  # one order for all widths
            train_it = partial(quantize, made, train, val, recipe, scheme=scheme, energy_weight=settings.energy_weight, guard=False)
            made, result = train_it(bits=bits, generator=draws, parents=parents, tick=tick)
            curves = result.curves
        elif method == "rtn":
            made = round_to_nearest(made, bits, scheme=scheme, parents=parents)
        for _ in range(0 if curves else settings.epochs):
            tick()
        measured = measure(made, splits.test, seed=seed, protocol="val_selected")
        size = paths[seed].stat().st_size if method == "float" else len(pack(made))
        metrics = {**measured.metrics(), "val/acc": evaluate(made.build(), val).accuracy, "model/file_bytes": float(size)}
        params = {"seed": seed, "method": method, "bits": bits, "n_test": measured.n}
        return made, Run(params=params, metrics=metrics, curves=curves, details={"measurement": measured.to_json()})

    variants = [*product(["float"], [32], seeds), *product(["rtn", "qat"], sorted(settings.bits), seeds)]
    done = dict(zip(variants, run_jobs(job, variants, label=stage.name, total=settings.epochs), strict=True))
    groups = {f"{method}{bits}": [done[method, bits, seed][1] for seed in seeds] for method, bits, _ in variants}
    val_acc = {name: mean_sd(r.metrics["val/acc"] for r in group)[0] for name, group in groups.items()}
    within = [b for b in settings.bits if val_acc[f"qat{b}"] >= val_acc["float32"] - stage.config.p4.max_accuracy_loss]
    chosen = min(within, default=max(settings.bits))
    for seed in seeds:
        made = done["qat", chosen, seed][0]
        checkpoint.save(made, stage.out / "checkpoints" / f"seed{seed}.safetensors")
        write_bytes(stage.out / "packed" / f"seed{seed}.safetensors", pack(made))
    for group in groups.values():
        for own, parent in zip(group, groups["float32"], strict=True):
            own.metrics["compare/acc_loss"] = parent.metrics["test/acc"] - own.metrics["test/acc"]
            own.metrics["compare/bytes_ratio"] = own.metrics["model/bytes"] / parent.metrics["model/bytes"]
    summary = summarise(groups[f"qat{chosen}"]) | {"chosen_bits": float(chosen), "bits_within_limit": float(len(within))}
    for name, group in groups.items():
        summary |= summarise(group, prefix=f"{name}/")
    return Record(summary=summary, runs={f"{m}{b}-seed{seed}": result for (m, b, seed), (_, result) in done.items()})


if __name__ == "__main__":
    main(run)
