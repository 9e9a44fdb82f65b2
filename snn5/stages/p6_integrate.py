"""P6: the roadmap's techniques on one network, step by step, judged against four ANNs.

    python -m snn5.stages.p6_integrate frames|events

P3's tuned network or P1's (see _chain_ingredients), on still images with p6.most_steps steps from there on, then P4.1's sparsity, P4.3's
pruning and P4.2's quantisation as P4's stages chose them (p6.most_strength at most, p6.least_bits bits at least) or as p6.variants has
them, the boldest with which validation is content, then P5.1's cutoff, for each network as cautious as the target's energy allows it on
validation (as P5.1 would choose, where none is allowed); each step is measured on test. TTFS is no step: P2.3
judges it.
Every ingredient is resolved to the MLflow run that made its bytes and checked against dvc.lock; the lineage is logged on this stage's run.
Claim (target 2): at most p6.target_ratio of the dense twin's energy at an accuracy at most one point lower.
Out: checkpoints/seed<k>.safetensors (the final networks), metrics.json, curves.csv.
"""

from snn5 import checkpoint
from snn5.benchmark import Measurement
from snn5.checkpoint import Checkpoint
from snn5.errors import unknown
from snn5.inference import calibrate_cutoff
from snn5.parallel import Tick, run_jobs
from snn5.record import Record
from snn5.stages._chain import recipe_of, rivals
from snn5.stages._chain_climb import climb
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
    splits, files = read_splits(stage, slot)
    recipe, effort = getattr(stage.config.p1, slot), getattr(p6, slot)
    start, twins = ({s: checkpoint.load(found[s].file) for s in seeds} for found in (taken.begun, taken.twins))
    parents = {s: {found[s].path: found[s].md5 for found in (taken.begun, taken.twins)} for s in seeds}
    made = climb(start, twins, splits, recipe, p6, effort, p5, taken.choices, parents=parents, seed_of=stage.seed, label=stage.name)
    epsilons, bits = dict(zip(seeds, made.exits[made.chosen].epsilons, strict=True)), taken.choices.variants[made.chosen][1]

    def judge(seed: int, tick: Tick) -> tuple[Checkpoint, dict[str, Measurement]]:
        steps, others = made.steps[seed], (splits.val, splits.test)
        final = calibrate_cutoff(
            steps["quantised"], splits.train, epsilon=epsilons[seed], rule=p5.rule, seed=stage.seed(seed), keep_out=others, parents=files
        )
        tuned = recipe_of(recipe, p6, effort.quantised_epochs)
        anns = rivals(twins[seed], final, splits, tuned, p6, bits=bits, seed=stage.seed(seed), tick=tick)
        return final, measured(steps | {"cutoff": final}, anns, splits.test, seed)

    judged = dict(zip(seeds, run_jobs(judge, seeds, label=f"{stage.name} rivals", total=2 * effort.quantised_epochs), strict=True))
    for seed in seeds:
        checkpoint.save(judged[seed][0], stage.out / "checkpoints" / f"seed{seed}.safetensors")
    return record_of({seed: found for seed, (_, found) in judged.items()}, taken, made, p6)


if __name__ == "__main__":
    main(run)
