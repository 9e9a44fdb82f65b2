"""P5.1: let P1's networks leave their time loop as soon as the answer is clear.

    python -m snn5.stages.p5_cutoff

Thresholds come from training samples, epsilon from validation (the largest within p5.max_accuracy_loss), figures from test.
Claim (Wu et al. 2025): at least 1.5x fewer steps at <= 0.5 points of test accuracy.
Out: checkpoints/seed<k>.safetensors with the chosen cutoff (without one, if no epsilon is within the limit), metrics.json, curves.csv:
`val/acc`, `test/acc`, `cost/steps_mean` over the position of epsilon in p5.epsilons; the last position has no cutoff.
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
from snn5.statistics import summarise


def run(stage: Stage) -> Record:
    """Calibrate, choose and measure each seed's network."""
    slot = stage.config.p6.data
    splits, parents = read_splits(stage, slot)
    paths = {seed: stage.input(Path(f"data/p1_train/sew_resnet-{slot}/checkpoints/seed{seed}.safetensors")) for seed in stage.config.seeds}

    def job(seed: int, tick: Tick) -> tuple[Checkpoint, Run, Run]:
        trained, own = checkpoint.load(paths[seed]), stage.seed(seed)
        early, choice = _sweep(trained, splits, stage.config.p5.epsilons, stage.config.p5.max_accuracy_loss, own)
        result, files = trained, {**parents, paths[seed].as_posix(): md5(paths[seed])}
        if choice is not None:
            result = calibrate_cutoff(trained, splits.train, epsilon=choice, seed=own, keep_out=(splits.val, splits.test), parents=files)
        full = _measure(trained, splits.test, seed, Run())
        _measure(result, splits.test, seed, early)
        early.metrics["cutoff/fewer_steps"] = full.metrics["cost/steps_mean"] / early.metrics["cost/steps_mean"]
        early.metrics["cutoff/fewer_synops"] = full.metrics["cost/synops"] / early.metrics["cost/synops"]
        early.metrics["cutoff/acc_change"] = early.metrics["test/acc"] - full.metrics["test/acc"]
        tick()
        return result, early, full

    runs: dict[str, Run] = {}
    for seed, (result, early, full) in zip(paths, run_jobs(job, list(paths), label=stage.name, total=1), strict=True):
        checkpoint.save(result, stage.out / "checkpoints" / f"seed{seed}.safetensors")
        runs |= {f"seed{seed}": early, f"seed{seed}-full": full}
    full_runs = summarise((runs[f"seed{seed}-full"] for seed in paths), prefix="full/")
    return Record(summary=summarise(runs[f"seed{seed}"] for seed in paths) | full_runs, runs=runs)


def _sweep(trained: Checkpoint, splits: Splits, epsilons: list[float], max_loss: float, seed: int) -> tuple[Run, float | None]:
    """The curves over epsilon, and the largest epsilon whose validation accuracy is within `max_loss` of that without a cutoff."""
    model = trained.build()
    logits_TNK, y_N = all_logits(model, splits.train, dropout=0.3, seed=seed)
    rules = [GapRule(thresholds=thresholds(logits_TNK, y_N, epsilon)) for epsilon in epsilons]
    rules.append(GapRule(thresholds=(float("inf"),) * len(logits_TNK)))
    val, test = all_logits(model, splits.val), all_logits(model, splits.test)
    val_acc = [answers(*val, rule)[0] for rule in rules]
    test_acc, steps = zip(*(answers(*test, rule) for rule in rules), strict=True)
    choice = max((e for e, acc in zip(epsilons, val_acc, strict=False) if acc >= val_acc[-1] - max_loss), default=None)
    curves = {"val/acc": val_acc, "test/acc": test_acc, "cost/steps_mean": steps}
    details = {"epsilons": epsilons, "epsilon": choice, "optimal_steps_mean": optimal_step(*test).double().mean().item()}
    return Run(curves={name: list(enumerate(values)) for name, values in curves.items()}, details=details), choice


def _measure(source: Checkpoint, test: Split, seed: int, into: Run) -> Run:
    measured = measure(source, test, seed=seed, protocol="val_selected")
    into.params |= {"seed": seed, "n_test": measured.n, "cutoff": source.card.cutoff is not None}
    into.metrics |= measured.metrics()
    into.details["measurement"] = measured.to_json()
    return into


if __name__ == "__main__":
    main(run)
