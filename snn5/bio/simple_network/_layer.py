"""One layer of excitatory and inhibitory neurons with recurrence inside it.

Shapes: N samples, C senders below, e excitatory and i inhibitory neurons, n = e + i, excitatory ones first; matrices [receiver, sender].
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from snn5.bio.learning_rules import IntrinsicPlasticity, Projection, Rule
from snn5.errors import UserError, unknown

# Receivers by sender; the senders below are excitatory neurons or inputs.
KINDS = ("input->e", "input->i", "e->e", "e->i", "i->e", "i->i")
Rules = Callable[[str], Rule | None]


@dataclass(frozen=True, kw_only=True)
class Neurons:
    """Leaky integrate and fire with a reset to 0.

        V[t] = exp(-dt / tau) V[t-1] + I[t],   0 for `refractory` steps after a spike;   s[t] = V[t] >= theta, then V[t] <- 0

    Attributes:
        tau_ms, dt_ms, threshold: > 0. refractory: steps, >= 0.
    """

    tau_ms: float = 20.0
    dt_ms: float = 1.0
    threshold: float = 1.0
    refractory: int = 2

    def __post_init__(self) -> None:
        if not (self.tau_ms > 0 and self.dt_ms > 0 and self.threshold > 0 and self.refractory >= 0):
            raise UserError(f"{self}; need tau_ms, dt_ms and threshold above 0 and no negative refractory time")

    @property
    def fade(self) -> float:
        """exp(-dt / tau)."""
        return math.exp(-self.dt_ms / self.tau_ms)


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """How a layer's synapses are drawn: each is there with `density`; magnitudes are `strength` (1 + spread z), not below 0.

    Attributes:
        density: 0..1. strength: by kind, thresholds per spike, >= 0. spread: sd over mean.
    """

    density: float = 0.2
    strength: tuple[float, ...] = (0.25, 0.25, 0.05, 0.15, 0.05, 0.05)
    spread: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.density <= 1 or len(self.strength) != len(KINDS) or min(self.strength) < 0 or self.spread < 0:
            raise UserError(f"{self}; need a density from 0 to 1, {len(KINDS)} strengths ({', '.join(KINDS)}) and a spread, none negative")


class LayerState(NamedTuple):
    """Potentials, refractory steps left and last step's spikes, of the layer [N, n] and of the senders below [N, C]."""

    v_Nn: Tensor
    wait_Nn: Tensor
    spikes_Nn: Tensor
    before_NC: Tensor


