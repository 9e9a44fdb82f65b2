"""What a SpiNNaker neuron is told: PyNN's IF_curr_delta so that it does in s16.15 what the integer network does in whole numbers.

    I = exc - inh                                       exc, inh: ring buffers, see `_emulator.py`
    alpha = I R,  V = alpha - E (alpha - V)             R = tau_m / cm,  E = exp(-dt / tau_m)
    spike if V >= v_thresh; V = 0; nothing is heard for ceil(tau_refrac / dt) steps

tau_m = -dt / ln(1 - d / 4096) gives the decay; cm = tau_m (1 - E) / dt = tau_m / (tau dt) makes a weight of 1 a jump of 1.
The unit, a power of 2 for each population, is a weight step in PyNN's millivolts: the largest with which 2 R (A + b) stays in s16.15.
An integrator (d = 0) forgets 1 / 16384 a step, the least for which R still leaves room. Thresholds lie half a step of the potentials' grid
above theta, since the chip fires at its threshold and the reference above it. A bias is a synapse from a clock that ticks in the T steps of
the population's turn: an i_offset would charge the neurons while the first spikes are still on their way to them.
Source: sPyNNaker 7.4.1, `IFCurrDeltaBase` and its C code; Rhodes et al., sPyNNaker, Front. Neurosci. 2018.
"""

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn5.errors import UserError
from snn5.hardware._integer_network import INPUT, ONE, UNIT, Int, IntegerNetwork, Population, Synapses
from snn5.hardware.spinnaker._connections import READOUT
from snn5.hardware.spinnaker._fixed import ACCUM, accum, kept, resistance

INTEGRATOR_MS = 16384.0
GATE_MS = 1 / 16  # exp(-16) is 0 in s16.15
NEVER = 65535.0  # a threshold that no potential reaches
HEADROOM = 1.5  # of the ring buffers above the largest sum that calibration saw


@dataclass(frozen=True, kw_only=True)
class Cell:
    """IF_curr_delta of one population, dt = 1 ms.

    Attributes:
        tau_m, tau_refrac: ms. cm: nF. v_thresh: per channel, mV. unit: mV in a weight step.
        expected: largest sums of excitatory and of inhibitory weights in a step, mV, which set the ring buffers' shifts (the setting
            `max_expected_summed_weight`; sPyNNaker's own guess takes neurons for 30 Hz sources and saturates).
    """

    tau_m: float
    cm: float
    v_thresh: NDArray[np.float64]
    unit: float
    expected: tuple[float, float]
    tau_refrac: float = 0.0

    @property
    def shifts(self) -> tuple[int, int]:
        """Of the excitatory and the inhibitory ring buffer, as sPyNNaker works them out: 2^shift is above the expected sum."""
        return ring_shift(self.expected[0]), ring_shift(self.expected[1])


def ring_shift(expected: float) -> int:
    """ceil(log2(expected)), at least 0, and one more where that is no more than the sum itself."""
    if expected <= 0:
        return 0
    power = math.ceil(max(0.0, math.log2(expected)))
    return power + 1 if 2**power <= expected else power


def signed(synapses: Synapses, *, excitatory: bool) -> Synapses:
    """Its positive weights, or its negative ones as magnitudes."""
    return replace(synapses, weight=magnitude(synapses.weight, excitatory=excitatory))


def magnitude(value: NDArray[Any], *, excitatory: bool) -> NDArray[Any]:
    """What is positive, or what is negative without its sign; else 0."""
    return np.maximum(value if excitatory else -value, 0)


@cache
def constants(decay: int) -> tuple[float, float]:
    """tau_m in ms and cm in nF, both in s16.15, of a decay: of the neighbours of the formulas' values those that the chip turns into the
    nearest E, which can be exact, and then into the jump that is nearest to 1.
    """
    if decay == 0:
        taus = [INTEGRATOR_MS]
    elif decay == ONE:
        taus = [GATE_MS]
    else:
        exact = -1 / math.log((ONE - decay) / ONE)
        taus = _near(exact, step=max(1, round(exact**2 / 4)))
    meant = (ONE - decay) * ACCUM // ONE
    found = []
    for tau_m in taus:
        left = int(kept(tau_m))
        for cm in _near(tau_m * (1 - left / ACCUM)):
            found.append((abs(left - meant), abs(int(resistance(tau_m, cm)) * (ACCUM - left) - ACCUM**2), tau_m, cm))
    return min(found)[2:]


