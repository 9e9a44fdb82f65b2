"""P1: train one architecture on one data set, once per seed.

    python -m snn5.stages.p1_train sew_resnet|ann_twin frames|events

Claim: SEW-ResNet on digits frames >= 97 %, on digits events >= 95 % test accuracy (val-selected epoch), with its ReLU twin beside it.
Out: checkpoints/seed<k>.safetensors (the epoch chosen on validation), metrics.json, curves.csv.
"""

from snn5 import checkpoint
from snn5.errors import UserError, unknown
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main
from snn5.statistics import summarise
from snn5.training import train_one

FAMILIES = ("sew_resnet", "ann_twin")  # the twin is that of the slot's model


def run(stage: Stage) -> Record:
    """Train all seeds in parallel."""
    family, slot = stage.args if len(stage.args) == 2 else ("", "")
    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    if slot not in ("frames", "events"):
        raise unknown("data slot", slot, ("frames", "events"))
    settings = getattr(stage.config.p1, slot)
    if family == "sew_resnet" and not settings.model.startswith("sew_resnet"):
        raise UserError(f"p1.{slot}.model={settings.model!r}; stage {stage.name} trains a sew_resnet, e.g. sew_resnet20")
    splits, parents = read_splits(stage, slot)
    time_steps = getattr(stage.config.data, slot).time_steps

    def job(seed: int, tick: Tick) -> tuple[checkpoint.Checkpoint, Run]:
        own = stage.seed(seed)
        trained, result = train_one(
            settings,
            splits,
            time_steps=time_steps,
            seed=own,
            twin=family == "ann_twin",
            parents=parents,
            tick=tick,
            resume=stage.resume(f"seed{seed}"),
            keep_finished=True,
        )
        result.params |= {"seed": seed, "generator_seed": own}
        return trained, result

    results = run_jobs(job, stage.config.seeds, label=stage.name, total=settings.epochs)
    runs = {}
    for seed, (trained, result) in zip(stage.config.seeds, results, strict=True):
        checkpoint.save(trained, stage.out / "checkpoints" / f"seed{seed}.safetensors")
        runs[f"seed{seed}"] = result
    return Record(summary=summarise(runs.values()), runs=runs)


if __name__ == "__main__":
    main(run)
