"""The liquid's step on a CPU, spike by spike: a spike costs its fan-out; a silent synapse, or a neuron that nothing has reached, nothing.

It gives the same bits as `step` of `_liquid`: weights lie on a grid on which sums are exact in any order, and the rest is done neuron by
neuron in the same float32 operations. Shapes: T steps, N samples, C inputs, n neurons, D steps of delay.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from torch import Tensor


class Columns(NamedTuple):
    """A matrix [post, pre] by columns: sender j reaches `target[start[j]:start[j + 1]]` with the `weight` at the same places."""

    start: np.ndarray
    target: np.ndarray
    weight: np.ndarray


def columns(weight: Tensor) -> Columns:
    """The entries of `weight` [post, pre] that are not zero, column by column."""
    by_sender = weight.detach().T.contiguous().numpy()
    sender, target = np.nonzero(by_sender)
    start = np.searchsorted(sender, np.arange(len(by_sender) + 1))
    return Columns(start.astype(np.int64), target.astype(np.int64), by_sender[sender, target])


@numba.njit(nogil=True)
def run(  # type: ignore[no-untyped-def]
    x_TNC,
    past_DNn,
    v_Nn,
    current_Nn,
    fatigue_Nn,
    wait_Nn,
    inputs,
    synapses,
    decay_m_n,
    threshold_n,
    decay_s,
    decay_a,
    adaptation,
    refractory,
) -> Any:
    """All steps of all samples.

    Args:
        x_TNC: uint8 input counts. past_DNn: uint8 spikes still on their way, oldest first.
        v_Nn, current_Nn, fatigue_Nn, wait_Nn: float32 state, changed in place.
        inputs, synapses: `Columns` of the input and of the recurrent weights.
        decay_m_n ... refractory: as in `_dynamics.Constants`, float32.

    Returns:
        uint8 spikes [T, N, n]; and how many synapses were served (of inputs, of neurons), and how many neurons were updated, over all.
    """
    steps, samples, channels = x_TNC.shape
    delay, n = len(past_DNn), len(decay_m_n)
    zero, one = np.float32(0), np.float32(1)
    rise_n = one - decay_m_n
    out_TNn = np.zeros((steps, samples, n), np.uint8)
    inflow = np.zeros(n, np.float32)
    awake, woken = np.zeros(n, np.bool_), np.zeros(n, np.int64)  # a neuron at rest stays there until its first spike arrives
    served_in, served, updated = 0, 0, 0
    for k in range(samples):
        v, current, fatigue, wait = v_Nn[k], current_Nn[k], fatigue_Nn[k], wait_Nn[k]
        count_awake = 0
        for i in range(n):
            awake[i] = v[i] != zero or current[i] != zero or fatigue[i] != zero or wait[i] > zero
            if awake[i]:
                woken[count_awake] = i
                count_awake += 1
        for t in range(steps):
            for c in range(channels):
                if x_TNC[t, k, c]:
                    count = np.float32(x_TNC[t, k, c])
                    served_in += inputs.start[c + 1] - inputs.start[c]
                    for e in range(inputs.start[c], inputs.start[c + 1]):
                        i = inputs.target[e]
                        inflow[i] += count * inputs.weight[e]
                        if not awake[i]:
                            awake[i] = True
                            woken[count_awake] = i
                            count_awake += 1
            arriving = past_DNn[t, k] if t < delay else out_TNn[t - delay, k]
            for j in range(n):
                if arriving[j]:
                    served += synapses.start[j + 1] - synapses.start[j]
                    for e in range(synapses.start[j], synapses.start[j + 1]):
                        i = synapses.target[e]
                        inflow[i] += synapses.weight[e]
                        if not awake[i]:
                            awake[i] = True
                            woken[count_awake] = i
                            count_awake += 1
            updated += count_awake
            for place in range(count_awake):
                i = woken[place]
                current[i] = current[i] * decay_s + inflow[i]
                inflow[i] = zero
                bar = threshold_n[i] + adaptation * fatigue[i]
                fatigue[i] = fatigue[i] * decay_a
                if wait[i] > zero:
                    wait[i] -= one
                    v[i] = zero
                else:
                    v[i] = v[i] * decay_m_n[i] + current[i] * rise_n[i]
                    if v[i] >= bar:
                        out_TNn[t, k, i] = 1
                        v[i] = zero
                        wait[i] = refractory
                        fatigue[i] += one
    return out_TNn, (served_in, served, updated)
