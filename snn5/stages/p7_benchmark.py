"""P7.3: what P1's networks cost and how well they answer, beside their ReLU twins.

    python -m snn5.stages.p7_benchmark

Every network of p1_train is measured on the test set (weights of the epoch chosen on validation). Each spiking one is compared with the
twin of the same data and seed, each at its own accuracy. On one batch the counts are checked against SpikingJelly's; differences must be 0.
Expected energy (FP32 arithmetic) over the dense twin's, 3 seeds, n = 450: about 0.11 on frames, 0.16 on events; twice that over the twin
that skips zeros. With memory traffic about 0.55 and 1.0, and 1.0 and 1.9: little gain there. 10 s on two cores.
Out: metrics.json (each run's details hold its Measurement and the check), curves.csv (rates and operations over the layer's position).
"""

from pathlib import Path

from snn5 import checkpoint
from snn5.benchmark import Measurement, compare, cross_check, measure
from snn5.datasets import Split, load_split
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._stage import Stage, main
from snn5.statistics import summarise
from snn5.training import in_order, samples

SLOTS, SNN, TWIN = ("frames", "events"), "sew_resnet", "ann_twin"
CHECKED = 64  # samples in the batch that both counters see


def run(stage: Stage) -> Record:
    """Measure all seeds in parallel."""
    tests = {slot: load_split(stage.input(f"data/p7_data/{slot}/test.safetensors")) for slot in SLOTS}
    jobs = [(slot, seed) for slot in SLOTS for seed in stage.config.seeds]
    paths = {
        (family, slot, seed): stage.input(f"data/p1_train/{family}-{slot}/checkpoints/seed{seed}.safetensors")
        for family in (SNN, TWIN)
        for slot, seed in jobs
    }

    def job(which: tuple[str, int], tick: Tick) -> dict[str, Run]:
        slot, seed = which
        measured = {family: _measure(paths[family, slot, seed], tests[slot], seed) for family in (SNN, TWIN)}
        (snn, snn_check), (twin, twin_check) = measured[SNN], measured[TWIN]
        tick()
        return {f"{SNN}-{slot}-seed{seed}": _run(compare(snn, twin), snn_check), f"{TWIN}-{slot}-seed{seed}": _run(twin, twin_check)}

    runs: dict[str, Run] = {}
    for found in run_jobs(job, jobs, label=stage.name, total=1):
        runs |= found
    summary: dict[str, float] = {}
    for family in (SNN, TWIN):
        for slot in SLOTS:
            own = [runs[f"{family}-{slot}-seed{seed}"] for seed in stage.config.seeds]
            summary |= summarise(own, prefix=f"{family}-{slot}/")
    return Record(summary=summary, runs=runs)


def _measure(path: Path, test: Split, seed: int) -> tuple[Measurement, dict[str, float]]:
    source = checkpoint.load(path)
    x_TNCHW, _ = next(in_order(samples(test), CHECKED))
    return measure(source, test, seed=seed, protocol="val_selected"), cross_check(source.build(), x_TNCHW)


def _run(m: Measurement, check: dict[str, float]) -> Run:
    curves = {
        "cost/layer_spike_rate": list(enumerate(m.spike_rate.values())),
        "cost/layer_synops": [(i, layer.macs + layer.acs) for i, layer in enumerate(m.layers.values())],
    }
    memory = {f"cost/memory_ratio_{rival}": ratio["memory"] for rival, ratio in m.ratios.items() if ratio is not None}
    metrics = m.metrics() | {"cost/energy_memory_pj": m.energy_pj["memory"]} | memory
    details = {"measurement": m.to_json(), "cross_check": check}
    return Run(
        params={"seed": m.seed, "n_test": m.n, "T": m.time_steps},
        metrics=metrics,
        curves={k: v for k, v in curves.items() if v},
        details=details,
    )


if __name__ == "__main__":
    main(run)
