"""P6: the roadmap's techniques on one network, step by step, judged against four ANNs.

    python -m snn5.stages.p6_integrate frames|events

P3's tuned network (on the other slot P1's), then P4.1's sparsity, P4.3's pruning and P4.2's quantisation as P4's stages chose them, then
P5.1's cutoff, its epsilon chosen on validation for the final network; each step is measured on test. TTFS is no step: P2.3 judges it.
Every ingredient is resolved to the MLflow run that made its bytes and checked against dvc.lock; the lineage is logged on this stage's run.
Claim (target 2): at most p6.target_ratio of the dense twin's energy at an accuracy at most one point lower.
Out: checkpoints/seed<k>.safetensors (the final networks), metrics.json, curves.csv.
"""

from snn5 import checkpoint
from snn5.benchmark import Measurement, compare, measure
from snn5.checkpoint import Checkpoint
from snn5.errors import unknown
from snn5.files import read_json
from snn5.inference import Tried, calibrate_cutoff, choose_epsilon, try_epsilons
from snn5.parallel import Tick, run_jobs
from snn5.record import Record
from snn5.stages._chain import Choices, compressed, rivals
from snn5.stages._chain_record import record_of
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main

SLOTS = ("frames", "events")


def run(stage: Stage) -> Record:
    """Compose, measure after each step, judge."""
    slot, seeds, p6, p5 = " ".join(stage.args), stage.config.seeds, stage.config.p6, stage.config.p5
    if slot not in SLOTS:
        raise unknown("data slot", slot, SLOTS)

    strength, sparsity, bits = (
        read_json(stage.ingredient(f"data/{name}/metrics.json").file)["summary"][f"chosen_{key}"]
        for name, key in (("p4_sparsify", "strength"), ("p4_prune", "sparsity"), ("p4_quantize", "bits"))
    )
    choices = Choices(strength=strength, sparsity=sparsity, bits=int(bits), ramp_fraction=stage.config.p4.ramp_fraction)
    tuned, trained = "data/p3_tune/checkpoints", f"data/p1_train/sew_resnet-{slot}/checkpoints"
    begun = {s: stage.ingredient(f"{tuned if slot == p6.data else trained}/seed{s}.safetensors") for s in seeds}
    twins = {s: stage.ingredient(f"data/p1_train/ann_twin-{slot}/checkpoints/seed{s}.safetensors") for s in seeds}
    splits, files = read_splits(stage, slot)
    recipe, effort = getattr(stage.config.p1, slot), getattr(p6, slot)
    limit = {"max_accuracy_loss": p5.max_accuracy_loss, "standard_errors": p5.standard_errors}

    def compress(seed: int, tick: Tick) -> tuple[dict[str, Checkpoint], Tried]:
        start, twin = (checkpoint.load(found[seed].file) for found in (begun, twins))
        parents = {found[seed].path: found[seed].md5 for found in (begun, twins)}
        made = compressed(start, twin, splits, recipe, p6, effort, choices, seed=stage.seed(seed), parents=parents, tick=tick)
        judges = {"val": splits.val}
        tried = try_epsilons(made["quantised"], splits.train, judges, p5.epsilons, rules=[p5.rule], seed=stage.seed(seed))
        return made, tried[p5.rule]["val"]

    chains = dict(zip(seeds, run_jobs(compress, seeds, label=stage.name, total=effort.epochs + effort.quantised_epochs), strict=True))
    epsilon = choose_epsilon([tried for _, tried in chains.values()], **limit)

    def judge(seed: int, tick: Tick) -> tuple[Checkpoint, dict[str, Measurement]]:
        made, others = chains[seed][0], (splits.val, splits.test)
        final = calibrate_cutoff(
            made["quantised"], splits.train, epsilon=epsilon, rule=p5.rule, seed=stage.seed(seed), keep_out=others, parents=files
        )
        # One protocol for all rows: epochs of the start are chosen on validation, the others are the last of runs with settings chosen so.
        found = {s: measure(m, splits.test, seed=seed, protocol="val_selected") for s, m in (made | {"cutoff": final}).items()}
        last, twin = found["cutoff"], checkpoint.load(twins[seed].file)
        size = {"bits": choices.bits, "time_steps": last.time_steps, "nnz": last.params_nnz}
        against = rivals(twin, splits, recipe, p6, effort, **size, seed=stage.seed(seed), tick=tick)
        anns = {name: measure(rival, splits.test, seed=seed, protocol="val_selected") for name, rival in against.items()}
        found = {s: compare(m, anns["ann"]) for s, m in found.items()}
        found["cutoff"] = compare(last, anns["ann"], quantised=anns["qnn"], pruned=anns["ann_pruned"])
        return final, anns | found

    judged = dict(zip(seeds, run_jobs(judge, seeds, label=f"{stage.name} rivals", total=2 * effort.epochs), strict=True))
    for seed in seeds:
        checkpoint.save(judged[seed][0], stage.out / "checkpoints" / f"seed{seed}.safetensors")
    start = "p3_tune" if slot == p6.data else "p1_train"
    return record_of({seed: found for seed, (_, found) in judged.items()}, start, choices, epsilon, p6)


if __name__ == "__main__":
    main(run)
