"""What all learning rules share: how one is called, the bounds of what it changes, exact decay.

A rule is a frozen dataclass of constants. What it remembers is a NamedTuple that `start` makes and `step` hands on; a projection keeps its
own, so two projections with one rule never share a trace. Nothing is changed in place and nothing needs a gradient.
Shapes: N samples, p senders, q receivers; weights [receiver, sender].
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from snn5.errors import UserError


class Bounds(Protocol):
    """How strongly a weight may still move up and down, and where it must stay."""

    def up(self, weight_qp: Tensor) -> Tensor | float:
        """Factor of an increase."""

    def down(self, weight_qp: Tensor) -> Tensor | float:
        """Factor of a decrease."""

    def clip(self, weight_qp: Tensor) -> Tensor:
        """The weight, held inside the bounds."""


@dataclass(frozen=True, kw_only=True)
class Free:
    """No bounds: for signed weights."""

    def up(self, weight_qp: Tensor) -> float:
        """1."""
        return 1.0

    def down(self, weight_qp: Tensor) -> float:
        """1."""
        return 1.0

    def clip(self, weight_qp: Tensor) -> Tensor:
        """The weight itself."""
        return weight_qp


@dataclass(frozen=True, kw_only=True)
class Hard:
    """Full steps up to the walls at 0 and `maximum`."""

    maximum: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "maximum")

    def up(self, weight_qp: Tensor) -> float:
        """1."""
        return 1.0

    def down(self, weight_qp: Tensor) -> float:
        """1."""
        return 1.0

    def clip(self, weight_qp: Tensor) -> Tensor:
        """0 <= w <= maximum."""
        return weight_qp.clamp(0.0, self.maximum)


@dataclass(frozen=True, kw_only=True)
class Soft:
    """Steps that shrink towards the walls: up by (maximum - w)^power, down by w^power."""

    maximum: float = 1.0
    power: float = 1.0

    def __post_init__(self) -> None:
        positive(self, "maximum", "power")

    def up(self, weight_qp: Tensor) -> Tensor:
        """(maximum - w)^power."""
        return (self.maximum - weight_qp).clamp_min(0.0) ** self.power

    def down(self, weight_qp: Tensor) -> Tensor:
        """w^power."""
        return weight_qp.clamp_min(0.0) ** self.power

    def clip(self, weight_qp: Tensor) -> Tensor:
        """0 <= w <= maximum."""
        return weight_qp.clamp(0.0, self.maximum)


class Rule(Protocol):
    """A rule of synaptic change."""

    @property
    def bounds(self) -> Bounds:
        """Where the weights must stay."""

    @property
    def slow(self) -> tuple[str, ...]:
        """Fields of the state that outlive a reset, such as BCM's threshold."""

    def start(self, weight_qp: Tensor, samples: int) -> Any:
        """The state before the first step, of `samples` samples that are shown side by side."""

    def step(self, pre_Np: Tensor, post_Nq: Tensor, state: Any, weight_qp: Tensor) -> tuple[Tensor, Any]:
        """The change of the weight, summed over samples and not yet clipped, and the state after the step."""


def decay(tau_ms: float, dt_ms: float) -> float:
    """exp(-dt / tau), exact: 1 - dt / tau would be 12 % short after 100 ms at tau = 20 ms."""
    return math.exp(-dt_ms / tau_ms)


def pairs(post_Nq: Tensor, pre_Np: Tensor) -> Tensor:
    """Sum over samples of post x pre, [q, p]."""
    return post_Nq.T @ pre_Np


def blank(weight_qp: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Zeros [N, p] and [N, q] of the weight's type."""
    receivers, senders = weight_qp.shape
    return weight_qp.new_zeros(samples, senders), weight_qp.new_zeros(samples, receivers)


def check_shapes(pre_Np: Tensor, post_Nq: Tensor, trace_Np: Tensor, weight_qp: Tensor) -> None:
    """Raise where spikes, traces and weight do not belong together: a trace never follows a change of shape by starting again."""
    receivers, senders = weight_qp.shape
    samples = len(trace_Np)
    if pre_Np.shape != (samples, senders) or post_Nq.shape != (samples, receivers):
        raise UserError(
            f"a weight of {receivers} x {senders} with traces of {samples} samples needs spikes [{samples}, {senders}] and "
            f"[{samples}, {receivers}]; got {list(pre_Np.shape)} and {list(post_Nq.shape)}; reset before the number of samples changes"
        )


def positive(rule: object, *names: str) -> None:
    """Raise unless each named constant is finite and above 0."""
    for name in names:
        value = getattr(rule, name)
        if not 0 < value < math.inf:
            raise UserError(f"{type(rule).__name__}: {name}={value}; need a finite value above 0")


def not_negative(rule: object, *names: str) -> None:
    """Raise unless each named constant is finite and at least 0."""
    for name in names:
        value = getattr(rule, name)
        if not 0 <= value < math.inf:
            raise UserError(f"{type(rule).__name__}: {name}={value}; need a finite value of at least 0")
