"""Samples one after another through a pool that competes and learns, spike by spike: a rule changes the weights that the next sample meets.

The same steps as `CompetitiveSTDP` on a projection with `IntrinsicPlasticity`, in float64 and with no transcendental function in the loop.
Shapes: N samples, T steps, C inputs, n neurons.
"""

from typing import Any

import numpy as np

from snn5.bio._compiled import compiled


@compiled
def present(  # type: ignore[no-untyped-def]
    x_NTC, order, weight_Cn, threshold_n, decay_m, decay_x, scale, eta, rest_factor, spike_factor, lowest, highest, learn
) -> Any:
    """All samples in this order, each from silence.

    Args:
        x_NTC: uint8, spikes 0 or 1. order: positions of the samples to show.
        weight_Cn, threshold_n: float64, by sender; changed in place where `learn` is set.
        decay_m, decay_x: exp(-dt / tau) of the membranes and of the senders' traces.
        scale, eta: of the rule. rest_factor, spike_factor: what a step multiplies every threshold by, and a spike the winner's.
        lowest, highest: of a threshold.

    Returns:
        int32 spike counts [len(order), n].
    """
    inputs, neurons = weight_Cn.shape
    steps = x_NTC.shape[1]
    counts_Nn = np.zeros((len(order), neurons), np.int32)
    v, trace = np.zeros(neurons), np.zeros(inputs)
    for place in range(len(order)):
        v[:] = 0.0
        trace[:] = 0.0
        for t in range(steps):
            v *= decay_m
            trace *= decay_x
            for c in range(inputs):
                if x_NTC[order[place], t, c]:
                    trace[c] += 1.0
                    for i in range(neurons):
                        v[i] += weight_Cn[c, i]
            winner, lead = -1, 0.0
            for i in range(neurons):
                ratio = v[i] / threshold_n[i]
                if ratio >= 1.0 and ratio > lead:
                    winner, lead = i, ratio
            if winner >= 0:
                counts_Nn[place, winner] += 1
                v[:] = 0.0
            if learn:
                if winner >= 0:
                    length = 0.0
                    for c in range(inputs):
                        weight_Cn[c, winner] += eta * (scale * trace[c] - weight_Cn[c, winner])
                        length += weight_Cn[c, winner] ** 2
                    length = np.sqrt(length)
                    for c in range(inputs):
                        weight_Cn[c, winner] /= length
                for i in range(neurons):
                    factor = rest_factor * spike_factor if i == winner else rest_factor
                    threshold_n[i] = min(max(threshold_n[i] * factor, lowest), highest)
    return counts_Nn
