"""Intrinsic plasticity: a neuron's threshold follows its own rate, so that it fires as often as it should whatever it is given.

Shapes: N samples, q neurons.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from snn5.bio.learning_rules._rule import not_negative, positive
from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True)
class IntrinsicPlasticity:
    """theta <- theta exp(eta (<s> - r*)), held inside [lowest, highest]; <s> over samples, r* = rate_per_ms dt.

    In the logarithm, so that it recovers from an input G times too weak in ln(G) / (eta r*) steps wherever the threshold lies; the additive
    rule needs a time that grows with the scale of the potential.

    Args:
        eta: >= 0. rate_per_ms: > 0, at most one spike per step. lowest, highest, dt_ms: > 0.

    Raises:
        UserError: a constant is out of range.
    """

    eta: float = 0.05
    rate_per_ms: float = 0.02
    lowest: float = 1e-3
    highest: float = 1e3
    dt_ms: float = 1.0

    def __post_init__(self) -> None:
        not_negative(self, "eta")
        positive(self, "rate_per_ms", "lowest", "highest", "dt_ms")
        if self.lowest > self.highest or self.rate_per_ms * self.dt_ms > 1:
            raise UserError(f"{self}; need lowest <= highest, and a rate of at most one spike per step")

    @torch.no_grad()
    def step(self, post_Nq: Tensor, theta_q: Tensor) -> Tensor:
        """The thresholds [q] after a step with these spikes."""
        error_q = post_Nq.to(theta_q.dtype).mean(0) - self.rate_per_ms * self.dt_ms
        return (theta_q * torch.exp(self.eta * error_q)).clamp(self.lowest, self.highest)
