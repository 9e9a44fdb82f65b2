"""The integer network on NEST (P5.3): a simulator that others wrote must find the same spikes.

NEST's `iaf_psc_delta` with t_ref = 0 does in each step, for a potential V in weight steps:

    V = exp(-1 / tau_m) V + sum of arriving weights;   if V >= V_th: spike, V = 0

Against the reference: V_th is the next float above theta (the reference is strict), tau_m gives the decay (4096 - d) / 4096, and nothing
is rounded (`exact_step`), where the reference rounds to 1/64 of a weight step, towards zero.
A synapse takes at least one step, so a population of level l (`levels`) spikes l steps late and shortcuts get longer delays. Samples follow
one another: T steps of input, a step that pulls every potential down to V_min, and one that adds what takes it to 0 exactly. Neurons that
fire once are refractory for the rest of a sample (T - 1 steps), and all samples then rest for as long before they are cleared.
Source: Gewaltig & Diesmann, NEST, Scholarpedia 2(4), 2007; `iaf_psc_delta` of NEST 3.10.
"""

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn5.errors import UserError
from snn5.hardware._integer_network import INPUT, ONE, Int, IntegerNetwork, Population, Trace
from snn5.hardware.spinnaker._connections import READOUT, expand, levels, shapes

BOTTOM = 2.0**18  # below any potential of the reference, which has 24 bits of 1/64
CLEAR = 2  # steps after each sample
FIRST = 1  # time of the first input


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """When the samples begin: each takes `steps` of input, `rest` for those that fired to hear again, and CLEAR."""

    samples: int
    steps: int
    rest: int

    @property
    def period(self) -> int:
        return self.steps + self.rest + CLEAR

    @property
    def starts(self) -> Int:
        return FIRST + np.arange(self.samples) * self.period


def time_constant(decay: int) -> float:
    """tau_m in steps with exp(-1 / tau_m) = (4096 - d) / 4096: exact in float64 for 3 268 of the 4 097 decays, else at most 5 ulp off."""
    if decay in (0, ONE):
        return 1e20 if decay == 0 else 1e-3
    kept = (ONE - decay) / ONE
    near = [-1 / math.log(kept)]
    for _ in range(16):
        near = [math.nextafter(near[0], 0), *near, math.nextafter(near[-1], math.inf)]
    return min(near, key=lambda tau: abs(math.exp(-1 / tau) - kept))


def exact_step(v: Any, current: Int, population: Population) -> tuple[Any, Int]:
    """The neuron without rounding, for `IntegerNetwork.run(step=...)`: V exp(-1 / tau_m) + A + b in float64, in weight steps."""
    v = v * math.exp(-1 / time_constant(population.decay)) + current
    s = (v > population.threshold[:, None, None]).astype(np.int64)
    return v * (1 - s), s


def run_nest(network: IntegerNetwork, x_TNCHW: Int) -> Trace:
    """Run every sample on NEST.

    Args:
        x_TNCHW: whole numbers, [1 or T, N, C, H, W]; a value is the multiplicity (and sign) of the spike that a generator sends.

    Returns:
        What NEST's neurons did, delays taken out. `peak` is empty: NEST does not tell.

    Raises:
        UserError: NEST is missing; the input's shape; a spike in a step where none can be (delays that do not match).
    """
    nest = _import_nest()
    x = np.broadcast_to(x_TNCHW, (network.time_steps, *x_TNCHW.shape[1:])) if len(x_TNCHW) == 1 else x_TNCHW
    if x.shape != (network.time_steps, x.shape[1], *network.input_shape):
        raise UserError(
            f"input of shape {list(x_TNCHW.shape)}; need [1 or {network.time_steps}, N, {', '.join(map(str, network.input_shape))}]"
        )
    nest.ResetKernel()
    nest.resolution, nest.local_num_threads = 1.0, 1
    lag, size, steps = levels(network), shapes(network), network.time_steps
    calendar = Calendar(samples=x.shape[1], steps=steps, rest=steps if any(p.once for p in network.populations) else 0)
    nodes = {INPUT: _generators(nest, x, calendar)}
    for p in network.populations:
        nodes[p.name] = nest.Create("iaf_psc_delta", math.prod(p.shape), params=_parameters(p, steps))
        _per_channel(nest, nodes[p.name], "V_th", _threshold(p.threshold), p.shape)
    classes = len(network.readout.bias)  # V = A + b of one step: a gate that never fires
    nodes[READOUT] = nest.Create("iaf_psc_delta", classes, params=_neuron(tau_m=time_constant(ONE)))
    parts = [(p.name, p.synapses, p.bias, math.exp(-1 / _parameters(p, steps)["tau_m"])) for p in network.populations]
    for name, synapses, bias, kept in [*parts, (READOUT, network.readout.synapses, network.readout.bias, 0.0)]:
        for one in synapses:
            listed = expand(one, size[one.source], size[name])
            delay = np.full(len(listed.pre), _delay(lag[one.source], lag[name]))
            _connect(nest, nodes[one.source], nodes[name], listed.pre, listed.post, listed.weight, delay)
        _clocks(nest, nodes[name], np.repeat(bias, math.prod(size[name][1:])), kept, lag[name], calendar)
    spikes, potentials = nest.Create("spike_recorder"), nest.Create("multimeter", params={"record_from": ["V_m"]})
    for p in network.populations:
        nest.Connect(nodes[p.name], spikes)
    nest.Connect(potentials, nodes[READOUT])
    nest.Simulate(float(FIRST + calendar.samples * calendar.period + lag[READOUT] + 1))
    return _trace(network, calendar, lag, nodes, spikes.events, potentials.events)


