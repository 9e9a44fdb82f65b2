"""A network on Lava's fixed-point simulation of Loihi 2, samples one after the other (P5.2).

    source --Sparse--> Neurons --Sparse--> Neurons ... --Sparse--> Record          extra delays: DelaySparse

Samples follow each other without a gap, T steps each; every population is reset when a sample reaches it (offset depth + 1, since Lava
counts steps from 1 and a population of depth l sees a sample l steps late). Most of Lava's cost is per process and step, so a run has
several such streams side by side, copies of the network that share nothing. Weights go in doubled with weight_exp = -1: where Loihi's
synapses have both signs they drop the lowest bit, which is 0 then, and 2 w / 2 is w.
"""

import tempfile
from typing import Any

import numpy as np
from scipy.sparse import block_diag

from snn5.errors import NotPortable, UserError
from snn5.hardware._integer_network import INPUT, Int, IntegerNetwork, Trace
from snn5.hardware._lava_import import lava_importable
from snn5.hardware._lava_plan import Plan, Wiring, per_neuron, plan

INPUT_BITS = 8
STREAM = 16  # samples in one stream, at least
LARGEST_COPY = 6_000_000  # synapses in all copies
LARGEST_CURRENT = 2**15 - 1


def run(network: IntegerNetwork, x_TNCHW: Int, *, how: Plan | None = None) -> Trace:
    """What Lava's processes do with the samples.

    Args:
        x_TNCHW: as `IntegerNetwork.run`; values 0 to 255.
        how: another plan than the network's own (for tests).

    Raises:
        NotPortable: input of more than 8 bits; a current outside the 16 bits of Loihi's dendrites (its CPU simulation has no such limit);
            what `plan` refuses.
        UserError: shape of the input, or an input below 0; Lava is not installed.
    """
    x_TNCHW = np.asarray(x_TNCHW, np.int64)
    steps = network.time_steps
    if x_TNCHW.ndim != 5 or x_TNCHW.shape[2:] != network.input_shape or x_TNCHW.shape[0] not in (1, steps):
        need = ", ".join(map(str, network.input_shape))
        raise UserError(f"input of shape {list(x_TNCHW.shape)}; need [1 or {steps}, N, {need}]")
    if x_TNCHW.min(initial=0) < 0 or x_TNCHW.max(initial=0) >= 2**INPUT_BITS:
        kind = UserError if x_TNCHW.min() < 0 else NotPortable
        raise kind(f"input from {x_TNCHW.min()} to {x_TNCHW.max()}; need 0 to {2**INPUT_BITS - 1}, what a graded spike carries here")
    how = how or plan(network)
    n, classes = x_TNCHW.shape[1], len(network.readout.bias)
    copies = _copies(n, how)
    length = -(-n // copies)  # samples in a stream; the last stream repeats the last sample
    index_CL = np.minimum(np.arange(copies * length), n - 1).reshape(copies, length)
    shown = np.broadcast_to(x_TNCHW, (steps, *x_TNCHW.shape[1:]))[:, index_CL].reshape(steps, copies, length, -1)
    frames = shown.transpose(2, 0, 1, 3).reshape(length * steps, -1)  # [time, copies x neurons]
    rasters, currents = _simulate(network, frames, how, copies)

    def samples(record: np.ndarray, late: int) -> np.ndarray:
        """[copies x neurons, time] -> [T, N, neurons]."""
        cut = record[:, late : late + length * steps].reshape(copies, -1, length, steps)
        return cut.transpose(3, 0, 2, 1).reshape(steps, copies * length, -1)[:, :n]

    spikes, peak = {}, {}
    for p in network.populations:
        spikes[p.name] = samples(rasters[p.name], how.depth[p.name]).reshape(steps, n, *p.shape).astype(np.uint8)
    logits = samples(currents, how.readout_depth).reshape(steps, n, classes)
    for p in network.populations:
        peak[p.name] = _peak(how.wiring[p.name], per_neuron(p.bias, p), spikes, x_TNCHW)
        if peak[p.name] > LARGEST_CURRENT:
            raise NotPortable(f"population {p.name}: a current of {peak[p.name]} leaves Loihi's 16 bits; port with fewer bits for weights")
    return Trace(spikes=spikes, logits_TNK=logits.astype(np.int64) + network.readout.bias, peak=peak)


def _copies(samples: int, how: Plan) -> int:
    synapses = sum(wiring.weights.nnz for wirings in how.wiring.values() for wiring in wirings)
    return max(1, min(-(-samples // STREAM), LARGEST_COPY // max(synapses, 1)))


def _simulate(network: IntegerNetwork, frames: Int, how: Plan, copies: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Spikes [copies x neurons, steps] by population and read-out currents [copies x classes, steps]. frames: [steps, copies x input]."""
    try:
        from snn5.hardware import _lava_neurons as lava_neurons
    except ImportError as error:
        how_to = "pip install --no-deps --ignore-requires-python lava-nc==0.10.0 asteval==0.9.33"
        raise UserError(f"Lava is not installed ({error}); install it with `{how_to}`, `snn5 doctor` checks it") from error
    with lava_importable():
        from lava.magma.core.run_conditions import RunSteps
        from lava.magma.core.run_configs import Loihi2SimCfg
        from lava.proc.io.source import PySendModelFixed, RingBuffer

    total = len(frames) + how.readout_depth
    padded = np.zeros((frames.shape[1], total), np.int32)
    padded[:, : len(frames)] = frames.T
    folder = tempfile.TemporaryDirectory(prefix="snn5-lava-")
    source = RingBuffer(data=padded)
    made: dict[str, Any] = {INPUT: source}
    models: dict[Any, Any] = {source: PySendModelFixed}  # by process: else Lava runs every file of a process's folder to look for models
    for p in network.populations:
        neurons = lava_neurons.Neurons(
            thresholds=np.tile(per_neuron(p.threshold, p), copies),
            biases=np.tile(per_neuron(p.bias, p), copies),
            decay=p.decay,
            reset_interval=network.time_steps,
            reset_offset=how.depth[p.name] + 1,
            once=p.once,
            steps=total,
            file=f"{folder.name}/{len(made)}.npy",
        )
        made[p.name] = neurons
        for wiring in how.wiring[p.name]:
            models |= _connect(wiring, copies, made[wiring.source].s_out, neurons.a_in)
        models[neurons] = lava_neurons.PyNeurons
    record = lava_neurons.Record(classes=copies * len(network.readout.bias), steps=total, file=f"{folder.name}/logits.npy")
    for wiring in how.wiring[""]:
        models |= _connect(wiring, copies, made[wiring.source].s_out, record.a_in)
    models[record] = lava_neurons.PyRecord
    with folder:
        try:
            config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models)
            source.run(condition=RunSteps(num_steps=total), run_cfg=config)
        finally:
            source.stop()
        rasters = {p.name: np.load(f"{folder.name}/{i}.npy") for i, p in enumerate(network.populations, start=1)}
        return rasters, np.load(f"{folder.name}/logits.npy")


def _connect(wiring: Wiring, copies: int, s_out: Any, a_in: Any) -> dict[Any, Any]:
    """Put synapses between two ports; the process and its model."""
    from snn5.hardware import _lava_neurons as lava_neurons

    with lava_importable():
        from lava.proc.sparse.models import PySparseModelBitAcc
        from lava.proc.sparse.process import Sparse
    bits = INPUT_BITS if wiring.source == INPUT else 1  # spikes as messages of one bit: Lava multiplies these, others it picks columns for
    weights = block_diag([wiring.weights * 2] * copies, format="csr", dtype=np.int32)
    given: dict[str, Any] = {"weights": weights, "weight_exp": -1, "num_message_bits": bits}
    if wiring.delay:
        delays = wiring.weights.copy()
        delays = weights.astype(np.int64)
        delays.data[:] = wiring.delay
        synapses = lava_neurons.Delayed(delays=delays, **given)
    else:
        synapses = Sparse(**given)
    s_out.connect(synapses.s_in)
    synapses.a_out.connect(a_in)
    return {synapses: lava_neurons.PyDelayed if wiring.delay else PySparseModelBitAcc}


def _peak(wirings: tuple[Wiring, ...], bias: np.ndarray, spikes: dict[str, np.ndarray], x_TNCHW: Int) -> int:
    """Largest |A + b|, from the recorded spikes."""
    total: Any = bias.astype(np.int64)[:, None]
    for wiring in wirings:
        seen = x_TNCHW if wiring.source == INPUT else spikes[wiring.source]
        flat = np.broadcast_to(seen, (max(len(s) for s in spikes.values()), *seen.shape[1:])).reshape(-1, wiring.weights.shape[1])
        total = total + wiring.weights.astype(np.int64) @ flat.T.astype(np.int64)
    return int(np.abs(total).max(initial=0))
