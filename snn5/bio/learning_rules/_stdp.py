"""Pair STDP: a synapse grows where the sender fired before the receiver and shrinks where it fired after.

Shapes: N samples, p senders, q receivers; weights [receiver, sender].
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from snn5.bio.learning_rules._rule import Bounds, Hard, blank, check_shapes, decay, not_negative, pairs, positive


class PairState(NamedTuple):
    """Traces of past spikes: x of the senders [N, p], y of the receivers [N, q]."""

    x_Np: Tensor
    y_Nq: Tensor


@dataclass(frozen=True, kw_only=True)
class PairSTDP:
    """All pairs of spikes, weighted by the time between them, with exact decay.

        x[t] = d_+ x[t-1] + s_pre[t]          y[t] = d_- y[t-1] + s_post[t]          d = exp(-dt / tau)
        dw   = A_+ up(w) s_post[t] d_+ x[t-1] - A_- down(w) s_pre[t] d_- y[t-1]

    so that a pair with Dt = t_post - t_pre changes w by A_+ exp(-Dt / tau_+) for Dt > 0, by -A_- exp(Dt / tau_-) for Dt < 0 and by nothing
    for Dt = 0.

    Args:
        a_plus, a_minus: >= 0. With A_- tau_- above A_+ tau_+ uncorrelated spikes weaken a synapse.
        tau_plus_ms, tau_minus_ms, dt_ms: > 0.
        bounds: `Hard` (up = down = 1), `Soft` or `Free`.

    Raises:
        UserError: a constant is out of range.

    Source: Song, Miller, Abbott, "Competitive Hebbian learning through spike-timing-dependent synaptic plasticity", Nat. Neurosci. 3, 2000.
    """

    a_plus: float = 0.01
    a_minus: float = 0.012
    tau_plus_ms: float = 20.0
    tau_minus_ms: float = 20.0
    dt_ms: float = 1.0
    bounds: Bounds = field(default_factory=Hard)
    slow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        not_negative(self, "a_plus", "a_minus")
        positive(self, "tau_plus_ms", "tau_minus_ms", "dt_ms")

    def start(self, weight_qp: Tensor, samples: int) -> PairState:
        """No spikes yet."""
        return PairState(*blank(weight_qp, samples))

    def faded(self, state: PairState) -> PairState:
        """The traces one step later, before this step's spikes."""
        return PairState(state.x_Np * decay(self.tau_plus_ms, self.dt_ms), state.y_Nq * decay(self.tau_minus_ms, self.dt_ms))

    @torch.no_grad()
    def step(self, pre_Np: Tensor, post_Nq: Tensor, state: PairState, weight_qp: Tensor) -> tuple[Tensor, PairState]:
        """The change [q, p] and the traces after the step.

        Raises:
            UserError: shapes that do not belong together.
        """
        check_shapes(pre_Np, post_Nq, state.x_Np, weight_qp)
        pre_Np, post_Nq = pre_Np.to(weight_qp.dtype), post_Nq.to(weight_qp.dtype)
        x_Np, y_Nq = self.faded(state)
        grow = self.a_plus * self.bounds.up(weight_qp) * pairs(post_Nq, x_Np)
        shrink = self.a_minus * self.bounds.down(weight_qp) * pairs(y_Nq, pre_Np)
        return grow - shrink, PairState(x_Np + pre_Np, y_Nq + post_Nq)
