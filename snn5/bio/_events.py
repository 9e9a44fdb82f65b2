"""The liquid's step for CPUs, event by event: a spike costs its fan-out, silence costs nothing but the leak.

It gives the same bits as `_liquid.step`: weights lie on a grid on which sums are exact in any order, and everything else is done neuron by
neuron in the same float32 operations. Shapes: T steps, N samples, C inputs, n neurons, D steps of delay.
"""

from typing import NamedTuple

import numba
import numpy as np
from torch import Tensor


class Columns(NamedTuple):
    """A matrix [post, pre] by columns: the targets and weights of sender j are entries start[j]:start[j + 1]."""

    start: np.ndarray
    target: np.ndarray
    weight: np.ndarray


def columns(weight: Tensor) -> Columns:
    """The non-zero entries of `weight` [post, pre], column by column."""
    dense = weight.T.contiguous().numpy()
    source, target = np.nonzero(dense)
    start = np.searchsorted(source, np.arange(len(dense) + 1)).astype(np.int64)
    return Columns(start, target.astype(np.int32), dense[source, target])


@numba.njit(cache=True, nogil=True)
def run(x_TNC, past_DNn, v_Nn, current_Nn, fatigue_Nn, wait_Nn, inputs, synapses, decay_m_n, decay_s, decay_a, threshold, adaptation, refractory):  # type: ignore[no-untyped-def]  # noqa: E501
    """All steps for all samples; `v_Nn` ... `wait_Nn` are changed in place, spikes [T, N, n] uint8 are returned. All floats are float32."""
    steps, samples, channels = x_TNC.shape
    delay, n = past_DNn.shape[0], decay_m_n.shape[0]
    one, zero = np.float32(1), np.float32(0)
    rest_n = one - decay_m_n
    out_TNn = np.zeros((steps, samples, n), np.uint8)
    inflow = np.zeros(n, np.float32)
    for k in range(samples):
        v, current, fatigue, wait = v_Nn[k], current_Nn[k], fatigue_Nn[k], wait_Nn[k]
        for t in range(steps):
            inflow[:] = zero
            for c in range(channels):
                count = x_TNC[t, k, c]
                if count:
                    for e in range(inputs.start[c], inputs.start[c + 1]):
                        inflow[inputs.target[e]] += np.float32(count) * inputs.weight[e]
            arriving = past_DNn[t, k] if t < delay else out_TNn[t - delay, k]
            for j in range(n):
                if arriving[j]:
                    for e in range(synapses.start[j], synapses.start[j + 1]):
                        inflow[synapses.target[e]] += synapses.weight[e]
            fired = out_TNn[t, k]
            for i in range(n):
                current[i] = current[i] * decay_s + inflow[i]
                bar = threshold + adaptation * fatigue[i]
                fatigue[i] = fatigue[i] * decay_a
                if wait[i] > zero:
                    wait[i] -= one
                    v[i] = zero
                    continue
                v[i] = v[i] * decay_m_n[i] + current[i] * rest_n[i]
                if v[i] >= bar:
                    fired[i] = 1
                    v[i] = zero
                    wait[i] = refractory
                    fatigue[i] += one
    return out_TNn
