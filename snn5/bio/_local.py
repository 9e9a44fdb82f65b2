"""A classifier that only local rules have made: spiking neurons compete for samples, and each is named after the class it answers to.

Shapes: N samples, T steps, C inputs, n neurons, K classes.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from snn5.bio._local_kernel import present
from snn5.bio.learning_rules import CompetitiveSTDP, IntrinsicPlasticity
from snn5.config import Local as Settings
from snn5.errors import UserError


class Pool(NamedTuple):
    """Neurons that compete: weights [n, C] of length 1 and thresholds [n], float64."""

    weight_nC: Tensor
    threshold_n: Tensor


def rules(settings: Settings, progress: float = 0.0) -> tuple[CompetitiveSTDP, IntrinsicPlasticity]:
    """The two rules at a point of the training, 0 to 1: both slow down linearly to nothing.

    weights: competitive STDP at a neuron's own spikes;   threshold: log(theta) += eta (s - r*),   r* = spikes / (n T) per step
    """
    s = settings
    slower = 1.0 - progress
    rate_per_ms = s.spikes / (s.neurons * s.time_steps * s.dt_ms)
    stdp = CompetitiveSTDP(eta=slower * s.eta, scale=s.trace_scale, tau_ms=s.tau_x_ms, dt_ms=s.dt_ms)
    return stdp, IntrinsicPlasticity(eta=slower * s.eta_threshold, rate_per_ms=rate_per_ms, dt_ms=s.dt_ms)


def new_pool(inputs: int, settings: Settings, generator: torch.Generator) -> Pool:
    """Random directions in the positive corner, and equal thresholds."""
    weight_nC = torch.rand(settings.neurons, inputs, generator=generator, dtype=torch.float64)
    threshold_n = torch.full((settings.neurons,), settings.threshold, dtype=torch.float64)
    return Pool(weight_nC / weight_nC.norm(dim=1, keepdim=True), threshold_n)


def show(
    pool: Pool, x_TNC: Tensor, settings: Settings, *, order: Tensor | None = None, progress: float | None = None
) -> tuple[Tensor, Pool]:
    """Show samples one by one, each from silence.

        V[t] = exp(-dt / tau_m) V[t-1] + W s[t];   where some V >= theta, the one with the largest V / theta fires (the first of equals)
        and all V <- 0: its spike inhibits every neuron

    Learning, the winner's weights move by competitive STDP and are scaled to length 1, every threshold by intrinsic plasticity.

    Args:
        x_TNC: spikes, 0 or 1. order: positions of the samples; None: as they are.
        progress: point of the training, 0 to 1, which learns; None: nothing learns.

    Returns:
        int32 spike counts [N, n] in the order shown, and the pool afterwards; the one given is left as it is.

    Raises:
        UserError: the number of inputs is another than the pool's, or there are other values than 0 and 1.
    """
    if x_TNC.ndim != 3 or x_TNC.shape[2] != pool.weight_nC.shape[1] or (x_TNC.numel() and int(x_TNC.max()) > 1):
        raise UserError(
            f"a pool of {pool.weight_nC.shape[1]} inputs needs spikes 0 or 1 [T, N, {pool.weight_nC.shape[1]}]; got {list(x_TNC.shape)} "
            f"with values up to {x_TNC.max() if x_TNC.numel() else 0}; encode intensities first (snn5.coding)"
        )
    stdp, intrinsic = rules(settings, progress or 0.0)
    positions = torch.arange(x_TNC.shape[1]) if order is None else order
    weight_Cn, threshold_n = pool.weight_nC.T.contiguous().clone(), pool.threshold_n.clone()
    counts_Nn = present(
        np.ascontiguousarray(x_TNC.permute(1, 0, 2).to(torch.uint8).numpy()),
        positions.numpy(),
        weight_Cn.numpy(),
        threshold_n.numpy(),
        math.exp(-settings.dt_ms / settings.tau_m_ms),
        math.exp(-stdp.dt_ms / stdp.tau_ms),
        stdp.scale,
        stdp.eta,
        math.exp(-intrinsic.eta * intrinsic.rate_per_ms * intrinsic.dt_ms),
        math.exp(intrinsic.eta),
        intrinsic.lowest,
        intrinsic.highest,
        progress is not None,
    )
    return torch.from_numpy(counts_Nn), Pool(weight_Cn.T.contiguous(), threshold_n)


def learn(pool: Pool, x_TNC: Tensor, settings: Settings, generator: torch.Generator) -> Pool:
    """All epochs over the samples, in another random order each; no label is seen."""
    for epoch in range(settings.epochs):
        order = torch.randperm(x_TNC.shape[1], generator=generator)
        _, pool = show(pool, x_TNC, settings, order=order, progress=epoch / settings.epochs)
    return pool


def name_neurons(counts_Nn: Tensor, y_N: Tensor, classes: int) -> Tensor:
    """P(class | a spike of the neuron) from the training set's spikes, [n, K]; zeros for a neuron that never fired."""
    spikes_nK = counts_Nn.double().T @ torch.nn.functional.one_hot(y_N.long(), classes).double()
    return spikes_nK / spikes_nK.sum(1, keepdim=True).clamp_min(1.0)


def vote(counts_Nn: Tensor, share_nK: Tensor) -> Tensor:
    """Scores [N, K]: every spike votes with its neuron's shares."""
    return counts_Nn.double() @ share_nK
