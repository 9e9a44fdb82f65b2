"""A population of neurons that share inputs and nothing else, all steps in one call, with threshold homeostasis, BCM, both or neither.

Shapes: T steps, C inputs, n neurons, L looks.
"""

from typing import Any, NamedTuple

import numpy as np

from snn5.bio._compiled import compiled


class Control(NamedTuple):
    """A threshold rule in numbers. eta 0: none. logarithmic: 1.0 for theta exp(eta (s - r*)), 0.0 for theta + eta (s - r*)."""

    eta: float = 0.0
    rate: float = 0.02
    logarithmic: float = 1.0
    lowest: float = 1e-3
    highest: float = 1e3


class Sliding(NamedTuple):
    """BCM in numbers, rates in spikes per step. eta 0: the weights stay."""

    eta: float = 0.0
    rate: float = 0.02
    fade_rate: float = 0.0
    fade_theta: float = 0.0
    maximum: float = 1.0


class Looks(NamedTuple):
    """What is looked at every so many steps.

    Attributes:
        threshold_L: mean firing threshold. theta_Ln: BCM's sliding threshold. moment_Ln: mean of y^2 / y0 since the last look.
        norm_L: root of the sum of squares of the weights.
    """

    threshold_L: np.ndarray
    theta_Ln: np.ndarray
    moment_Ln: np.ndarray
    norm_L: np.ndarray


@compiled
def run(x_TC, gain_T, weight_nC, threshold_n, fade, refractory, control, bcm, every) -> Any:  # type: ignore[no-untyped-def]
    """Run all steps; weights and thresholds are changed in place.

        V[t] = d V[t-1] + gain[t] W x[t],   0 for `refractory` steps after a spike;   s[t] = V[t] >= theta, then V[t] <- 0

    Args:
        x_TC: uint8 input spikes. gain_T: factor of all inputs. weight_nC: >= 0. threshold_n: firing thresholds. fade: d.
        control, bcm: the rules. every: steps between two looks.

    Returns:
        uint8 spikes [T, n] and four arrays of looks (see `Looks`).
    """
    steps, channels = x_TC.shape
    n, looks = len(threshold_n), steps // every
    out_Tn = np.zeros((steps, n), np.uint8)
    v_n, wait_n = np.zeros(n), np.zeros(n, np.int64)
    x_C, y_n, theta_n, moment_n = np.zeros(channels), np.zeros(n), np.full(n, bcm.rate), np.zeros(n)
    threshold_L, theta_Ln, moment_Ln, norm_L = np.zeros(looks), np.zeros((looks, n)), np.zeros((looks, n)), np.zeros(looks)
    for t in range(steps):
        if bcm.eta > 0:
            for c in range(channels):
                x_C[c] = x_C[c] * bcm.fade_rate + x_TC[t, c] * (1 - bcm.fade_rate)
        for q in range(n):
            inflow = 0.0
            for c in range(channels):
                if x_TC[t, c]:
                    inflow += weight_nC[q, c]
            spike = 0
            if wait_n[q] > 0:
                wait_n[q] -= 1
                v_n[q] = 0.0
            else:
                v_n[q] = v_n[q] * fade + gain_T[t] * inflow
                if v_n[q] >= threshold_n[q]:
                    spike = 1
                    v_n[q] = 0.0
                    wait_n[q] = refractory
            out_Tn[t, q] = spike
            if control.eta > 0:
                move = control.eta * (spike - control.rate)
                moved = threshold_n[q] * np.exp(move) if control.logarithmic else threshold_n[q] + move
                threshold_n[q] = min(max(moved, control.lowest), control.highest)
            if bcm.eta > 0:
                y_n[q] = y_n[q] * bcm.fade_rate + spike * (1 - bcm.fade_rate)
                step = bcm.eta * y_n[q] * (y_n[q] - theta_n[q])
                for c in range(channels):
                    weight_nC[q, c] = min(max(weight_nC[q, c] + step * x_C[c], 0.0), bcm.maximum)
                square = y_n[q] * y_n[q] / bcm.rate
                theta_n[q] = theta_n[q] * bcm.fade_theta + (1 - bcm.fade_theta) * square
                moment_n[q] += square / every
        if (t + 1) % every == 0:
            look = t // every
            threshold_L[look] = threshold_n.mean()
            theta_Ln[look] = theta_n
            moment_Ln[look] = moment_n
            norm_L[look] = np.sqrt((weight_nC * weight_nC).sum())
            moment_n[:] = 0.0
    return out_Tn, threshold_L, theta_Ln, moment_Ln, norm_L
