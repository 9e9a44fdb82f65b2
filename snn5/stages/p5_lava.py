"""P5.2: the trained networks in whole numbers, and on Lava's fixed-point simulation of Loihi 2, spike for spike.

    python -m snn5.stages.p5_lava

Networks: P1's on frames and on events (convolutions, residual sums), P6's after all techniques, P1.2's with Q-K token attention, and a
dense one trained here. Every seed is ported and both forms answer the whole test set (float -> integer loss; no early exit in either);
the first seed runs on Lava on the first p5_lava.samples test samples, where every layer must equal the reference.
A network without a form in whole numbers (P3 may choose a reset by subtraction, and P6 then has it), or one that Loihi cannot hold (its
currents leave 16 bits), is recorded as that, with the reason.
Claims (issue 6): at most 0.5 points from float to integer; nothing differs on Lava.
Out: checkpoints/dense-seed<k>.safetensors, metrics.json (parity and resources by layer in the details), curves.csv.
"""

from dataclasses import replace

from snn5 import checkpoint
from snn5.checkpoint import Checkpoint
from snn5.datasets import Splits
from snn5.hardware import to_integer
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._lava import loss_run, proof, proved
from snn5.stages._stage import Stage, main
from snn5.stages._unported import REASON
from snn5.statistics import summarise
from snn5.training import train_one

MADE = "dense"
NETWORKS = {  # slot and checkpoint of a seed
    MADE: ("frames", ""),
    "p1-frames": ("frames", "data/p1_train/sew_resnet-frames/checkpoints/seed{}.safetensors"),
    "p6-frames": ("frames", "data/p6_integrate/frames/checkpoints/seed{}.safetensors"),
    "p1-events": ("events", "data/p1_train/sew_resnet-events/checkpoints/seed{}.safetensors"),
    "p6-events": ("events", "data/p6_integrate/events/checkpoints/seed{}.safetensors"),
    "attention": ("events", "data/p1_contrast/spikingformer/checkpoints/qk-seed{}.safetensors"),
}


def run(stage: Stage) -> Record:
    """Port and test all seeds in parallel, then Lava, one network after the other: it makes processes of its own."""
    seeds, settings = stage.config.seeds, stage.config.p5_lava
    splits = {slot: read_splits(stage, slot)[0] for slot in ("frames", "events")}
    jobs = [(name, seed) for name in NETWORKS for seed in seeds]
    paths = {(name, seed): stage.input(path.format(seed)) for name, seed in jobs if (path := NETWORKS[name][1])}

    def job(which: tuple[str, int], tick: Tick) -> tuple[Checkpoint, Run]:
        found = checkpoint.load(paths[which]) if which in paths else _dense(stage, splits["frames"], which[1])
        tick()
        return found, loss_run(found, splits[NETWORKS[which[0]][0]].test, which[1])

    done = dict(zip(jobs, run_jobs(job, jobs, label=stage.name, total=1), strict=True))
    runs = {f"{name}-seed{seed}": made for (name, seed), (_, made) in done.items()}
    summary: dict[str, float] = {}
    for name, (slot, _) in NETWORKS.items():
        own = [runs[f"{name}-seed{seed}"] for seed in seeds]
        if not any(REASON in made.details for made in own):
            own[0].details |= proof(to_integer(done[name, seeds[0]][0]), splits[slot].test, settings.samples)
        if all(made.metrics for made in own):
            summary |= summarise(own, prefix=f"{name}/") | proved(own[0], f"{name}/")
    for seed in seeds:
        checkpoint.save(done[MADE, seed][0], stage.out / "checkpoints" / f"{MADE}-seed{seed}.safetensors")
    differing = [summary[key] for name in NETWORKS if (key := f"{name}/lava/differing") in summary]  # of those that have run on Lava
    summary |= {
        "networks": float(len(differing)),
        "networks_equal": float(differing.count(0.0)),
        "networks_unported": float(len(NETWORKS) - len(differing)),
    }
    return Record(summary=summary, runs=runs)


def _dense(stage: Stage, splits: Splits, seed: int) -> Checkpoint:
    settings = stage.config.p5_lava
    recipe = replace(stage.config.p1.frames, model="spiking_mlp", model_args={"width": settings.width}, epochs=settings.epochs)
    return train_one(recipe, splits, time_steps=stage.config.data.frames.time_steps, seed=stage.seed(seed), guard=False)[0]


if __name__ == "__main__":
    main(run)
