"""Competitive STDP: when a receiver fires, its synapses move towards what its senders have just done.

Shapes: N samples, p senders, q receivers; weights [receiver, sender].
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from snn5.bio.learning_rules._rule import Bounds, Hard, blank, check_shapes, decay, not_negative, pairs, positive


class CompetitiveState(NamedTuple):
    """The trace of the senders, [N, p]."""

    x_Np: Tensor


@dataclass(frozen=True, kw_only=True)
class CompetitiveSTDP:
    """STDP at the receiver's spikes alone, with a depression that every other synapse pays.

        x[t] = d x[t-1] + s_pre[t]          dw = eta s_post[t] (scale x[t] - w)

    A synapse whose sender fired lately grows, one whose sender was silent shrinks, and w tends to the mean of scale x over the receiver's
    own spikes: with lateral inhibition each receiver takes one kind of pattern. This step's sender spikes count, they caused the spike.

    Args:
        eta: 0 to 1 per spike. scale: > 0, the weight that one spike without a gap stands for. tau_ms, dt_ms: > 0.
        bounds: of the weights.

    Raises:
        UserError: a constant is out of range.

    Source: Nessler et al., "Bayesian computation emerges in generic cortical microcircuits through spike-timing-dependent plasticity", PLoS
        Comput. Biol. 9, 2013; Diehl, Cook, "Unsupervised learning of digit recognition using STDP", Front. Comput. Neurosci. 9, 2015.
    """

    eta: float = 0.02
    scale: float = 1.0
    tau_ms: float = 20.0
    dt_ms: float = 1.0
    bounds: Bounds = field(default_factory=Hard)
    slow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        not_negative(self, "eta")
        positive(self, "scale", "tau_ms", "dt_ms")

    def start(self, weight_qp: Tensor, samples: int) -> CompetitiveState:
        """No spikes yet."""
        return CompetitiveState(blank(weight_qp, samples)[0])

    @torch.no_grad()
    def step(self, pre_Np: Tensor, post_Nq: Tensor, state: CompetitiveState, weight_qp: Tensor) -> tuple[Tensor, CompetitiveState]:
        """The change [q, p] and the trace after the step.

        Raises:
            UserError: shapes that do not belong together.
        """
        check_shapes(pre_Np, post_Nq, state.x_Np, weight_qp)
        pre_Np, post_Nq = pre_Np.to(weight_qp.dtype), post_Nq.to(weight_qp.dtype)
        x_Np = state.x_Np * decay(self.tau_ms, self.dt_ms) + pre_Np
        return self.eta * (self.scale * pairs(post_Nq, x_Np) - post_Nq.sum(0)[:, None] * weight_qp), CompetitiveState(x_Np)
