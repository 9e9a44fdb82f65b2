"""P4.2: quantisation-aware training (QUEST-style: LSQ on a device's grid, energy term) beside rounding to nearest.

    python -m snn5.stages.p4_quantize

Starts from P1's checkpoints (the slot of p6.data). Every width is trained for the same epochs, the last of which counts; the fewest bits
whose loss on validation, and a standard error of it, stay within p4.max_accuracy_loss are chosen (else the most). `mint` has one
power-of-two step for a layer and its potentials, so that integers alone run it. Claim: at most 0.5 points of test accuracy lost at 4 bits,
2 at 2. Out: checkpoints/ and packed/seed<k>.safetensors of the chosen width, metrics.json, curves.csv.
"""

from dataclasses import replace
from functools import partial
from itertools import product

import torch

from snn5 import checkpoint
from snn5.benchmark import measure
from snn5.compression import Scheme, pack, quantize, round_to_nearest
from snn5.files import md5, write_bytes
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._near import near_ones
from snn5.stages._stage import Stage, main
from snn5.statistics import summarise
from snn5.training import evaluate, samples


def run(stage: Stage) -> Record:
    """Round and train at every width, choose on validation, keep the chosen checkpoints."""
    settings, slot, seeds = stage.config.p4_quantize, stage.config.p6.data, stage.config.seeds
    limits = (stage.config.p4.max_accuracy_loss, stage.config.p4.standard_errors)
    scheme = Scheme(grid=settings.grid, scale=settings.scale, edge_bits=settings.edge_bits)
    schemes = {"qat": scheme, "mint": replace(scheme, scale="tensor", power_of_two=True, membrane_bits=settings.membrane_bits)}
    splits, _ = read_splits(stage, slot)
    recipe = replace(getattr(stage.config.p1, slot), epochs=settings.epochs, lr=settings.lr, warmup_epochs=0)
    train, val = samples(splits.train), samples(splits.val)
    paths = {seed: stage.input(f"data/p1_train/sew_resnet-{slot}/checkpoints/seed{seed}.safetensors") for seed in seeds}

    def job(variant: tuple[str, int, int], tick: Tick) -> tuple[checkpoint.Checkpoint, Run]:
        method, bits, seed = variant
        made, parents = checkpoint.load(paths[seed]), {paths[seed].as_posix(): md5(paths[seed])}
        curves: dict[str, list[tuple[int, float]]] = {}
        if method in schemes:
            draws = torch.Generator().manual_seed(stage.seed(seed))  # one order for all widths
            train_it = partial(quantize, energy_weight=settings.energy_weight, generator=draws, parents=parents, tick=tick, guard=False)
            made, result = train_it(made, train, val, recipe, bits=bits, scheme=schemes[method])
            curves = result.curves
        elif method == "rtn":
            made = round_to_nearest(made, bits, scheme=scheme, parents=parents)
        for _ in range(0 if curves else settings.epochs):
            tick()
        measured = measure(made, splits.test, seed=seed, protocol="val_selected")
        metrics = {**measured.metrics(), "val/acc": evaluate(made.build(), val).accuracy}
        metrics["model/file_bytes"] = float(paths[seed].stat().st_size if method == "float" else len(pack(made)))
        params, details = {"seed": seed, "method": method, "bits": bits, "n_test": measured.n}, {"measurement": measured.to_json()}
        return made, Run(params=params, metrics=metrics, curves=curves, details=details)

    variants = [("float", 32), *product(["rtn", "qat"], sorted(settings.bits)), *(("mint", b) for b in settings.shared_bits)]
    jobs = [(method, bits, seed) for (method, bits), seed in product(variants, seeds)]
    done = dict(zip(jobs, run_jobs(job, jobs, label=stage.name, total=settings.epochs), strict=True))
    groups = {f"{method}{bits}": [done[method, bits, seed][1] for seed in seeds] for method, bits in variants}
    summary: dict[str, float] = {}
    for name, group in groups.items():
        for own, parent in zip(group, groups["float32"], strict=True):
            own.metrics["compare/acc_loss"] = parent.metrics["test/acc"] - own.metrics["test/acc"]
            own.metrics["compare/bytes_ratio"] = own.metrics["model/bytes"] / parent.metrics["model/bytes"]
        summary |= summarise(group, prefix=f"{name}/")
    within = near_ones({b: groups[f"qat{b}"] for b in settings.bits}, groups["float32"], *limits)
    chosen = min(within, default=max(settings.bits))
    for seed in seeds:
        checkpoint.save(done["qat", chosen, seed][0], stage.out / "checkpoints" / f"seed{seed}.safetensors")
        write_bytes(stage.out / "packed" / f"seed{seed}.safetensors", pack(done["qat", chosen, seed][0]))
    summary |= {"chosen_bits": float(chosen), "bits_within_limit": float(len(within))} | summarise(groups[f"qat{chosen}"])
    return Record(summary=summary, runs={f"{m}{b}-seed{seed}": result for (m, b, seed), (_, result) in done.items()})


if __name__ == "__main__":
    main(run)
