"""The chip's arithmetic without the chip (P5.3): s16.15, ring buffers of 16 bits, thresholds that count.

All potentials and currents are whole multiples of 2^-15. A weight is stored as 16 bits without a sign, w 2^(15 - shift) rounded to the
nearest; excitatory and inhibitory spikes add up in ring buffers of their own, which stay at 65535 when they are full and are shifted left
by `shift` as they are read. Products are rounded to the nearest. Then as `_cells.py` says, and with it sPyNNaker's C code.
Delays are left out: they match (`levels`), so every population does late what it does here.
Source: sPyNNaker's neural_modelling, `neuron_model_lif_impl.h`, `synapses.c`; Hopkins & Furber, Neural Computation 2015.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn5.errors import NotPortable
from snn5.hardware._integer_network import INPUT, Int, IntegerNetwork, Population, Synapses, Trace
from snn5.hardware.spinnaker._cells import Cell, magnitude, readout_population, signed
from snn5.hardware.spinnaker._connections import READOUT
from snn5.hardware.spinnaker._fixed import ACCUM, accum, membrane

FULL = 65535  # of a ring buffer
LARGEST = 2**31 - 1  # of an accum, in 2^-15


@dataclass(frozen=True, kw_only=True)
class Emulated:
    """What the chip would do.

    Attributes:
        trace: spikes, and logits rounded to weight steps.
        saturated: by population, ring buffers that were full, over neurons, samples and steps. overflow: potentials outside s16.15.
    """

    trace: Trace
    saturated: dict[str, int]
    overflow: dict[str, int]


def ring_buffer(synapses: tuple[Synapses, ...], bias: Int, spikes: dict[str, Int], shape: tuple[int, ...], scale: float) -> tuple[Int, int]:
    """The sum of a step, in the buffer's own unit, and how many buffers were full.

    Args:
        synapses, bias [C]: magnitudes of one sign, in weight steps. scale: buffer units in a weight step.

    Raises:
        NotPortable: a weight has more than 16 bits; sPyNNaker would cut them off without a word.
    """
    total = np.zeros((1, *shape), np.int64) + _stored(bias, scale)[:, None, None]
    for one in synapses:
        weight = _stored(one.weight, scale).astype(np.int32)
        total = total + replace(one, weight=weight).current(spikes[one.source]).reshape(-1, *shape)
    return np.minimum(total, FULL), int((total > FULL).sum())


def _stored(weight: NDArray[Any], scale: float) -> Int:
    stored = np.rint(weight * scale).astype(np.int64)
    if stored.max(initial=0) > FULL:
        raise NotPortable(f"a weight of {int(weight.max())} steps needs {int(stored.max())}, more than 16 bits; raise Cell.expected")
    return stored


def emulate(network: IntegerNetwork, x_TNCHW: Int, cells: dict[str, Cell]) -> Emulated:
    """Run every sample in s16.15.

    Args:
        x_TNCHW: whole numbers from 0, [1 or T, N, C, H, W]. Those above 1 are spikes of several sources, one for each binary digit.
        cells: from `calibrate`, on other samples.
    """
    x = np.broadcast_to(x_TNCHW, (network.time_steps, *x_TNCHW.shape[1:])).astype(np.int64)  # astype: a copy that torch may write
    populations = (*network.populations, readout_population(network))
    v = {p.name: np.zeros((x.shape[1], *p.shape), np.int64) for p in populations}
    wait = {p.name: np.zeros_like(v[p.name]) for p in populations}
    spikes: dict[str, list[NDArray[np.uint8]]] = {p.name: [] for p in populations}
    saturated, overflow = {p.name: 0 for p in populations}, {p.name: 0 for p in populations}
    logits = []
    for t in range(network.time_steps):
        out: dict[str, Int] = {INPUT: x[t]}
        for p in populations:
            cell = cells[p.name]
            current, full = _current(p, out, cell)
            hears = wait[p.name] == 0
            v[p.name] = np.where(hears, membrane(v[p.name], current, cell.tau_m, cell.cm), v[p.name])
            overflow[p.name] += int((np.abs(v[p.name]) > LARGEST).sum())
            saturated[p.name] += full
            s = hears & (v[p.name] >= accum(cell.v_thresh)[:, None, None])
            if p.name == READOUT:
                logits.append(np.rint(v[p.name].reshape(x.shape[1], -1) / (cell.unit * ACCUM)).astype(np.int64))
            v[p.name] = np.where(s, 0, v[p.name])
            wait[p.name] = np.where(s, math.ceil(cell.tau_refrac), np.maximum(wait[p.name] - 1, 0))
            out[p.name] = s.astype(np.int64)
            spikes[p.name].append(s.astype(np.uint8))
    found = {p.name: np.stack(spikes[p.name]) for p in network.populations}
    return Emulated(trace=Trace(spikes=found, logits_TNK=np.stack(logits), peak={}), saturated=saturated, overflow=overflow)


def _current(p: Population, out: dict[str, Int], cell: Cell) -> tuple[Int, int]:
    """exc - inh in 2^-15, [N, C, H, W], and how many ring buffers were full."""
    total, full = np.zeros((1, *p.shape), np.int64), 0
    for sign, shift in zip((1, -1), cell.shifts, strict=True):
        heard = tuple(signed(one, excitatory=sign > 0) for one in p.synapses)
        bias = magnitude(p.bias, excitatory=sign > 0)
        buffer, over = ring_buffer(heard, bias, out, p.shape, cell.unit * 2.0 ** (15 - shift))
        total, full = np.add(total, sign * (buffer << shift)), full + over
    return total, full
