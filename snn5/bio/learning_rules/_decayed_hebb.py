"""Decayed Hebb: what fires together wires together, and every weight fades.

Shapes: N samples, p senders, q receivers; weights [receiver, sender].
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from snn5.bio.learning_rules._rule import Bounds, Hard, blank, check_shapes, not_negative, pairs


class HebbState(NamedTuple):
    """The last step's spikes of the senders, [N, p]: the rule needs none, but states how many samples it is for."""

    last_Np: Tensor


@dataclass(frozen=True, kw_only=True)
class DecayedHebb:
    """dw = eta (s_post s_pre - beta w), summed over samples.

    Its fixed point is w = P(both fire) / beta.

    Args:
        eta, beta: >= 0; eta beta N must stay below 1, or the decay alone overshoots.
        bounds: of the weights, whose steps do not shrink near them.

    Raises:
        UserError: a constant is out of range.

    Source: the roadmap's P8.6 of version 10.4; Gerstner, Kistler, "Spiking Neuron Models", 2002 (Hebb with passive decay).
    """

    eta: float = 1e-3
    beta: float = 0.01
    bounds: Bounds = field(default_factory=Hard)
    slow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        not_negative(self, "eta", "beta")

    def start(self, weight_qp: Tensor, samples: int) -> HebbState:
        """No spikes yet."""
        return HebbState(blank(weight_qp, samples)[0])

    @torch.no_grad()
    def step(self, pre_Np: Tensor, post_Nq: Tensor, state: HebbState, weight_qp: Tensor) -> tuple[Tensor, HebbState]:
        """The change [q, p] and the state after the step.

        Raises:
            UserError: shapes that do not belong together.
        """
        check_shapes(pre_Np, post_Nq, state.last_Np, weight_qp)
        pre_Np, post_Nq = pre_Np.to(weight_qp.dtype), post_Nq.to(weight_qp.dtype)
        return self.eta * (pairs(post_Nq, pre_Np) - len(pre_Np) * self.beta * weight_qp), HebbState(pre_Np)
