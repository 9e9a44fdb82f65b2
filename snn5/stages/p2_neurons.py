"""P2.1, P2.2: PLIF against LIF from a good and from a bad initial time constant, and gated neurons beside them, on digits frames.

    python -m snn5.stages.p2_neurons

Claim (Fang et al. 2021): not a better best case, but insensitivity to tau0: LIF with tau0 = 16 falls apart, PLIF does not.
GLIF (P2.2) and the project's input-dependent gated neuron run in the same network from their own start (p2_neurons.others).
Out: metrics.json, curves.csv; the learned time constants of every layer are in each run's details.
"""

from dataclasses import replace
from itertools import product

import torch

from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._data import read_splits
from snn5.stages._stage import Stage, main
from snn5.statistics import summarise
from snn5.training import train_one

NEURONS = ("lif", "plif")


def run(stage: Stage) -> Record:
    """Train every neuron from every tau0 with every seed; the seed is shared, so that only the neuron differs."""
    settings = stage.config.p2_neurons.train
    taus, others, seeds = stage.config.p2_neurons.taus, stage.config.p2_neurons.others, stage.config.seeds
    splits, parents = read_splits(stage, "frames")
    time_steps = stage.config.data.frames.time_steps

    def job(variant: tuple[str, float | None, int], tick: Tick) -> Run:
        neuron, tau, seed = variant
        start = {} if tau is None else {"neuron_args": {**settings.model_args.get("neuron_args", {}), "tau": tau}}
        own = replace(settings, neuron=neuron, model_args={**settings.model_args, **start})
        trained, result = train_one(
            own,
            splits,
            time_steps=time_steps,
            seed=stage.seed(seed),
            parents=parents,
            tick=tick,
            guard=False,
            resume=stage.resume(neuron, f"tau{tau}", f"seed{seed}"),
            keep_finished=True,
        )
        result.params |= {"seed": seed, "neuron": neuron} | ({} if tau is None else {"tau0": tau})
        result.metrics["cost/spike_rate_min"] = min(result.details["rates"].values())  # a collapsed layer is a finding here, not an error
        # 1/tau = sigmoid(w), one w per PLIF layer
        learned = {name.removesuffix(".w"): 1 / torch.sigmoid(w).item() for name, w in trained.state.items() if name.endswith(".w")}
        result.details["tau"] = learned
        return result

    variants = [*product(NEURONS, taus, seeds), *product(others, [None], seeds)]
    results = run_jobs(job, variants, label=stage.name, total=settings.epochs)
    runs: dict[str, Run] = {}
    summary: dict[str, float] = {}
    for neuron, tau in dict.fromkeys(v[:2] for v in variants):
        own = {f"seed{v[2]}": r for v, r in zip(variants, results, strict=True) if v[:2] == (neuron, tau)}
        label = neuron if tau is None else f"{neuron}-tau{tau:g}"
        runs |= {f"{label}-{name}": result for name, result in own.items()}
        summary |= summarise(own.values(), prefix=f"{label}/")
    low, high = min(taus), max(taus)
    for neuron in NEURONS:  # what a bad start costs
        summary[f"{neuron}/acc_lost_to_tau0"] = summary[f"{neuron}-tau{low:g}/test/acc"] - summary[f"{neuron}-tau{high:g}/test/acc"]
    return Record(summary=summary, runs=runs)


if __name__ == "__main__":
    main(run)
