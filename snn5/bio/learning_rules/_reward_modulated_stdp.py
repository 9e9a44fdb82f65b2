"""Reward-modulated STDP: pairs of spikes leave an eligibility trace, a later reward turns it into a change.

Shapes: N samples, p senders, q receivers; weights [receiver, sender].
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from snn5.bio.learning_rules._rule import Bounds, check_shapes, decay, not_negative, positive
from snn5.bio.learning_rules._stdp import PairState, PairSTDP
from snn5.errors import UserError


class RewardState(NamedTuple):
    """The traces of pair STDP and the eligibility of every synapse in every sample, [N, q, p]."""

    x_Np: Tensor
    y_Nq: Tensor
    eligibility_Nqp: Tensor


@dataclass(frozen=True, kw_only=True)
class RewardModulatedSTDP:
    """Three factors: sender, receiver, and a signal that all synapses share.

        c[t] = exp(-dt / tau_c) c[t-1] + STDP(s_pre[t], s_post[t])          dw = eta M[t] c[t]

    A reward leaves c as it is, so one event can be paid for by several rewards; `clear` forgets it.

    Args:
        eta: >= 0. tau_c_ms: > 0, of the eligibility.
        stdp: what a pair of spikes leaves behind; its bounds are those of the weight.

    Raises:
        UserError: a constant is out of range.

    Source: Izhikevich, "Solving the distal reward problem through linkage of STDP and dopamine signaling", Cereb. Cortex 17, 2007.
    """

    eta: float = 0.05
    tau_c_ms: float = 1000.0
    stdp: PairSTDP = field(default_factory=PairSTDP)
    slow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        not_negative(self, "eta")
        positive(self, "tau_c_ms")

    @property
    def bounds(self) -> Bounds:
        """Those of the STDP below it."""
        return self.stdp.bounds

    def start(self, weight_qp: Tensor, samples: int) -> RewardState:
        """No spikes yet, nothing eligible."""
        return RewardState(*self.stdp.start(weight_qp, samples), weight_qp.new_zeros(samples, *weight_qp.shape))

    @torch.no_grad()
    def step(
        self, pre_Np: Tensor, post_Nq: Tensor, state: RewardState, weight_qp: Tensor, reward_N: Tensor | None = None
    ) -> tuple[Tensor, RewardState]:
        """The change [q, p], zero without a reward, and the state after the step.

        Args:
            reward_N: M of each sample: how much better than expected it went (`advantage`), any sign.

        Raises:
            UserError: shapes that do not belong together.
        """
        check_shapes(pre_Np, post_Nq, state.x_Np, weight_qp)
        pre_Np, post_Nq = pre_Np.to(weight_qp.dtype), post_Nq.to(weight_qp.dtype)
        x_Np, y_Nq = self.stdp.faded(PairState(state.x_Np, state.y_Nq))
        grow = self.stdp.a_plus * self.bounds.up(weight_qp) * (post_Nq[:, :, None] * x_Np[:, None])
        shrink = self.stdp.a_minus * self.bounds.down(weight_qp) * (y_Nq[:, :, None] * pre_Np[:, None])
        eligibility = state.eligibility_Nqp * decay(self.tau_c_ms, self.stdp.dt_ms) + (grow - shrink)
        after = RewardState(x_Np + pre_Np, y_Nq + post_Nq, eligibility)
        return self.pay(after, reward_N) if reward_N is not None else torch.zeros_like(weight_qp), after

    def pay(self, state: RewardState, reward_N: Tensor) -> Tensor:
        """eta sum over samples of M c: the change that a reward makes now, [q, p].

        Raises:
            UserError: not one reward per sample.
        """
        if reward_N.shape != (len(state.eligibility_Nqp),):
            raise UserError(f"rewards {list(reward_N.shape)} for {len(state.eligibility_Nqp)} samples; need one for each")
        return self.eta * torch.einsum("n,nqp->qp", reward_N.to(state.eligibility_Nqp.dtype), state.eligibility_Nqp)

    def clear(self, state: RewardState) -> RewardState:
        """The state with nothing eligible."""
        return state._replace(eligibility_Nqp=torch.zeros_like(state.eligibility_Nqp))


def advantage(reward_N: Tensor, mean: float, rate: float = 0.05) -> tuple[Tensor, float]:
    """M = R - mean and the new running mean, mean + rate (average of R - mean): success counts by how unexpected it is.

    Args:
        rate: 0 to 1.

    Raises:
        UserError: the rate is out of range.
    """
    if not 0 <= rate <= 1:
        raise UserError(f"rate={rate} of the mean reward; need a value from 0 to 1")
    surprise_N = reward_N.double() - mean
    return surprise_N, mean + rate * float(surprise_N.mean())
