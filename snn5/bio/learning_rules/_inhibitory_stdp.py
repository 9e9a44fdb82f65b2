"""Inhibitory STDP: inhibition of a receiver grows until it fires at its target rate.

Shapes: N samples, p inhibitory senders, q receivers; magnitudes [receiver, sender].
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from snn5.bio.learning_rules._rule import Bounds, Hard, blank, check_shapes, decay, not_negative, pairs, positive


class InhibitoryState(NamedTuple):
    """Traces of past spikes: x of the inhibitory senders [N, p], y of the receivers [N, q]."""

    x_Np: Tensor
    y_Nq: Tensor


@dataclass(frozen=True, kw_only=True)
class InhibitorySTDP:
    """Vogels' rule on the magnitude M of an inhibitory synapse.

        dM = eta [ s_pre (y - alpha) + s_post x ],          alpha = 2 r0 tau

    x and y decayed to this step and without its spikes. Spikes near each other in time strengthen, a lone inhibitory spike weakens; the
    drift is zero where the receiver fires at r0 independently of the sender.

    Args:
        eta: >= 0. rate_per_ms: r0 > 0, the receiver's target rate. tau_ms, dt_ms: > 0.
        bounds: of the magnitude; steps do not shrink near them.

    Raises:
        UserError: a constant is out of range.

    Source: Vogels et al., "Inhibitory plasticity balances excitation and inhibition in sensory pathways and memory networks", Science 334,
        2011.
    """

    eta: float = 2e-3
    rate_per_ms: float = 0.01
    tau_ms: float = 20.0
    dt_ms: float = 1.0
    bounds: Bounds = field(default_factory=Hard)
    slow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        not_negative(self, "eta")
        positive(self, "rate_per_ms", "tau_ms", "dt_ms")

    @property
    def alpha(self) -> float:
        """2 r0 tau: the trace of two spikes' windows at the target rate."""
        return 2.0 * self.rate_per_ms * self.tau_ms

    def start(self, weight_qp: Tensor, samples: int) -> InhibitoryState:
        """No spikes yet."""
        return InhibitoryState(*blank(weight_qp, samples))

    @torch.no_grad()
    def step(self, pre_Np: Tensor, post_Nq: Tensor, state: InhibitoryState, weight_qp: Tensor) -> tuple[Tensor, InhibitoryState]:
        """The change [q, p] of the magnitudes and the traces after the step.

        Raises:
            UserError: shapes that do not belong together.
        """
        check_shapes(pre_Np, post_Nq, state.x_Np, weight_qp)
        pre_Np, post_Nq = pre_Np.to(weight_qp.dtype), post_Nq.to(weight_qp.dtype)
        fade = decay(self.tau_ms, self.dt_ms)
        x_Np, y_Nq = state.x_Np * fade, state.y_Nq * fade
        change = self.eta * (pairs(y_Nq - self.alpha, pre_Np) + pairs(post_Nq, x_Np))
        return change, InhibitoryState(x_Np + pre_Np, y_Nq + post_Nq)
