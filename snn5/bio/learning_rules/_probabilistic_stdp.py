"""Probabilistic STDP: steps of one size, taken with the probability that pair STDP takes as the size.

Shapes: N samples, p senders, q receivers; weights [receiver, sender].
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from snn5.bio.learning_rules._philox import uniform
from snn5.bio.learning_rules._rule import Bounds, Hard, blank, check_shapes, decay, positive
from snn5.errors import UserError

_UP, _DOWN = 0, 1  # which of a synapse's two draws in a step


class ProbabilisticState(NamedTuple):
    """Traces as of pair STDP, the step's number, and each sample's own number [N], which its draws are made from."""

    x_Np: Tensor
    y_Nq: Tensor
    time: int
    sample_N: Tensor


@dataclass(frozen=True, kw_only=True)
class ProbabilisticSTDP:
    """A synapse moves by `size` or not at all.

        where s_post[t] = 1:   w += size up(w)   with P = min(1, p_+ x)
        where s_pre[t] = 1:    w -= size down(w) with P = min(1, p_- y)

    x and y as in `PairSTDP`; while no probability reaches 1, the expected change is that of `PairSTDP` with A = p size. A synapse's draw
    is Philox(synapse, sample, step, direction; seed, epoch): it depends neither on the batch nor on what was drawn before.

    Args:
        size: > 0. p_plus, p_minus: 0 to 1, the probability for two spikes without a gap.
        tau_plus_ms, tau_minus_ms, dt_ms: > 0.
        seed, epoch: 0 to 2^32 - 1; another epoch draws other numbers for the same samples.
        bounds: `Hard`, `Soft` or `Free`.

    Raises:
        UserError: a constant is out of range.

    Source: Srinivasan, Sengupta, Roy, "Magnetic tunnel junction based long-term short-term stochastic synapse for a spiking neural network
        with on-chip STDP learning", Sci. Rep. 6:29545, 2016.
    """

    size: float = 0.01
    p_plus: float = 1.0
    p_minus: float = 1.0
    tau_plus_ms: float = 20.0
    tau_minus_ms: float = 20.0
    dt_ms: float = 1.0
    seed: int = 0
    epoch: int = 0
    bounds: Bounds = field(default_factory=Hard)
    slow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        positive(self, "size", "tau_plus_ms", "tau_minus_ms", "dt_ms")
        for name in ("p_plus", "p_minus"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"ProbabilisticSTDP: {name}={getattr(self, name)}; need a probability from 0 to 1")
        for name in ("seed", "epoch"):
            if not 0 <= getattr(self, name) < 2**32:
                raise UserError(f"ProbabilisticSTDP: {name}={getattr(self, name)}; need a whole number from 0 to 2^32 - 1")

    def start(self, weight_qp: Tensor, samples: int) -> ProbabilisticState:
        """No spikes yet; samples are numbered from 0. `start(...)._replace(sample_N=...)` gives them the numbers of their data set."""
        return ProbabilisticState(*blank(weight_qp, samples), 0, torch.arange(samples))

    @torch.no_grad()
    def step(self, pre_Np: Tensor, post_Nq: Tensor, state: ProbabilisticState, weight_qp: Tensor) -> tuple[Tensor, ProbabilisticState]:
        """The change [q, p] and the state after the step. Only synapses with a spike are drawn for.

        Raises:
            UserError: shapes that do not belong together.
        """
        check_shapes(pre_Np, post_Nq, state.x_Np, weight_qp)
        x_Np, y_Nq = state.x_Np * decay(self.tau_plus_ms, self.dt_ms), state.y_Nq * decay(self.tau_minus_ms, self.dt_ms)
        ups = self._moves(post_Nq, x_Np, self.p_plus, state, _UP)
        downs = self._moves(pre_Np, y_Nq, self.p_minus, state, _DOWN).T
        change = self.size * (self.bounds.up(weight_qp) * ups - self.bounds.down(weight_qp) * downs)
        after = ProbabilisticState(x_Np + pre_Np.to(x_Np.dtype), y_Nq + post_Nq.to(y_Nq.dtype), state.time + 1, state.sample_N)
        return change, after

    def _moves(self, spikes_Na: Tensor, trace_Nb: Tensor, share: float, state: ProbabilisticState, direction: int) -> Tensor:
        """How many samples move each synapse, [a, b], a the side that fires."""
        moves = trace_Nb.new_zeros(spikes_Na.shape[1], trace_Nb.shape[1])
        where_N, fired = (spikes_Na != 0).nonzero(as_tuple=True)
        if not len(fired):
            return moves
        fired_M1, other_1B = fired[:, None], torch.arange(trace_Nb.shape[1])[None, :]
        receiver, sender = (fired_M1, other_1B) if direction == _UP else (other_1B, fired_M1)
        senders = trace_Nb.shape[1] if direction == _UP else spikes_Na.shape[1]
        synapse_MB = (receiver * senders + sender).numpy()
        draws = uniform((synapse_MB, state.sample_N[where_N][:, None].numpy(), state.time, direction), (self.seed, self.epoch))
        taken_MB = torch.from_numpy(draws) < share * trace_Nb[where_N].double()
        return moves.index_add_(0, fired, taken_MB.to(moves.dtype))
