"""Training a liquid without labels: pair STDP on E->E, inhibitory STDP on I->E, intrinsic plasticity of every neuron; then it is frozen.

Shapes: T steps, N samples, C inputs, n neurons; matrices [post, pre].
"""

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snn5.bio._kernel import columns
from snn5.bio._liquid import Liquid
from snn5.bio._plastic_kernel import Rates, learn
from snn5.bio._topology import on_grid
from snn5.bio.learning_rules import Hard, InhibitorySTDP, IntrinsicPlasticity, PairSTDP, Soft
from snn5.config import Plasticity as Settings

# The four ablations: what is switched off.
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "frozen": {"eta_threshold": 0.0, "eta_stdp": 0.0, "eta_inhibition": 0.0},
    "ip": {"eta_stdp": 0.0, "eta_inhibition": 0.0},
    "ip_stdp": {"eta_inhibition": 0.0},
    "ip_stdp_istdp": {},
}


def plastic_rules(s: Settings, *, dt_ms: float, threshold: float) -> tuple[PairSTDP, InhibitorySTDP, IntrinsicPlasticity]:
    """The three rules; magnitudes are in units of their own population's first median.

    Args:
        threshold: of a neuron at rest, in the middle of what intrinsic plasticity may make of it.
    """
    pair = PairSTDP(
        a_plus=s.eta_stdp,
        a_minus=s.eta_stdp * s.depression,
        tau_plus_ms=s.tau_plus_ms,
        tau_minus_ms=s.tau_minus_ms,
        dt_ms=dt_ms,
        bounds=Soft(maximum=s.maximum),
    )
    inhibitory = InhibitorySTDP(
        eta=s.eta_inhibition, rate_per_ms=s.rate_i_per_ms, tau_ms=s.tau_i_ms, dt_ms=dt_ms, bounds=Hard(maximum=s.maximum)
    )
    limits = {"lowest": threshold / s.threshold_range, "highest": threshold * s.threshold_range}
    return pair, inhibitory, IntrinsicPlasticity(eta=s.eta_threshold, rate_per_ms=s.rate_per_ms, dt_ms=dt_ms, **limits)


@torch.no_grad()
def train_liquid(liquid: Liquid, x_TNC: Tensor, settings: Settings, generator: torch.Generator) -> Liquid:
    """A copy of the liquid after `settings.epochs` passes over the samples, each from silence, in random orders.

    A weight above a rule's maximum starts there. What the liquid learns is rounded to its grid at the end, so that it is exact as before.
    The wiring and the signs stay as they are, and so do the weights of inputs, of E->I and of I->I.

    Args:
        x_TNC: spike counts of the training set; no label is seen.

    Raises:
        UserError: the input has another number of channels than the liquid, or other values than whole counts.
    """
    made = copy.deepcopy(liquid)
    if not any((settings.eta_threshold, settings.eta_stdp, settings.eta_inhibition)):
        return made
    s, counts_TNC = liquid.settings, liquid.counts(x_TNC)
    pair, inhibitory, intrinsic = plastic_rules(settings, dt_ms=s.dt_ms, threshold=s.threshold)
    unit_n = (liquid.unit * torch.where(liquid.sign < 0, s.inhibition, 1.0) * liquid.sign).double()
    synapses = columns(liquid.magnitude)
    sender = np.repeat(np.arange(len(unit_n)), np.diff(synapses.start))
    magnitude = np.abs(synapses.weight / unit_n.numpy()[sender])
    for kind, rate in ((1, settings.eta_stdp), (-1, settings.eta_inhibition)):
        own = (liquid.sign.numpy()[sender] == kind) & (liquid.sign.numpy()[synapses.target] > 0)
        magnitude = np.where(own & (rate > 0), np.minimum(magnitude, settings.maximum), magnitude)
    edge = np.argsort(synapses.target, kind="stable")
    into = np.searchsorted(synapses.target[edge], np.arange(len(unit_n) + 1))
    threshold_n = liquid.threshold.double().numpy().copy()
    for _ in range(settings.epochs):
        order = torch.randperm(counts_TNC.shape[1], generator=generator).numpy()
        learn(
            counts_TNC.numpy(),
            order,
            columns(liquid.weight_in),
            synapses.start,
            synapses.target,
            magnitude,
            into,
            edge,
            sender[edge],
            unit_n.numpy(),
            (liquid.sign > 0).numpy(),
            torch.exp(-s.dt_ms / liquid.tau_m_ms.double()).numpy(),
            threshold_n,
            (
                math.exp(-s.dt_ms / s.tau_s_ms),
                math.exp(-s.dt_ms / s.tau_a_ms),
                s.adaptation,
                round(s.refractory_ms / s.dt_ms),
                liquid.delay,
            ),
            _rates(pair, inhibitory, intrinsic),
        )
    learned = torch.zeros_like(liquid.magnitude)
    learned[torch.from_numpy(synapses.target), torch.from_numpy(sender)] = on_grid(
        torch.from_numpy(magnitude * np.abs(unit_n.numpy()[sender]))
    )
    made.magnitude.copy_(learned)
    made.threshold.copy_(torch.from_numpy(threshold_n))
    return made


def _rates(pair: PairSTDP, inhibitory: InhibitorySTDP, intrinsic: IntrinsicPlasticity) -> Rates:
    soft, hard = pair.bounds, inhibitory.bounds
    if not isinstance(soft, Soft) or soft.power != 1 or not isinstance(hard, Hard):
        raise TypeError("the kernel knows soft bounds of power 1 for E->E and hard ones for I->E")
    return Rates(
        a_plus=pair.a_plus,
        a_minus=pair.a_minus,
        decay_plus=math.exp(-pair.dt_ms / pair.tau_plus_ms),
        decay_minus=math.exp(-pair.dt_ms / pair.tau_minus_ms),
        maximum_e=soft.maximum,
        eta=inhibitory.eta,
        alpha=inhibitory.alpha,
        decay_i=math.exp(-inhibitory.dt_ms / inhibitory.tau_ms),
        maximum_i=hard.maximum,
        rest=math.exp(-intrinsic.eta * intrinsic.rate_per_ms * intrinsic.dt_ms),
        spike=math.exp(intrinsic.eta),
        lowest=intrinsic.lowest,
        highest=intrinsic.highest,
    )
