"""P8's origin as a documented regression: the early prototype's numbers, as published, with its defects mended, and what caused them.

    python -m experiments.prototype

Three models (thresholds that drift, on Poisson spikes and on latencies; inhibition and competition on Poisson spikes), five seeds each,
rebuilt from a description of the published program. `published` has all its defects, `mended` none, `no_stdp` is as published without any
plasticity of weights, `theta_frozen` as published but for thresholds that stay as they are while it is tested.
Measured (accuracy, rate; its code run again gave the figures in brackets): Poisson 100 %, 0.0944 (100, 0.0936); latencies 93.3 +- 2.4 %,
0.0557 (88.8 +- 4.7, 0.0558); inhibition 88.3 +- 9.4 %, 0.1117 (90.8 +- 4.7, 0.1128). Latencies with frozen thresholds: 53.0 %, chance.
Without STDP the first two do as well (100 and 94.0 %); with it the pool of 12 % density becomes 77 % dense, or empty, and inhibition is
wiped out. Mended, inhibition stays and the third needs a tenth of the spikes (99.7 %, 0.0118), but latencies reach 72.7 % only.
20 CPU seconds.
Out: experiments/results/prototype.json.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments._start import start
from snn5.bio.prototype import FLAWS, MENDED, MODELS, prototype_trial
from snn5.files import write_json
from snn5.parallel import Tick, run_jobs
from snn5.record import Run
from snn5.statistics import mean_sd

SEEDS = tuple(range(2028, 2033))
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "published": {"flaws": FLAWS},
    "mended": {"flaws": MENDED},
    "no_stdp": {"flaws": FLAWS, "plastic": False},
    "theta_frozen": {"flaws": FLAWS._replace(adapts_in_test=False)},
}
# What its authors committed (one seed), and what their public code gave when it was run again (ten seeds).
PUBLISHED = {"homeo_poisson": (1.0, 0.09326), "homeo_latency": (0.85, 0.05577), "ei_poisson": (0.733, 0.11971)}
RERUN = {"homeo_poisson": (1.0, 0.0936), "homeo_latency": (0.888, 0.0558), "ei_poisson": (0.908, 0.1128)}
RESULT = Path("experiments/results/prototype.json")


def main() -> None:
    """Run all models, variants and seeds, and write the table."""
    jobs = [(model, variant, seed) for model in MODELS for variant in VARIANTS for seed in SEEDS]

    def work(job: tuple[str, str, int], tick: Tick) -> Run:
        model, variant, seed = job
        made = prototype_trial(model, seed=seed, **VARIANTS[variant])
        tick()
        return made

    runs = dict(zip(jobs, run_jobs(work, jobs, label="prototype", total=1), strict=True))
    table = {
        model: {variant: entry_of([runs[model, variant, seed] for seed in SEEDS]) for variant in VARIANTS}
        | {"committed": dict(zip(("test/acc", "test/rate"), PUBLISHED[model], strict=True))}
        | {"rerun": dict(zip(("test/acc", "test/rate"), RERUN[model], strict=True))}
        for model in MODELS
    }
    write_json(RESULT, {"command": "python -m experiments.prototype", "seeds": list(SEEDS), "models": table})


def entry_of(runs: list[Run]) -> dict[str, Any]:
    """Means and spreads over seeds."""
    entry: dict[str, Any] = {"n": runs[0].details["n_test"], "seeds": len(runs)}
    for key in sorted(runs[0].metrics):
        entry[key], entry[f"{key}_sd"] = mean_sd(run.metrics[key] for run in runs)
    return entry


if __name__ == "__main__":
    start(main)
