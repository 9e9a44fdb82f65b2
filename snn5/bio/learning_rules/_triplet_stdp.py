"""Triplet STDP: what a pair of spikes does also depends on the spike before it.

Shapes: N samples, p senders, q receivers; weights [receiver, sender].
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from snn5.bio.learning_rules._rule import Bounds, Hard, blank, check_shapes, decay, not_negative, pairs, positive


class TripletState(NamedTuple):
    """A fast and a slow trace of the senders, x and x2 [N, p], and of the receivers, y and y2 [N, q]."""

    x_Np: Tensor
    x2_Np: Tensor
    y_Nq: Tensor
    y2_Nq: Tensor


@dataclass(frozen=True, kw_only=True)
class TripletSTDP:
    """Pfister and Gerstner's rule, all spikes with all.

        dw = up(w) s_post x (A2_+ + A3_+ y2) - down(w) s_pre y (A2_- + A3_- x2)

    every trace decayed to this step and without its spikes; then x, x2 += s_pre and y, y2 += s_post. The defaults are the minimal model of
    visual cortex: pairs depress, triplets post-pre-post potentiate, which makes potentiation grow with the receiver's rate as BCM's does.
    With A3 = 0 it is `PairSTDP`.

    Args:
        a2_plus, a2_minus, a3_plus, a3_minus: >= 0.
        tau_plus_ms, tau_minus_ms: of x and y. tau_x_ms, tau_y_ms: of x2 and y2. dt_ms: of a step. All > 0.
        bounds: `Hard`, `Soft` or `Free`.

    Raises:
        UserError: a constant is out of range.

    Source: Pfister, Gerstner, "Triplets of spikes in a model of spike timing-dependent plasticity", J. Neurosci. 26, 2006.
    """

    a2_plus: float = 0.0
    a3_plus: float = 6.5e-3
    a2_minus: float = 7.1e-3
    a3_minus: float = 0.0
    tau_plus_ms: float = 16.8
    tau_minus_ms: float = 33.7
    tau_x_ms: float = 101.0
    tau_y_ms: float = 114.0
    dt_ms: float = 1.0
    bounds: Bounds = field(default_factory=Hard)
    slow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        not_negative(self, "a2_plus", "a3_plus", "a2_minus", "a3_minus")
        positive(self, "tau_plus_ms", "tau_minus_ms", "tau_x_ms", "tau_y_ms", "dt_ms")

    def start(self, weight_qp: Tensor, samples: int) -> TripletState:
        """No spikes yet."""
        x_Np, y_Nq = blank(weight_qp, samples)
        return TripletState(x_Np, x_Np, y_Nq, y_Nq)

    @torch.no_grad()
    def step(self, pre_Np: Tensor, post_Nq: Tensor, state: TripletState, weight_qp: Tensor) -> tuple[Tensor, TripletState]:
        """The change [q, p] and the traces after the step.

        Raises:
            UserError: shapes that do not belong together.
        """
        check_shapes(pre_Np, post_Nq, state.x_Np, weight_qp)
        pre_Np, post_Nq = pre_Np.to(weight_qp.dtype), post_Nq.to(weight_qp.dtype)
        taus = (self.tau_plus_ms, self.tau_x_ms, self.tau_minus_ms, self.tau_y_ms)
        x_Np, x2_Np, y_Nq, y2_Nq = (trace * decay(tau, self.dt_ms) for trace, tau in zip(state, taus, strict=True))
        grow = self.bounds.up(weight_qp) * pairs(post_Nq * (self.a2_plus + self.a3_plus * y2_Nq), x_Np)
        shrink = self.bounds.down(weight_qp) * pairs(y_Nq, pre_Np * (self.a2_minus + self.a3_minus * x2_Np))
        return grow - shrink, TripletState(x_Np + pre_Np, x2_Np + pre_Np, y_Nq + post_Nq, y2_Nq + post_Nq)
