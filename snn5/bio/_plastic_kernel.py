"""A liquid that learns while it runs, spike by spike: a spike costs its fan-in and fan-out, a silent synapse nothing.

The same steps as `step` of the liquid with `PairSTDP`, `InhibitorySTDP` and `IntrinsicPlasticity`, in float64. A sender's spike counts when
it arrives, after the delay, for the receiver as for the rule. Shapes: T steps, N samples, C inputs, n neurons, E synapses.
"""

from typing import Any, NamedTuple

import numpy as np

from snn5.bio._compiled import compiled
from snn5.bio._kernel import find, update


class Rates(NamedTuple):
    """What the kernel needs of the three rules, magnitudes in units of their own population's.

    Attributes:
        a_plus, a_minus, decay_plus, decay_minus: of pair STDP with soft bounds of power 1 on E->E.
        eta, alpha, decay_i: of inhibitory STDP on I->E.
        maximum_e, maximum_i: largest magnitudes. rest, spike: what a step multiplies a threshold by, and a spike.
        lowest, highest: of a threshold.
    """

    a_plus: float
    a_minus: float
    decay_plus: float
    decay_minus: float
    maximum_e: float
    eta: float
    alpha: float
    decay_i: float
    maximum_i: float
    rest: float
    spike: float
    lowest: float
    highest: float


@compiled
def _moved(magnitude, sender_fired, receiver_fired, sender_e, x, y, y_i, r):  # type: ignore[no-untyped-def]
    """One synapse's magnitude after a step in which its sender's spike arrived, its receiver fired, or both."""
    change = 0.0
    if sender_e:
        if r.a_plus == 0.0 and r.a_minus == 0.0:
            return magnitude
        if receiver_fired:
            change += r.a_plus * max(r.maximum_e - magnitude, 0.0) * x
        if sender_fired:
            change -= r.a_minus * magnitude * y
        return min(max(magnitude + change, 0.0), r.maximum_e)
    if r.eta == 0.0:
        return magnitude
    if sender_fired:
        change += r.eta * (y_i - r.alpha)
    if receiver_fired:
        change += r.eta * x
    return min(max(magnitude + change, 0.0), r.maximum_i)


@compiled
def learn(  # type: ignore[no-untyped-def]
    x_TNC, order, inputs, start, target, magnitude, into, edge, origin, unit_n, positive, decay_m_n, threshold_n, c, r
) -> Any:
    """Show samples one after another, each from silence, and change `magnitude` and `threshold_n` in place.

    Args:
        x_TNC: uint8 counts. order: positions of the samples. inputs: `Columns` of the input weights.
        start, target, magnitude: synapses by sender, magnitudes in units.
        into, edge, origin: by receiver; edges `edge[into[i]:into[i + 1]]` reach neuron i, from the neurons at the same places of `origin`.
        unit_n: signed weight of one unit of each sender. positive: whether it is excitatory.
        decay_m_n, threshold_n: of each neuron. c: (decay_s, decay_a, adaptation, refractory, delay). r: `Rates`.

    Returns:
        Spikes of each neuron, int64 [n].
    """
    steps, channels, n = x_TNC.shape[0], x_TNC.shape[2], len(decay_m_n)
    decay_s, decay_a, adaptation, refractory, delay = c
    fired = np.zeros((steps, n), np.uint8)
    inflow, bar, total = np.zeros(n), np.zeros(n), np.zeros(n, np.int64)
    v, current, fatigue, wait = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    x, y, y_i = np.zeros(n), np.zeros(n), np.zeros(n)
    decay_x, rise_n = np.where(positive, r.decay_plus, r.decay_i), 1 - decay_m_n
    scalars = (decay_s, decay_a, adaptation, float(refractory))
    silence, found, raised = np.zeros(n, np.uint8), np.zeros(max(channels, n), np.int64), r.rest * r.spike
    for k in order:
        for blank in (v, current, fatigue, wait, x, y, y_i):
            blank[:] = 0.0
        fired[:] = 0
        for t in range(steps):
            arriving, fired_n = fired[t - delay] if t >= delay else silence, fired[t]
            for place in range(find(x_TNC[t, k], found)):
                channel = found[place]
                for e in range(inputs.start[channel], inputs.start[channel + 1]):
                    inflow[inputs.target[e]] += x_TNC[t, k, channel] * inputs.weight[e]
            arrived = find(arriving, found)
            for place in range(arrived):
                j = found[place]
                for e in range(start[j], start[j + 1]):
                    inflow[target[e]] += magnitude[e] * unit_n[j]
            update(0, n, fired_n, v, current, fatigue, wait, inflow, bar, decay_m_n, rise_n, threshold_n, scalars)
            for i in range(n):
                x[i] *= decay_x[i]
                y[i] *= r.decay_minus
                y_i[i] *= r.decay_i
            for i in range(n):
                rate = raised if fired_n[i] else r.rest
                threshold_n[i] = min(max(threshold_n[i] * rate, r.lowest), r.highest)
            for place in range(arrived):
                j = found[place]
                for e in range(start[j], start[j + 1]):
                    i = target[e]
                    if positive[i]:
                        magnitude[e] = _moved(magnitude[e], True, fired_n[i] == 1, positive[j], x[j], y[i], y_i[i], r)
            for place in range(find(fired_n, found)):
                i = found[place]
                total[i] += 1
                if positive[i]:
                    for place_in in range(into[i], into[i + 1]):
                        j, e = origin[place_in], edge[place_in]
                        if not arriving[j]:  # else it has moved above
                            magnitude[e] = _moved(magnitude[e], False, True, positive[j], x[j], y[i], y_i[i], r)
            for i in range(n):
                x[i] += arriving[i]
                y[i] += fired_n[i]
                y_i[i] += fired_n[i]
    return total
