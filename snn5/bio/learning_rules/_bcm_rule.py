"""BCM: a receiver's weak answers weaken its synapses and its strong ones strengthen them; what counts as strong follows its past.

Shapes: N samples, p senders, q receivers; weights [receiver, sender].
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from snn5.bio.learning_rules._rule import Bounds, Hard, blank, check_shapes, decay, not_negative, pairs, positive


class BCMState(NamedTuple):
    """Low-pass rates x of the senders [N, p] and y of the receivers [N, q], spikes per ms; the sliding threshold [q]."""

    x_Np: Tensor
    y_Nq: Tensor
    theta_q: Tensor


@dataclass(frozen=True, kw_only=True)
class BCM:
    """Bienenstock, Cooper and Munro's rule on rates that are low-passed spikes.

        y[t] = d_y y[t-1] + (1 - d_y) s_post[t] / dt,   x likewise
        dw   = eta x y (y - theta) - lambda w
        theta[t] = d_theta theta[t-1] + (1 - d_theta) <y^2> / y0

    y must be a rate: of a spike that is 0 or 1 the factor y (y - theta) is never negative, and nothing could ever weaken. theta must follow
    the second moment: following the mean leaves a neutral line along which weights run away. The fixed point of one steady pattern is
    y = theta = y0; it is stable while `loop_gain` < 1.

    Args:
        eta: >= 0, per step. rate_per_ms: y0 > 0. decay_weight: lambda >= 0, per step.
        tau_rate_ms: of x and y. tau_theta_ms: of the threshold. dt_ms: of a step. All > 0.
        bounds: of the weights, whose steps do not shrink near them.

    Raises:
        UserError: a constant is out of range.

    Source: Bienenstock, Cooper, Munro, "Theory for the development of neuron selectivity", J. Neurosci. 2, 1982; stability: Udeigwe, Munro,
        Ermentrout, "Emergent dynamical properties of the BCM learning rule", J. Math. Neurosci. 7, 2017.
    """

    eta: float = 1e-3
    rate_per_ms: float = 0.02
    decay_weight: float = 0.0
    tau_rate_ms: float = 50.0
    tau_theta_ms: float = 1000.0
    dt_ms: float = 1.0
    bounds: Bounds = field(default_factory=Hard)
    slow: tuple[str, ...] = ("theta_q",)

    def __post_init__(self) -> None:
        not_negative(self, "eta", "decay_weight")
        positive(self, "rate_per_ms", "tau_rate_ms", "tau_theta_ms", "dt_ms")

    def start(self, weight_qp: Tensor, samples: int) -> BCMState:
        """No spikes yet; the threshold starts at y0."""
        return BCMState(*blank(weight_qp, samples), weight_qp.new_full((len(weight_qp),), self.rate_per_ms))

    @torch.no_grad()
    def step(self, pre_Np: Tensor, post_Nq: Tensor, state: BCMState, weight_qp: Tensor) -> tuple[Tensor, BCMState]:
        """The change [q, p] and the state after the step.

        Raises:
            UserError: shapes that do not belong together.
        """
        check_shapes(pre_Np, post_Nq, state.x_Np, weight_qp)
        fade = decay(self.tau_rate_ms, self.dt_ms)
        x_Np = state.x_Np * fade + pre_Np.to(weight_qp.dtype) * ((1 - fade) / self.dt_ms)
        y_Nq = state.y_Nq * fade + post_Nq.to(weight_qp.dtype) * ((1 - fade) / self.dt_ms)
        change, theta_q = self.rates(x_Np, y_Nq, state.theta_q, weight_qp)
        return change, BCMState(x_Np, y_Nq, theta_q)

    def rates(self, x_Np: Tensor, y_Nq: Tensor, theta_q: Tensor, weight_qp: Tensor) -> tuple[Tensor, Tensor]:
        """The change [q, p] at given rates, summed over samples, and the threshold after the step."""
        change = self.eta * pairs(y_Nq * (y_Nq - theta_q), x_Np) - len(x_Np) * self.decay_weight * weight_qp
        fade = decay(self.tau_theta_ms, self.dt_ms)
        return change, theta_q * fade + (1 - fade) * (y_Nq**2).mean(0) / self.rate_per_ms

    def loop_gain(self, x_Np: Tensor) -> float:
        """eta |x|^2 (tau_theta / dt) y0 of the strongest pattern: from 1 on the threshold comes too late and the rates oscillate.

        From the trace of the Jacobian at y = theta = y0 of a linear receiver, eta |x|^2 y0 - dt / tau_theta, which must be negative.
        """
        return float(self.eta * (x_Np.double() ** 2).sum(1).max() * self.tau_theta_ms / self.dt_ms * self.rate_per_ms)


BCMLearningRule = BCM  # as the roadmap's code calls it
