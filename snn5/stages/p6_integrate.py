"""P6: the roadmap's techniques on one network, step by step, judged against four ANNs.

    python -m snn5.stages.p6_integrate frames|events

P3's tuned network or P1's (see _chain_ingredients), then P4.1's sparsity, P4.3's pruning and P4.2's quantisation as P4's stages chose them
or milder, if validation asks for it, then P5.1's cutoff, its epsilon chosen on validation for the final network; each step is measured on
test. TTFS is no step: P2.3 judges it.
Every ingredient is resolved to the MLflow run that made its bytes and checked against dvc.lock; the lineage is logged on this stage's run.
Claim (target 2): at most p6.target_ratio of the dense twin's energy at an accuracy at most one point lower.
Out: checkpoints/seed<k>.safetensors (the final networks), metrics.json, curves.csv.
"""

from snn5 import checkpoint
from snn5.benchmark import Measurement, measure
from snn5.checkpoint import Checkpoint
from snn5.errors import unknown
from snn5.inference import Tried, calibrate_cutoff, choose_epsilon, try_epsilons
from snn5.parallel import Tick, run_jobs
from snn5.record import Record
from snn5.stages._chain import choose_variant, compressed, rivals
from snn5.stages._chain_ingredients import ingredients
from snn5.stages._chain_record import measured, record_of
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main

SLOTS = ("frames", "events")


def run(stage: Stage) -> Record:
    """Compose, measure after each step, judge."""
    slot, seeds, p6, p5 = " ".join(stage.args), stage.config.seeds, stage.config.p6, stage.config.p5
    if slot not in SLOTS:
        raise unknown("data slot", slot, SLOTS)
    taken = ingredients(stage, slot, ramp_fraction=stage.config.p4.ramp_fraction)
    variants = taken.choices.variants
    splits, files = read_splits(stage, slot)
    recipe, effort = getattr(stage.config.p1, slot), getattr(p6, slot)
    limit = {"max_accuracy_loss": p5.max_accuracy_loss, "standard_errors": p5.standard_errors}

    def compress(seed: int, tick: Tick) -> tuple[list[dict[str, Checkpoint]], list[Tried], float]:
        start, twin = (checkpoint.load(found[seed].file) for found in (taken.begun, taken.twins))
        parents = {found[seed].path: found[seed].md5 for found in (taken.begun, taken.twins)}
        made = compressed(start, twin, splits, recipe, p6, effort, taken.choices, seed=stage.seed(seed), parents=parents, tick=tick)
        tried = [
            try_epsilons(m["quantised"], splits.train, {"val": splits.val}, p5.epsilons, rules=[p5.rule], seed=stage.seed(seed))
            for m in made
        ]
        return made, [t[p5.rule]["val"] for t in tried], measure(twin, splits.val, seed=seed, protocol="validation").accuracy

    total = effort.epochs + len(variants) * effort.quantised_epochs
    chains = dict(zip(seeds, run_jobs(compress, seeds, label=stage.name, total=total), strict=True))
    accuracies = [[tried[v].full_accuracy for _, tried, _ in chains.values()] for v in range(len(variants))]
    best = choose_variant(accuracies, [twin for *_, twin in chains.values()], p6.max_accuracy_gap, p6.standard_errors)
    epsilon = choose_epsilon([tried[best] for _, tried, _ in chains.values()], **limit)

    def judge(seed: int, tick: Tick) -> tuple[Checkpoint, dict[str, Measurement]]:
        made, others = chains[seed][0][best], (splits.val, splits.test)
        final = calibrate_cutoff(
            made["quantised"], splits.train, epsilon=epsilon, rule=p5.rule, seed=stage.seed(seed), keep_out=others, parents=files
        )
        twin = checkpoint.load(taken.twins[seed].file)
        anns = rivals(twin, final, splits, recipe, p6, effort, bits=variants[best][1], seed=stage.seed(seed), tick=tick)
        return final, measured(made | {"cutoff": final}, anns, splits.test, seed)

    judged = dict(zip(seeds, run_jobs(judge, seeds, label=f"{stage.name} rivals", total=2 * effort.epochs), strict=True))
    for seed in seeds:
        checkpoint.save(judged[seed][0], stage.out / "checkpoints" / f"seed{seed}.safetensors")
    return record_of({seed: found for seed, (_, found) in judged.items()}, taken.start, taken.choices, best, epsilon, p6)


if __name__ == "__main__":
    main(run)
