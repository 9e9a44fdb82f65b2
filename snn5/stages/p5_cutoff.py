"""P5.1: let P1's networks (the slot of p6.data) leave their time loop as soon as the answer is clear.

    python -m snn5.stages.p5_cutoff

Thresholds come from training samples, epsilon from validation (the largest whose mean accuracy over seeds is within p5.max_accuracy_loss
of the full run's; else the smallest), figures from test. Claim (Wu et al. 2025): at least 1.5x fewer steps at <= 0.5 points of accuracy.
Expected, 3 seeds, n = 450: 3.6x (sd 0.2) fewer steps, 4.1x (sd 0.4) fewer operations, 0.7 points lost (sd 0.2): missed on test. 11 s.
Out: checkpoints/seed<k>.safetensors with the chosen cutoff, metrics.json, curves.csv over the position of epsilon (last: no cutoff).
"""

from pathlib import Path

from snn5 import checkpoint
from snn5.benchmark import measure
from snn5.checkpoint import Checkpoint
from snn5.datasets import Split, Splits
from snn5.files import md5
from snn5.inference import GapRule, all_logits, answers, calibrate_cutoff, optimal_step, thresholds
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main
from snn5.statistics import mean_sd, summarise


def run(stage: Stage) -> Record:
    """Calibrate, choose on validation, measure the chosen cutoff beside the full run."""
    slot, seeds, settings = stage.config.p6.data, stage.config.seeds, stage.config.p5
    splits, parents = read_splits(stage, slot)
    paths = {seed: stage.input(Path(f"data/p1_train/sew_resnet-{slot}/checkpoints/seed{seed}.safetensors")) for seed in seeds}

    def sweep(seed: int, tick: Tick) -> Run:
        swept = _sweep(checkpoint.load(paths[seed]), splits, settings.epsilons, stage.seed(seed))
        tick()
        return swept

    swept = run_jobs(sweep, seeds, label=f"{stage.name} epsilons", total=1)
    *val_acc, val_full = (mean_sd(r.curves["val/acc"][i][1] for r in swept)[0] for i in range(len(settings.epsilons) + 1))
    within = [e for e, acc in zip(settings.epsilons, val_acc, strict=True) if acc >= val_full - settings.max_accuracy_loss]
    chosen = max(within, default=min(settings.epsilons))

    def final(seed: int, tick: Tick) -> tuple[Checkpoint, Run, Run]:
        trained, files = checkpoint.load(paths[seed]), {**parents, paths[seed].as_posix(): md5(paths[seed])}
        others = splits.val, splits.test
        cut = calibrate_cutoff(trained, splits.train, epsilon=chosen, seed=stage.seed(seed), keep_out=others, parents=files)
        tick()
        return cut, _measure(trained, splits.test, seed), _measure(cut, splits.test, seed)

    runs: dict[str, Run] = {}
    for seed, curves, (cut, full, early) in zip(seeds, swept, run_jobs(final, seeds, label=stage.name, total=1), strict=True):
        checkpoint.save(cut, stage.out / "checkpoints" / f"seed{seed}.safetensors")
        early.metrics["cutoff/fewer_steps"] = full.metrics["cost/steps_mean"] / early.metrics["cost/steps_mean"]
        early.metrics["cutoff/fewer_synops"] = full.metrics["cost/synops"] / early.metrics["cost/synops"]
        early.metrics["cutoff/acc_change"] = early.metrics["test/acc"] - full.metrics["test/acc"]
        early.params["epsilon"], early.curves, early.details = chosen, curves.curves, early.details | curves.details
        runs |= {f"seed{seed}": early, f"seed{seed}-full": full}
    summary = summarise(runs[f"seed{seed}"] for seed in seeds) | summarise((runs[f"seed{seed}-full"] for seed in seeds), prefix="full/")
    return Record(summary={**summary, "chosen_epsilon": chosen, "epsilons_within_limit": float(len(within))}, runs=runs)


def _sweep(trained: Checkpoint, splits: Splits, epsilons: list[float], seed: int) -> Run:
    """Accuracy and mean steps at every epsilon, and last without a cutoff."""
    model = trained.build()
    logits_TNK, y_N = all_logits(model, splits.train, dropout=0.3, seed=seed)
    rules = [GapRule(thresholds=thresholds(logits_TNK, y_N, epsilon)) for epsilon in epsilons]
    rules.append(GapRule(thresholds=(float("inf"),) * len(logits_TNK)))
    (val_TNK, val_N), (test_TNK, test_N) = all_logits(model, splits.val), all_logits(model, splits.test)
    test_acc, steps = zip(*(answers(test_TNK, test_N, rule) for rule in rules), strict=True)
    curves = {"val/acc": [answers(val_TNK, val_N, rule)[0] for rule in rules], "test/acc": test_acc, "cost/steps_mean": steps}
    details = {"epsilons": epsilons, "optimal_steps_mean": optimal_step(test_TNK, test_N).double().mean().item()}
    return Run(curves={name: list(enumerate(values)) for name, values in curves.items()}, details=details)


def _measure(source: Checkpoint, test: Split, seed: int) -> Run:
    measured = measure(source, test, seed=seed, protocol="val_selected")
    return Run(params={"seed": seed, "n_test": measured.n}, metrics=measured.metrics(), details={"measurement": measured.to_json()})


if __name__ == "__main__":
    main(run)