def _import_nest() -> Any:
    os.environ.setdefault("PYNEST_QUIET", "1")
    try:
        import nest
    except ImportError as error:
        raise UserError("NEST is not installed; `pip install nest-simulator==3.10.0` brings it") from error
    nest.verbosity = nest.VerbosityLevel.ERROR
    return nest


def _neuron(*, tau_m: float, t_ref: float = 0.0) -> dict[str, float]:
    at_zero = {"E_L": 0.0, "V_reset": 0.0, "V_m": 0.0, "I_e": 0.0}
    return {**at_zero, "tau_m": tau_m, "C_m": 1.0, "t_ref": t_ref, "V_th": math.inf, "V_min": -BOTTOM}


def _parameters(population: Population, steps: int) -> dict[str, float]:
    return _neuron(tau_m=time_constant(population.decay), t_ref=steps - 1.0 if population.once else 0.0)


def _threshold(theta: Int) -> NDArray[np.float64]:
    """The smallest potential above theta: NEST fires at its threshold, the reference above it."""
    return np.nextafter(theta.astype(np.float64), math.inf)


def _delay(source: int, target: int) -> float:
    return float(target - source)


def _per_channel(nest: Any, nodes: Any, key: str, values: NDArray[np.float64], shape: tuple[int, int, int]) -> None:
    if len(set(values.tolist())) == 1:
        nodes.set({key: float(values[0])})
    else:
        nodes.set({key: np.repeat(values, shape[1] * shape[2]).tolist()})


def _generators(nest: Any, x: Int, calendar: Calendar) -> Any:
    """One per input: a spike at each step where its value is not 0, as heavy as the value."""
    steps, samples = x.shape[:2]
    flat = x.reshape(steps, samples, -1)
    start = calendar.starts[None] + np.arange(steps)[:, None]
    nodes = nest.Create("spike_generator", flat.shape[2])
    listed = []
    for values in np.moveaxis(flat, 2, 0):
        order = np.argsort(start[values != 0])
        times, weights = start[values != 0][order], values[values != 0][order]
        listed.append({"spike_times": times.astype(float), "spike_weights": weights.astype(float)})
    nodes.set(listed)
    return nodes


def _clocks(nest: Any, nodes: Any, bias: Int, kept: float, lag: int, calendar: Calendar) -> None:
    """The bias of every step of a sample, and the two steps that clear the potential: down to V_min, and up by what is left of that."""
    start, last = calendar.starts, calendar.starts + calendar.period - 1
    # Not I_e: NEST scales a current by 1 - exp(-1 / tau_m), which is 0 in float64 for a neuron that forgets nothing.
    beats = (start[:, None] + np.arange(calendar.steps)).ravel(), last - 1, last
    everyone, own = np.arange(len(bias)), np.flatnonzero(bias)
    weights = bias[own].astype(float), np.full(len(bias), -4 * BOTTOM), np.full(len(bias), kept * BOTTOM)
    for times, post, weight in zip(beats, (own, everyone, everyone), weights, strict=True):
        clock = nest.Create("spike_generator", params={"spike_times": times.astype(float)})
        _connect(nest, clock, nodes, np.zeros(len(post), np.int64), post, weight, np.full(len(post), float(lag)))


def _connect(nest: Any, source: Any, target: Any, pre: Int, post: Int, weight: Any, delay: NDArray[np.float64]) -> None:
    if len(pre):
        spec = {"weight": np.asarray(weight, float), "delay": delay}
        nest.Connect(pre + source[0].global_id, post + target[0].global_id, "one_to_one", spec)


def _trace(network: IntegerNetwork, calendar: Calendar, lag: dict[str, int], nodes: Any, spikes: Any, potentials: Any) -> Trace:
    period, steps, samples = calendar.period, calendar.steps, calendar.samples
    sender, time = np.asarray(spikes["senders"]), np.rint(spikes["times"]).astype(np.int64)
    found = {}
    for p in network.populations:
        first, count = nodes[p.name][0].global_id, math.prod(p.shape)
        mine = (sender >= first) & (sender < first + count)
        sample, step = np.divmod(time[mine] - FIRST - lag[p.name], period)
        if (step >= steps).any() or (sample < 0).any():
            raise UserError(f"population {p.name} fired between two samples on NEST; its delays do not match its place in the network")
        out = np.zeros((steps, samples, count), np.uint8)
        out[step, sample, sender[mine] - first] = 1
        found[p.name] = out.reshape(steps, samples, *p.shape)
    sample, step = np.divmod(np.rint(potentials["times"]).astype(np.int64) - FIRST - lag[READOUT], period)
    valid = (step < steps) & (sample >= 0) & (sample < samples)
    logits = np.zeros((steps, samples, len(network.readout.bias)), np.int64)
    place = np.asarray(potentials["senders"])[valid] - nodes[READOUT][0].global_id
    logits[step[valid], sample[valid], place] = np.rint(np.asarray(potentials["V_m"])[valid]).astype(np.int64)
    return Trace(spikes=found, logits_TNK=logits, peak={})