def _near(value: float, *, step: int = 1) -> list[float]:
    """Its neighbours in s16.15."""
    first = int(accum(value))
    return [(first + k * step) / ACCUM for k in range(-12, 13) if first + k * step > 0]


def fit_cell(population: Population, *, peak: int, exc: int, inh: int, steps: int) -> Cell:
    """The cell of a population whose |A + b|, excitatory and inhibitory sums (in weight steps) stay below the given ones; T = steps."""
    tau_m, cm = constants(population.decay)
    largest = max(peak, 1, int(population.threshold.max(initial=0)))
    unit = 2.0 ** min(0, math.floor(math.log2(32767 / (largest * max(1.0, tau_m / cm)))))
    grid = 0.5 if population.decay in (0, ONE) else 0.5 / UNIT
    return Cell(
        tau_m=tau_m,
        cm=cm,
        v_thresh=np.asarray((population.threshold + grid) * unit, np.float64),
        unit=unit,
        expected=(exc * unit * HEADROOM, inh * unit * HEADROOM),
        tau_refrac=float(steps) if population.once else 0.0,
    )


def calibrate(network: IntegerNetwork, x_TNCHW: Int) -> dict[str, Cell]:
    """Cells of all populations and of the read-out, with the sums that the reference sees on `x_TNCHW`.

    Raises:
        UserError: an input below 0: a spike has no sign.
    """
    if np.min(x_TNCHW, initial=0) < 0:
        raise UserError(f"an input of {int(np.min(x_TNCHW))}; SpiNNaker's sources send spikes, so it has to be 0 or more: shift the images")
    trace = network.run(x_TNCHW)
    x = np.broadcast_to(x_TNCHW, (network.time_steps, *x_TNCHW.shape[1:])).astype(np.int64)
    spikes = {INPUT: x} | {name: found.astype(np.int64) for name, found in trace.spikes.items()}
    cells = {}
    out = readout_population(network)
    for p in (*network.populations, out):
        exc, inh = (_largest_sum(p, spikes, network.time_steps, excitatory=kind) for kind in (True, False))
        peak = trace.peak.get(p.name, int(np.abs(trace.logits_TNK).max(initial=0)))
        cells[p.name] = fit_cell(p, peak=peak, exc=exc, inh=inh, steps=network.time_steps)
    cells[READOUT] = replace(cells[READOUT], v_thresh=np.full(len(out.bias), NEVER))
    return cells


def _largest_sum(population: Population, spikes: dict[str, Int], steps: int, *, excitatory: bool) -> int:
    """Of a step, over all neurons and samples; no less than the largest weight, which has to fit into the 16 bits of a synapse."""
    parts = [signed(one, excitatory=excitatory) for one in population.synapses]
    bias = magnitude(population.bias, excitatory=excitatory)[:, None, None]
    largest = max([int(bias.max(initial=0)), *(int(one.weight.max(initial=0)) * int(spikes[one.source].max(initial=1)) for one in parts)])
    for t in range(steps):
        total = bias + sum(one.current(spikes[one.source][t]).reshape(-1, *population.shape) for one in parts)
        largest = max(largest, int(np.max(total)))
    return largest


def readout_population(network: IntegerNetwork) -> Population:
    """The read-out as neurons that forget everything and never fire: their potential is A + b of the step."""
    classes = len(network.readout.bias)
    return Population(
        name=READOUT,
        shape=(classes, 1, 1),
        synapses=network.readout.synapses,
        bias=network.readout.bias,
        threshold=np.zeros(classes, np.int64),
        decay=ONE,
    )
