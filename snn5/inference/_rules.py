"""When is an answer sure? Rules that look at the logits accumulated so far.

Y(t) = sum_{u <= t} o(u) is the sum of the logits of the steps up to t. No rule is asked at the last step, where every sample leaves.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from snn5.errors import UserError

Rule = Callable[[Tensor, int], Tensor]
"""(sum_NK of the logits so far, step 1..T-1) -> bool_N: sure enough to leave."""


def gap(sum_NK: Tensor) -> Tensor:
    """Largest minus second largest accumulated logit: [..., K] -> [...].

    Raises:
        UserError: fewer than two classes.
    """
    if sum_NK.shape[-1] < 2:
        raise UserError(f"{sum_NK.shape[-1]} class; a gap needs at least two")
    first, second = sum_NK.topk(2, dim=-1).values.unbind(-1)
    return first - second


@dataclass(frozen=True, kw_only=True)
class GapRule:
    """SNNCutoff: leave at the first t with gap(Y(t)) > beta(t).

    Attributes:
        thresholds: beta, one per step, in logits; +inf never leaves, -inf always.

    Source: Wu et al., Optimising Event-Driven SNN with Regularisation and Cutoff, Front. Neurosci. 19:1522788 (2025), arXiv 2301.09522.
    """

    thresholds: tuple[float, ...]

    def __call__(self, sum_NK: Tensor, step: int) -> Tensor:
        """gap > beta(step)."""
        if not 1 <= step <= len(self.thresholds):
            raise UserError(f"step {step}, but {len(self.thresholds)} thresholds; calibrate the cutoff for this network's number of steps")
        return gap(sum_NK) > self.thresholds[step - 1]


class ScoreRule(Protocol):
    """A rule with one threshold, 0..1, for all steps."""

    threshold: float
    always: ClassVar[float]  # the threshold at which it always leaves; at the other end of 0..1 it hardly ever does

    def __init__(self, *, threshold: float) -> None: ...

    def __call__(self, sum_NK: Tensor, step: int) -> Tensor:
        """Whether each sample may leave."""
        ...

    @staticmethod
    def score(sum_NK: Tensor, step: int) -> Tensor:
        """What is compared with the threshold."""
        ...


@dataclass(frozen=True, kw_only=True)
class EntropyRule:
    """DT-SNN: leave when the normalised entropy -sum pi log pi / log K of pi = softmax(Y(t)/t) falls below `threshold` (0..1).

    Source: Li et al., Input-Aware Dynamic Timestep Spiking Neural Networks for Efficient In-Memory Computing, DAC 2023.
    """

    threshold: float
    always: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        _check(self.threshold)

    def __call__(self, sum_NK: Tensor, step: int) -> Tensor:
        """entropy < threshold."""
        return self.score(sum_NK, step) < self.threshold

    @staticmethod
    def score(sum_NK: Tensor, step: int) -> Tensor:
        """The normalised entropy."""
        log_NK = torch.log_softmax(sum_NK / step, dim=-1)
        return -(log_NK.exp() * log_NK).sum(-1) / math.log(sum_NK.shape[-1])


@dataclass(frozen=True, kw_only=True)
class MaxProbabilityRule:
    """SEENN-I: leave when max softmax(Y(t)/t) >= `threshold` (0..1).

    Source: Li et al., SEENN: Towards Temporal Spiking Early-Exit Neural Networks, NeurIPS 2023.
    """

    threshold: float
    always: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        _check(self.threshold)

    def __call__(self, sum_NK: Tensor, step: int) -> Tensor:
        """largest probability >= threshold."""
        return self.score(sum_NK, step) >= self.threshold

    @staticmethod
    def score(sum_NK: Tensor, step: int) -> Tensor:
        """The largest probability."""
        return torch.softmax(sum_NK / step, dim=-1).amax(-1)


def never(_sum_NK: Tensor, _step: int) -> Tensor:
    """Nobody leaves before the last step."""
    return torch.zeros_like(_sum_NK[:, 0], dtype=torch.bool)


RULES: dict[str, Any] = {"gap": GapRule, "entropy": EntropyRule, "max_probability": MaxProbabilityRule}
"""By the name that a checkpoint's card gives them."""


def _check(threshold: float) -> None:
    if not 0.0 <= threshold <= 1.0:
        raise UserError(f"threshold={threshold}; need a value from 0 to 1")
