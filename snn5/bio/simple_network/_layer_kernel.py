"""All steps of one layer on a CPU in one call: what `Layer.step` does, for one sample and for the rules that long runs need.

Shapes: T steps, C inputs, e excitatory and i inhibitory neurons, n = e + i (excitatory ones first); matrices [receiver, sender].
"""

from typing import Any, NamedTuple

import numpy as np

from snn5.bio._compiled import compiled


class Pair(NamedTuple):
    """`PairSTDP` in numbers; amplitudes 0 where it is off. soft: 1.0 for soft bounds of power 1, 0.0 for hard ones."""

    a_plus: float = 0.0
    a_minus: float = 0.0
    fade_plus: float = 0.0
    fade_minus: float = 0.0
    maximum: float = 1.0
    soft: float = 0.0


class Inhibition(NamedTuple):
    """`InhibitorySTDP` in numbers; eta 0 where it is off."""

    eta: float = 0.0
    alpha: float = 0.0
    fade: float = 0.0
    maximum: float = 1.0


class Threshold(NamedTuple):
    """`IntrinsicPlasticity` in numbers; eta 0 where it is off."""

    eta: float = 0.0
    rate: float = 0.0
    lowest: float = 0.0
    highest: float = 0.0


@compiled
def _pair(weight, mask, post, pre, y, x, rule):  # type: ignore[no-untyped-def]
    """One step of pair STDP on a block, traces faded and without this step's spikes."""
    for q in range(len(post)):
        for p in range(len(pre)):
            if mask[q, p] and (post[q] or pre[p]):
                w = weight[q, p]
                up = rule.maximum - w if rule.soft else 1.0
                down = w if rule.soft else 1.0
                change = 0.0
                if post[q]:
                    change += rule.a_plus * up * x[p]
                if pre[p]:
                    change -= rule.a_minus * down * y[q]
                weight[q, p] = min(max(w + change, 0.0), rule.maximum)


@compiled
def _wrong(weight, mask):  # type: ignore[no-untyped-def]
    """Magnitudes that are negative, or not 0 where there is no synapse."""
    count = 0
    for q in range(weight.shape[0]):
        for p in range(weight.shape[1]):
            if weight[q, p] < 0 or (weight[q, p] != 0 and not mask[q, p]):
                count += 1
    return count


@compiled
def run(  # type: ignore[no-untyped-def]
    x_TC,
    before_C,
    spikes_n,
    v_n,
    theta_n,
    into_nC,
    own_nn,
    mask_into_nC,
    mask_own_nn,
    e,
    fade,
    reset_wait,
    wait_n,
    traces,
    pair_in,
    pair_own,
    inhibition,
    threshold,
    every,
) -> Any:
    """Run all steps; state and magnitudes are changed in place.

    Args:
        x_TC: uint8 spikes of the senders below. before_C, spikes_n: last step's, of them and of the layer.
        v_n, theta_n, wait_n: potentials, thresholds, refractory steps left.
        into_nC, own_nn: magnitudes from below and within; masks likewise. e: excitatory neurons.
        fade: of the potential. reset_wait: refractory steps.
        traces: (x of C, y of e for `pair_in`; x, y of e for `pair_own`; x of i, y of e for `inhibition`).
        every: steps between two looks: the sum of the magnitudes of inhibition onto excitatory neurons, and how many magnitudes anywhere
            are negative or lie outside their mask.

    Returns:
        uint8 spikes [T, n]; excitatory (from below and within) and inhibitory current that excitatory neurons got, each step's mean [T, 2];
        the looks [T // every, 2].
    """
    steps, n = len(x_TC), len(v_n)
    out_Tn = np.zeros((steps, n), np.uint8)
    current_T2 = np.zeros((steps, 2))
    looks = np.zeros((steps // every, 2))
    xi_C, yi_e, xo_e, yo_e, xh_i, yh_e = traces
    plus, minus = np.zeros(n), np.zeros(n)
    for t in range(steps):
        plus[:] = 0.0
        minus[:] = 0.0
        for p in range(len(before_C)):
            if before_C[p]:
                for q in range(n):
                    plus[q] += into_nC[q, p]
        for p in range(e):
            if spikes_n[p]:
                for q in range(n):
                    plus[q] += own_nn[q, p]
        for p in range(e, n):
            if spikes_n[p]:
                for q in range(n):
                    minus[q] += own_nn[q, p]
        for q in range(e):
            current_T2[t, 0] += plus[q] / e
            current_T2[t, 1] += minus[q] / e
        for q in range(n):
            if wait_n[q] > 0:
                wait_n[q] -= 1
                v_n[q] = 0.0
            else:
                v_n[q] = v_n[q] * fade + (plus[q] - minus[q])
            spikes_n[q] = 0
            if v_n[q] >= theta_n[q]:
                spikes_n[q] = 1
                out_Tn[t, q] = 1
                v_n[q] = 0.0
                wait_n[q] = reset_wait
            if threshold.eta > 0:
                moved = theta_n[q] * np.exp(threshold.eta * (spikes_n[q] - threshold.rate))
                theta_n[q] = min(max(moved, threshold.lowest), threshold.highest)
        before_C[:] = x_TC[t]
        if pair_in.a_plus > 0 or pair_in.a_minus > 0:
            xi_C *= pair_in.fade_plus
            yi_e *= pair_in.fade_minus
            _pair(into_nC[:e], mask_into_nC[:e], spikes_n[:e], before_C, yi_e, xi_C, pair_in)
            xi_C += before_C
            yi_e += spikes_n[:e]
        if pair_own.a_plus > 0 or pair_own.a_minus > 0:
            xo_e *= pair_own.fade_plus
            yo_e *= pair_own.fade_minus
            _pair(own_nn[:e, :e], mask_own_nn[:e, :e], spikes_n[:e], spikes_n[:e], yo_e, xo_e, pair_own)
            xo_e += spikes_n[:e]
            yo_e += spikes_n[:e]
        if inhibition.eta > 0:
            xh_i *= inhibition.fade
            yh_e *= inhibition.fade
            for q in range(e):
                for p in range(n - e):
                    if mask_own_nn[q, e + p] and (spikes_n[q] or spikes_n[e + p]):
                        change = 0.0
                        if spikes_n[e + p]:
                            change += yh_e[q] - inhibition.alpha
                        if spikes_n[q]:
                            change += xh_i[p]
                        own_nn[q, e + p] = min(max(own_nn[q, e + p] + inhibition.eta * change, 0.0), inhibition.maximum)
            xh_i += spikes_n[e:]
            yh_e += spikes_n[:e]
        if (t + 1) % every == 0:
            looks[t // every, 0] = own_nn[:e, e:].sum()
            looks[t // every, 1] = _wrong(into_nC, mask_into_nC) + _wrong(own_nn, mask_own_nn)
    return out_Tn, current_T2, looks
