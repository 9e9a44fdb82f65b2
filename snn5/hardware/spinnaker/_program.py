"""The PyNN program of a network: run as a file, by a process of its own, in a folder that holds nothing else.

    python -P _program.py spiNNaker      on the board that spynnaker.cfg names, or mapped onto a virtual one
    python -P _program.py nest           the same program on NEST, to see that it says what it should

It reads network.json (populations, projections, sources, samples) and arrays.npz, and writes spikes.npz. It imports nothing of ours, since
sPyNNaker wants a home and a working directory of its own, which its caller makes for it. One sample is one run, and a reset follows.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

SIGN = {"nest": -1.0, "spiNNaker": 1.0}  # of inhibitory weights: sPyNNaker stores magnitudes, NEST adds what it is given


def main(backend: str) -> None:
    """Build, run every sample, write what fired."""
    plan = json.loads(Path("network.json").read_text(encoding="utf-8"))
    arrays = dict(np.load("arrays.npz"))
    sim = importlib.import_module(f"pyNN.{backend}")
    sim.setup(timestep=1.0, min_delay=1.0, **({"spike_precision": "on_grid", "max_delay": 144.0} if backend == "nest" else {}))
    if backend == "spiNNaker":
        for kind in (sim.IF_curr_delta, sim.SpikeSourceArray):
            sim.set_number_of_neurons_per_core(kind, plan["neurons_per_core"])
    nodes = {one["name"]: _population(sim, backend, one, arrays) for one in plan["populations"]}
    for one in plan["sources"]:
        source = sim.SpikeSourceArray(spike_times=_times(sim, backend, one, arrays, 0, 0.0))
        nodes[one["name"]] = sim.Population(one["size"], source, label=one["name"])
    for k, one in enumerate(plan["projections"]):
        sign = SIGN[backend] if one["receptor"] == "inhibitory" else 1.0
        rows = np.column_stack([arrays[f"pre{k}"], arrays[f"post{k}"], sign * arrays[f"weight{k}"], arrays[f"delay{k}"]])
        connector = sim.FromListConnector(rows if backend == "spiNNaker" else [(int(a), int(b), w, d) for a, b, w, d in rows])
        sim.Projection(nodes[one["source"]], nodes[one["target"]], connector, sim.StaticSynapse(), receptor_type=one["receptor"])
    found: dict[str, Any] = {}
    for sample in range(plan["samples"]):
        start = 0.0 if backend == "spiNNaker" else float(sim.get_current_time())
        _begin(sim, backend, nodes, plan, arrays, sample, start)
        sim.run(plan["run_ms"])
        for one in plan["populations"]:
            if one["record"] == "spikes":
                trains = nodes[one["name"]].get_data("spikes", clear=True).segments[-1].spiketrains
                found |= _spikes(trains, one["name"], sample, start)
        if backend == "spiNNaker" and sample + 1 < plan["samples"]:
            sim.reset()
    sim.end()
    np.savez("spikes.npz", **found)


def _population(sim: Any, backend: str, one: dict[str, Any], arrays: dict[str, Any]) -> Any:
    given = {key: one[key] for key in ("tau_m", "cm", "tau_refrac")}
    cell = sim.IF_curr_delta(v_rest=0.0, v_reset=0.0, v_thresh=1.0, i_offset=0.0, **given)
    own = {"additional_parameters": {"max_expected_summed_weight": one["expected"]}} if backend == "spiNNaker" else {}
    made = sim.Population(one["size"], cell, label=one["name"], initial_values={"v": 0.0}, **own)
    made.set(v_thresh=arrays["v_thresh:" + one["name"]])
    if one["record"] == "spikes" or backend == "spiNNaker":  # PyNN knows no potential of this cell on NEST
        made.record(one["record"])
    return made


def _begin(sim: Any, backend: str, nodes: dict[str, Any], plan: dict[str, Any], arrays: dict[str, Any], sample: int, start: float) -> None:
    """Potentials at 0, and the sources' spikes of this sample."""
    for one in plan["sources"] if sample else ():
        nodes[one["name"]].set(spike_times=_times(sim, backend, one, arrays, sample, start))
    if backend == "nest":  # initial_values reach no parameter of NEST's neuron
        for one in plan["populations"]:
            nodes[one["name"]].node_collection.V_m = 0.0


def _times(sim: Any, backend: str, one: dict[str, Any], arrays: dict[str, Any], sample: int, start: float) -> list[Any]:
    neuron, time = arrays[f"neuron:{one['name']}:{sample}"], arrays[f"time:{one['name']}:{sample}"] + start
    times = [np.sort(time[neuron == k]).tolist() for k in range(one["size"])]
    return [sim.Sequence(t) for t in times] if backend == "nest" else times


def _spikes(trains: Any, name: str, sample: int, start: float) -> dict[str, Any]:
    neuron = [k for k, train in enumerate(trains) for _ in range(len(train))]
    time = [float(t) - start for train in trains for t in train]
    return {f"neuron:{name}:{sample}": np.asarray(neuron, np.int64), f"time:{name}:{sample}": np.asarray(time, np.float64)}


if __name__ == "__main__":
    main(sys.argv[1])
