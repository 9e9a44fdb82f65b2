"""P5.1: let P1's network on one slot leave its time loop as soon as the answer is clear.

    python -m snn5.stages.p5_cutoff events

Rules are calibrated on training samples; validation chooses epsilon, the largest whose loss of accuracy and p5.standard_errors of it,
p5.lost_samples counted beside those lost, stay within p5.max_accuracy_loss, else the smallest: the digits' 269 samples are too few to
confirm any (see `within`). Figures are from test. Claim (issue 5): at least 1.8x fewer steps at <= 0.5 points.
Expected, 3 seeds, n = 450: 3.5 times fewer steps on frames (sd 0.1) and 3.3 times on events (sd 0.6), at 0.2 points each.
Out: checkpoints/seed<k>.safetensors with the chosen cutoff, metrics.json, curves.csv over the position of epsilon and over steps.
"""

from pathlib import Path

from snn5 import checkpoint
from snn5.checkpoint import Checkpoint
from snn5.errors import UserError
from snn5.files import md5
from snn5.inference import RULES, Tried, calibrate_cutoff, choose_epsilon, try_epsilons, within
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._cutoff import measured_run, swept_run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main
from snn5.statistics import summarise


def run(stage: Stage) -> Record:
    """Calibrate every rule, choose on validation, measure the kept rule beside the full run."""
    slot, seeds, settings = " ".join(stage.args), stage.config.seeds, stage.config.p5
    if slot not in ("frames", "events"):
        raise UserError(f"p5_cutoff {slot}: need one argument, frames or events")
    splits, parents = read_splits(stage, slot)
    paths = {seed: stage.input(Path(f"data/p1_train/sew_resnet-{slot}/checkpoints/seed{seed}.safetensors")) for seed in seeds}
    limit = settings.limits()

    def sweep(seed: int, tick: Tick) -> dict[str, dict[str, Tried]]:
        judges = {"val": splits.val, "test": splits.test}
        tick()
        return try_epsilons(checkpoint.load(paths[seed]), splits.train, judges, settings.epsilons, seed=stage.seed(seed))

    swept = dict(zip(seeds, run_jobs(sweep, seeds, label=f"{stage.name} epsilons", total=1), strict=True))
    chosen = {rule: choose_epsilon([swept[seed][rule]["val"] for seed in seeds], **limit) for rule in RULES}

    def final(seed: int, tick: Tick) -> tuple[Checkpoint, Run, Run]:
        trained, files = checkpoint.load(paths[seed]), {**parents, paths[seed].as_posix(): md5(paths[seed])}
        others, epsilon = (splits.val, splits.test), chosen[settings.rule]
        cut = calibrate_cutoff(
            trained, splits.train, epsilon=epsilon, rule=settings.rule, seed=stage.seed(seed), keep_out=others, parents=files
        )
        full, early = (measured_run(made, splits.test, seed) for made in (trained, cut))
        tick()
        return cut, full, early

    runs: dict[str, Run] = {}
    for seed, (cut, full, early) in zip(seeds, run_jobs(final, seeds, label=stage.name, total=1), strict=True):
        checkpoint.save(cut, stage.out / "checkpoints" / f"seed{seed}.safetensors")
        for key, cost in (("fewer_steps", "cost/steps_mean"), ("fewer_synops", "cost/synops")):
            early.metrics[f"cutoff/{key}"] = full.metrics[cost] / early.metrics[cost]
        early.metrics["cutoff/acc_change"] = early.metrics["test/acc"] - full.metrics["test/acc"]
        early.params |= {"rule": settings.rule, "epsilon": chosen[settings.rule]}
        test = swept[seed][settings.rule]["test"]
        early.details["optimal_steps_mean"] = test.optimal_steps
        full.curves["test/acc_by_step"] = list(enumerate(test.accuracy_by_step, start=1))
        runs |= {f"seed{seed}": early, f"seed{seed}-full": full}
        runs |= {f"seed{seed}-{rule}": swept_run(swept[seed][rule], rule, chosen[rule], seed) for rule in RULES}
    summary = summarise(runs[f"seed{seed}"] for seed in seeds) | {"chosen_epsilon": chosen[settings.rule]}
    for kind in ("full", *RULES):
        summary |= summarise((runs[f"seed{seed}-{kind}"] for seed in seeds), prefix=f"{kind}/")
    summary["epsilons_within_limit"] = float(len(within([swept[seed][settings.rule]["val"] for seed in seeds], **limit)))
    return Record(summary=summary, runs=runs, details={"epsilons": settings.epsilons})


if __name__ == "__main__":
    main(run)
