"""The additive threshold rule, which the logarithmic one of `IntrinsicPlasticity` is compared with."""

from dataclasses import dataclass

import torch
from torch import Tensor

from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True)
class AdditiveHomeostasis:
    """theta <- theta + eta (<s> - r*), held inside [lowest, highest]; <s> over samples, r* = rate_per_ms dt.

    Its step does not know how large the threshold is: from a silence it takes dtheta / (eta r*) steps, the more the higher the threshold.

    Args:
        eta: >= 0, thresholds per spike. rate_per_ms: > 0. lowest < highest. dt_ms: > 0.

    Raises:
        UserError: a constant is out of range.
    """

    eta: float = 1e-3
    rate_per_ms: float = 0.02
    lowest: float = 1e-3
    highest: float = 1e3
    dt_ms: float = 1.0

    def __post_init__(self) -> None:
        if not (self.eta >= 0 and 0 < self.rate_per_ms * self.dt_ms <= 1 and self.lowest < self.highest):
            raise UserError(f"{self}; need eta >= 0, a rate above 0 of at most one spike per step, and lowest < highest")

    @torch.no_grad()
    def step(self, post_Nq: Tensor, theta_q: Tensor) -> Tensor:
        """The thresholds [q] after a step with these spikes."""
        error_q = post_Nq.to(theta_q.dtype).mean(0) - self.rate_per_ms * self.dt_ms
        return (theta_q + self.eta * error_q).clamp(self.lowest, self.highest)
