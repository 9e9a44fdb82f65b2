"""What p6_integrate records: a row per step and rival, and the verdict."""

from collections.abc import Mapping

from snn5.benchmark import Measurement, compare, measure
from snn5.checkpoint import Checkpoint
from snn5.config import Integration
from snn5.datasets import Split
from snn5.record import Record, Run
from snn5.stages._chain import RIVALS, STEPS
from snn5.stages._chain_climb import Climb
from snn5.stages._chain_ingredients import Ingredients
from snn5.statistics import mean_sd, summarise


def measured(steps: Mapping[str, Checkpoint], anns: Mapping[str, Checkpoint], test: Split, seed: int) -> dict[str, Measurement]:
    """Steps and rivals on test, the steps compared with the dense twin, the last one with all four.

    One protocol for all rows: epochs of the start are chosen on validation, the others are the last of runs with settings chosen so.
    """
    found = {name: measure(made, test, seed=seed, protocol="val_selected") for name, made in {**anns, **steps}.items()}
    made = {name: compare(found[name], found["ann"]) for name in steps}
    made["cutoff"] = compare(found["cutoff"], found["ann"], quantised=found["qnn"], pruned=found["ann_pruned"])
    return found | made


def record_of(judged: Mapping[int, Mapping[str, Measurement]], taken: Ingredients, made: Climb, settings: Integration) -> Record:
    """The record of the stage.

    Args:
        judged: by seed, then by name of the step or rival.
        taken, made: what it began with, and which variant with which epsilons was chosen (their mean is `epsilon`).
        settings: the target, and what counts as equal accuracy.

    Returns:
        Runs `<step>-seed<k>`; a summary of each, of the last step once more without a prefix, and of the target: reached if the mean ratio
        is small enough and the mean accuracy at most `max_accuracy_gap` below the dense twin's.
    """
    runs: dict[str, Run] = {}
    sparsity, bits = taken.choices.variants[made.chosen]
    epsilon = mean_sd(made.exits[made.chosen].epsilons)[0]
    summary = {"strength": taken.choices.strength, "sparsity": sparsity, "bits": float(bits), "epsilon": epsilon}
    for step in (*RIVALS, *STEPS):
        rows = {
            f"{step}-seed{seed}": Run(params={"seed": seed, "step": step}, metrics=own[step].metrics(), details=own[step].to_json())
            for seed, own in judged.items()
        }
        runs |= rows
        summary |= summarise(rows.values(), prefix=f"{step}/")
    summary |= {name.removeprefix("cutoff/"): value for name, value in summary.items() if name.startswith("cutoff/")}
    # 1e-9: a gap of exactly the limit is within it, however the means were rounded
    equal = summary["ann/test/acc"] - summary["test/acc"] <= settings.max_accuracy_gap + 1e-9
    cheap = summary["cost/ratio_ann_dense"] <= settings.target_ratio
    summary |= {"target/ratio": settings.target_ratio, "target/equal": float(equal), "target/reached": float(equal and cheap)}
    tried = [
        {"sparsity": share, "bits": width, "affordable": one.affordable, "val/acc": mean_sd(one.accuracies)[0], "epsilons": [*one.epsilons]}
        for (share, width), one in zip(taken.choices.variants, made.exits, strict=False)
    ]
    return Record(summary=summary, runs=runs, details={"start": taken.start, "tried": tried, "ann/val/acc": made.twin})