class Layer(nn.Module):
    """Six projections between senders below, excitatory and inhibitory neurons; every spike arrives one step later.

    A sender's sign stands apart from its magnitudes, which no rule can make negative: Dale's law holds by construction, for inhibition by
    bounds of its own. No neuron is wired to itself.

    Args:
        senders: C. n_e, n_i: e > 0, i >= 0. neurons, wiring: see there. rules: the rule of a kind of projection, or None.
        homeostasis: of all thresholds, or None. name: what errors call the layer.
        generator: of the wiring.

    Raises:
        UserError: no excitatory neurons or senders.
    """

    theta: Tensor

    def __init__(
        self,
        senders: int,
        n_e: int,
        n_i: int,
        *,
        neurons: Neurons,
        wiring: Wiring,
        rules: Rules,
        homeostasis: IntrinsicPlasticity | None = None,
        name: str = "layer",
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if senders < 1 or n_e < 1 or n_i < 0:
            raise UserError(f"{name}: {senders} senders, n_e={n_e}, n_i={n_i}; need senders and excitatory neurons, and no negative number")
        self.senders, self.n_e, self.n_i, self.neurons, self.homeostasis, self.name = senders, n_e, n_i, neurons, homeostasis, name
        sizes = {"input": senders, "e": n_e, "i": n_i}
        made = {}
        for kind, strength in zip(KINDS, wiring.strength, strict=True):
            source, target = kind.split("->")
            shape = (sizes[target], sizes[source])
            mask = torch.rand(shape, generator=generator) < wiring.density
            if source == target:
                mask.fill_diagonal_(False)
            magnitude = (strength * (1 + wiring.spread * torch.randn(shape, generator=generator))).clamp_min(0.0)
            sign = torch.full((sizes[source],), -1.0 if source == "i" else 1.0)
            made[_key(kind)] = Projection(magnitude, rules(kind), mask_qp=mask, sign_p=sign)
        self.projections = nn.ModuleDict(made)
        self.register_buffer("theta", torch.full((n_e + n_i,), neurons.threshold))

    def projection(self, kind: str) -> Projection:
        """The projection of a kind, such as `i->e`."""
        if kind not in KINDS:
            raise unknown("projection", kind, KINDS)
        return cast(Projection, self.projections[_key(kind)])

    def silent(self, samples: int) -> LayerState:
        """The state of a layer that has seen nothing."""
        zero_Nn = self.theta.new_zeros(samples, self.n_e + self.n_i)
        return LayerState(zero_Nn, zero_Nn, zero_Nn, self.theta.new_zeros(samples, self.senders))

    @torch.no_grad()
    def step(self, below_NC: Tensor, state: LayerState) -> tuple[Tensor, LayerState]:
        """One step, and what the rules make of it; in eval mode nothing learns.

            I[t] = W_in s_below[t-1] + W s[t-1]

        Args:
            below_NC: spikes of the senders in this step; they arrive in the next.

        Returns:
            Spikes [N, n], 0.0 or 1.0, and the state after the step.
        """
        before_e, before_i = state.spikes_Nn.split([self.n_e, self.n_i], dim=1)
        senders = {"input": state.before_NC, "e": before_e, "i": before_i}
        inflow = {kind: self.projection(kind)(senders[kind.split("->")[0]]) for kind in KINDS}
        current_Nn = torch.cat(
            [inflow["input->e"] + inflow["e->e"] + inflow["i->e"], inflow["input->i"] + inflow["e->i"] + inflow["i->i"]], 1
        )
        free = state.wait_Nn <= 0
        v_Nn = torch.where(free, state.v_Nn * self.neurons.fade + current_Nn, 0.0)
        fired = v_Nn >= self.theta
        spikes_Nn = fired.to(v_Nn.dtype)
        wait_Nn = torch.where(fired, float(self.neurons.refractory), torch.where(free, 0.0, state.wait_Nn - 1))
        below_NC = below_NC.to(v_Nn.dtype)
        if self.training:
            e, i = spikes_Nn.split([self.n_e, self.n_i], dim=1)
            now = {"input": below_NC, "e": e, "i": i}
            for kind in KINDS:
                source, target = kind.split("->")
                self.projection(kind).learn(now[source], now[target])
            if self.homeostasis is not None:
                self.theta.copy_(self.homeostasis.step(spikes_Nn, self.theta))
        return spikes_Nn, LayerState(torch.where(fired, 0.0, v_Nn), wait_Nn, spikes_Nn, below_NC)

    @property
    def weight(self) -> Tensor:
        """Signed recurrent weights [n, n]."""
        return self._whole("weight")

    @property
    def mask(self) -> Tensor:
        """Where the layer has synapses within itself, bool [n, n]."""
        return self._whole("mask")

    @property
    def sign(self) -> Tensor:
        """+1 of excitatory and -1 of inhibitory neurons, [n]."""
        return torch.cat([self.theta.new_ones(self.n_e), -self.theta.new_ones(self.n_i)])

    def _whole(self, name: str) -> Tensor:
        rows = [torch.cat([getattr(self.projection(f"{source}->{target}"), name) for source in "ei"], 1) for target in "ei"]
        return torch.cat(rows)


def _key(kind: str) -> str:
    return kind.replace("->", "_to_")
