"""Networks that differ in one thing, trained on the same data with the same recipe and seeds, and what each costs."""

from snn5 import checkpoint
from snn5.benchmark import measure
from snn5.checkpoint import Checkpoint
from snn5.config import Contrast
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage
from snn5.statistics import mean_sd, summarise
from snn5.training import train_one


def contrast(stage: Stage, settings: Contrast) -> Record:
    """Train every variant with every seed; a seed draws the same order and augmentation for all variants.

    Out: checkpoints/<variant>-seed<k>.safetensors. The summary has `<variant>/<metric>` and, for all but the first variant,
    `<variant>/acc_gain`: its test accuracy minus the first's, seed by seed (mean and sd).
    """
    variants = settings.variants_of(getattr(stage.config.p1, settings.data))
    time_steps = getattr(stage.config.data, settings.data).time_steps
    splits, parents = read_splits(stage, settings.data)
    jobs = [(name, seed) for name in variants for seed in stage.config.seeds]
    longest = max(v.epochs for v in variants.values())

    def job(which: tuple[str, int], tick: Tick) -> tuple[Checkpoint, Run]:
        name, seed = which
        trained, result = train_one(
            variants[name],
            splits,
            time_steps=time_steps,
            seed=stage.seed(seed),
            parents=parents,
            tick=tick,
            guard=not settings.may_collapse,
            resume=stage.resume(name, f"seed{seed}"),
            keep_finished=True,
        )
        measured = measure(trained, splits.test, seed=seed, protocol="val_selected")
        result.metrics |= {"cost/synops": measured.synops, "cost/macs": measured.effective_macs}
        result.params |= {"seed": seed, "variant": name}
        result.details["measurement"] = measured.to_json()
        return trained, result

    done = dict(zip(jobs, run_jobs(job, jobs, label=stage.name, total=longest), strict=True))
    runs: dict[str, Run] = {}
    summary: dict[str, float] = {}
    for (name, seed), (trained, result) in done.items():
        checkpoint.save(trained, stage.out / "checkpoints" / f"{name}-seed{seed}.safetensors")
        runs[f"{name}-seed{seed}"] = result
    first = next(iter(variants))
    for name in variants:
        own = {seed: done[name, seed][1] for seed in stage.config.seeds}
        summary |= summarise(own.values(), prefix=f"{name}/")
        if name != first:
            gains = [own[s].metrics["test/acc"] - done[first, s][1].metrics["test/acc"] for s in stage.config.seeds]
            summary[f"{name}/acc_gain"], summary[f"{name}/acc_gain_sd"] = mean_sd(gains)
    return Record(summary=summary, runs=runs, details={"reference": first, "data": settings.data})
