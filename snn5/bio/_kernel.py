"""The liquid's step on a CPU, spike by spike: a spike costs its fan-out; a silent synapse, or a neuron that nothing has reached, nothing.

It gives the same bits as `step` of `_liquid`: weights lie on a grid on which sums are exact in any order, and the rest is done neuron by
neuron in the same float32 operations. Shapes: T steps, N samples, C inputs, n neurons, D steps of delay.
"""

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from snn5.bio._compiled import compiled


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


@compiled
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
        decay_m_n ... refractory: as in `_dynamics.Constants`, float32; thresholds > 0, so that a neuron at rest stays there.

    Returns:
        uint8 spikes [T, N, n]; and how many synapses were served (of inputs, of neurons), and how many neurons were awake, over all.
    """
    steps, samples, channels = x_TNC.shape
    delay, n = len(past_DNn), len(decay_m_n)
    zero = np.float32(0)
    rise_n, scalars = np.float32(1) - decay_m_n, (decay_s, decay_a, adaptation, refractory)
    out_TNn = np.zeros((steps, samples, n), np.uint8)
    inflow, bar = np.zeros(n, np.float32), np.zeros(n, np.float32)
    found = np.zeros(max(channels, n), np.int64)
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
            for place in range(find(x_TNC[t, k], found)):
                c = found[place]
                count = np.float32(x_TNC[t, k, c])
                served_in += inputs.start[c + 1] - inputs.start[c]
                for e in range(inputs.start[c], inputs.start[c + 1]):
                    i = inputs.target[e]
                    inflow[i] += count * inputs.weight[e]
                    if not awake[i]:
                        awake[i] = True
                        woken[count_awake] = i
                        count_awake += 1
            for place in range(find(past_DNn[t, k] if t < delay else out_TNn[t - delay, k], found)):
                j = found[place]
                served += synapses.start[j + 1] - synapses.start[j]
                for e in range(synapses.start[j], synapses.start[j + 1]):
                    i = synapses.target[e]
                    inflow[i] += synapses.weight[e]
                    if not awake[i]:
                        awake[i] = True
                        woken[count_awake] = i
                        count_awake += 1
            updated += count_awake
            fired_n = out_TNn[t, k]
            if 4 * count_awake < n:
                for place in range(count_awake):
                    i = woken[place]
                    update(i, i + 1, fired_n, v, current, fatigue, wait, inflow, bar, decay_m_n, rise_n, threshold_n, scalars)
            else:  # all of them in one sweep, which vectorises; one at rest stays at rest
                update(0, n, fired_n, v, current, fatigue, wait, inflow, bar, decay_m_n, rise_n, threshold_n, scalars)
    return out_TNn, (served_in, served, updated)


@compiled
def find(row, places) -> Any:  # type: ignore[no-untyped-def]
    """Write the places of `row` (uint8) that are not zero to `places`, in order, and return how many; eight are looked at together."""
    count, whole = 0, len(row) - len(row) % 8
    words = row[:whole].view(np.uint64)
    for word in range(len(words)):
        if words[word]:
            for i in range(8 * word, 8 * word + 8):
                if row[i]:
                    places[count] = i
                    count += 1
    for i in range(whole, len(row)):
        if row[i]:
            places[count] = i
            count += 1
    return count


@compiled
def update(  # type: ignore[no-untyped-def]
    begin, end, fired_n, v, current, fatigue, wait, inflow, bar, decay_m_n, rise_n, threshold_n, scalars
) -> None:
    """One step of the neurons `begin` to `end`: short loops over few arrays, which the compiler turns into vector instructions.

    A waiting neuron has v = 0, below its threshold (> 0), so that only `v >= bar` decides who fires.

    Args:
        fired_n: uint8, set. v, current, fatigue, wait, inflow: changed in place; inflow is zero afterwards. bar: scratch.
        scalars: (decay_s, decay_a, adaptation, refractory), of the same type as the arrays.
    """
    decay_s, decay_a, adaptation, refractory = scalars
    zero, one = v.dtype.type(0), v.dtype.type(1)
    for i in range(begin, end):
        current[i] = current[i] * decay_s + inflow[i]
        inflow[i] = zero
    for i in range(begin, end):
        bar[i] = threshold_n[i] + adaptation * fatigue[i]
        fatigue[i] = fatigue[i] * decay_a
    for i in range(begin, end):
        v[i] = v[i] * decay_m_n[i] + current[i] * rise_n[i]
    for i in range(begin, end):
        v[i] = zero if wait[i] > zero else v[i]
        wait[i] = wait[i] - one if wait[i] > zero else wait[i]
    for i in range(begin, end):
        fired_n[i] = v[i] >= bar[i]
    for i in range(begin, end):
        v[i] = zero if fired_n[i] else v[i]
        fatigue[i] = fatigue[i] + one if fired_n[i] else fatigue[i]
        wait[i] = refractory if fired_n[i] else wait[i]
