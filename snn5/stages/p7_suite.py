"""P7.3: the suite, every network that the pipeline keeps by the same measures on the same test sets.

    python -m snn5.stages.p7_suite

Accuracy, SynOps, spike rate, energy, parameters and bytes, and for events the accuracy with the steps in reverse order: a network that
answers as well does not use their order. Latency is no figure of a stage (`snn5 bench suite`). Networks without a checkpoint (P2.3, P8)
have their figures in their own records. Expected with time reversed: one to five points lost, and nearly all of the accuracy by HsVT with
LSTMs, which alone lives on order. A minute on one core.
Out: metrics.json (`<stage>[/<variant>]/<metric>`; each run's rates by layer), curves.csv.
"""

from pathlib import Path

from snn5.datasets import load_split
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._stage import Stage, main
from snn5.stages._suite import row_of, suite_run
from snn5.statistics import summarise

FOLDERS = (
    "data/p1_train/sew_resnet-frames/checkpoints",
    "data/p1_train/sew_resnet-events/checkpoints",
    "data/p1_train/ann_twin-frames/checkpoints",
    "data/p1_train/ann_twin-events/checkpoints",
    "data/p1_depth/checkpoints",
    "data/p1_contrast/spikingformer/checkpoints",
    "data/p1_contrast/hsvt/checkpoints",
    "data/p1_contrast/dta/checkpoints",
    "data/p1_contrast/staa/checkpoints",
    "data/p3_tune/checkpoints",
    "data/p4_sparsify/checkpoints",
    "data/p4_prune/checkpoints",
    "data/p4_quantize/checkpoints",
    "data/p5_cutoff/frames/checkpoints",
    "data/p5_cutoff/events/checkpoints",
    "data/p6_integrate/frames/checkpoints",
    "data/p6_integrate/events/checkpoints",
)


def run(stage: Stage) -> Record:
    """Measure every checkpoint of every seed, several at once."""
    found = [load_split(stage.input(f"data/p7_data/{slot}/test.safetensors")) for slot in ("frames", "events")]
    tests = {str(split.info["dataset"]): split for split in found}
    jobs = [(path, seed) for folder in FOLDERS for seed in stage.config.seeds for path in _checkpoints(stage, folder, seed)]

    def job(which: tuple[Path, int], tick: Tick) -> Run:
        made = suite_run(which[0], tests, which[1])
        tick()
        return made

    made = dict(zip(jobs, run_jobs(job, jobs, label=stage.name, total=1), strict=True))
    rows: dict[str, list[Run]] = {}
    for (path, _), result in made.items():
        rows.setdefault(row_of(path), []).append(result)
    summary: dict[str, float] = {}
    for row, results in rows.items():
        summary |= summarise(results, prefix=f"{row}/")
    runs = {f"{row}-seed{result.params['seed']}": result for row, results in rows.items() for result in results}
    return Record(summary=summary, runs=runs, details={"networks": list(rows)})


def _checkpoints(stage: Stage, folder: str, seed: int) -> list[Path]:
    """The seed's checkpoints in `folder`, one per variant; a folder without any is an error that names the command."""
    there = sorted(Path(folder).glob(f"*seed{seed}.safetensors")) or [Path(folder, f"seed{seed}.safetensors")]
    return [stage.input(path) for path in there]


if __name__ == "__main__":
    main(run)
