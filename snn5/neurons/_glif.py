"""GLIF: a neuron whose leak, input and reset are learned mixtures of two kinds each, per channel.

    I[t] = x[t] (1 - beta (1 - g[t]))
    u[t] = (1 - alpha (1 - tau)) u[t-1] (1 - gamma o[t-1]) - (1 - alpha) lambda + I[t] - (1 - gamma) theta_r o[t-1]
    o[t] = 1 if u[t] > theta else 0            (strictly; u[-1] = o[-1] = 0)

All symbols are sigmoids of learned numbers, so within (0, 1). The gates choose
    alpha: exponential (1) or linear (0) leak, beta: input weighted by g[t] (1) or plain (0), gamma: hard (1) or soft (0) reset.
The reset of a spike comes a step later and lets gradients through. (alpha, beta, gamma) = (1, 0, 1) is u = tau u (1 - o) + x.

Source: Yao et al., GLIF, NeurIPS 2022, arXiv 2210.13768. SpikingJelly's GatedLIFNode is not used: it fires at u >= theta, makes lambda
depend on T, draws its gates from numpy's global generator, takes [T, N, C, H, W] only and forgets o between calls.
"""

from typing import NamedTuple

import torch
from spikingjelly.activation_based import base
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.neurons._fused import fusable, slope_of
from snn5.neurons._fused_glif import multi_step
from snn5.neurons._surrogate import Surrogate, create_surrogate, fire_above


class Raw(NamedTuple):
    """The learned numbers before their sigmoid, per channel (or per sample and channel, or one for all)."""

    alpha: Tensor
    beta: Tensor
    gamma: Tensor
    tau: Tensor
    theta: Tensor
    leak: Tensor  # lambda
    theta_r: Tensor


class Coefficients(NamedTuple):
    """What a step needs: u[t] = keep u (1 - hard o) - drop + gain x - soft o; o[t] = 1 if u[t] > theta."""

    keep: Tensor
    hard: Tensor
    drop: Tensor
    gain: Tensor  # with the steps first, if g had them
    soft: Tensor
    theta: Tensor


def coefficients(raw: Raw, raw_g: Tensor) -> Coefficients:
    """From learned numbers to those of the equation. Written so that a gate of exactly 0 or 1 leaves no rounding behind."""
    alpha, beta, gamma, tau, theta, leak, theta_r = (number.sigmoid() for number in raw)
    return Coefficients(
        keep=(1 - alpha) + alpha * tau,
        hard=gamma,
        drop=(1 - alpha) * leak,
        gain=(1 - beta) + beta * raw_g.sigmoid(),
        soft=(1 - gamma) * theta_r,
        theta=theta,
    )


def glif_step(x_NC: Tensor, u_NC: Tensor, o_NC: Tensor, k: Coefficients, surrogate: Surrogate) -> tuple[Tensor, Tensor]:
    """One step.

    Args:
        x_NC: input current.
        u_NC, o_NC: potential and spikes of the step before.
        k: coefficients of this step, shapes that broadcast against [N, C, ...].
        surrogate: fires at argument >= 0.

    Returns:
        Spikes o[t] and potential u[t] (before its reset).
    """
    u_NC = k.keep * u_NC * (1 - k.hard * o_NC) - k.drop + k.gain * x_NC - k.soft * o_NC
    return fire_above(u_NC, k.theta, surrogate), u_NC


class GLIF(base.MemoryModule):
    """Gated leaky integrate-and-fire: C (7 + T) parameters.

    Args:
        channels: C, size of axis 2.
        time_steps: T, the most steps between two resets: g has one number per step.
        per_channel: False shares the 7 + T parameters between all channels.
        tau: initial share of the potential that the exponential leak keeps per step, in (0, 1). Not LIF's time constant.
        v_threshold: initial theta, in (0, 1); lambda starts at theta/8 (whatever T is), theta_r at theta.
        conductance: initial g, in (0, 1).
        surrogate, alpha: name and width, see `create_surrogate`; the paper's is the rectangle |u - theta| < 1/2.

    Shape: currents x_TNC... -> spikes s_TNC... in {0, 1}. The state (potential v, spikes o, steps done) stays until
    `functional.reset_net` or a batch of another shape, so several calls are one sequence. Keep the parameters out of weight decay.

    Raises:
        UserError: a bad argument; an input with other channels; more than T steps since the last reset.
    """

    v: Tensor | float
    o: Tensor | float
    steps_done: int

    def __init__(
        self,
        *,
        channels: int,
        time_steps: int,
        per_channel: bool = True,
        tau: float = 0.25,
        v_threshold: float = 0.5,
        conductance: float = 0.5,
        surrogate: str = "rectangle",
        alpha: float | None = None,
    ) -> None:
        super().__init__()
        _check_counts(channels=channels, time_steps=time_steps)
        _check_shares(tau=tau, v_threshold=v_threshold, conductance=conductance)
        self.step_mode = "m"
        self.channels, self.time_steps = channels, time_steps
        self.surrogate_function = create_surrogate(surrogate, alpha)
        self._initial = {"tau": tau, "theta": v_threshold, "leak": v_threshold / 8, "theta_r": v_threshold}
        self._conductance = conductance
        size = channels if per_channel else 1
        for name in Raw._fields:
            self.register_parameter(f"raw_{name}", nn.Parameter(torch.empty(size)))
        self.raw_g = nn.Parameter(torch.empty(time_steps, size))
        self.register_memory("v", 0.0)
        self.register_memory("o", 0.0)
        self.register_memory("steps_done", 0)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """All as at the start; the gates' raw numbers are drawn from [-0.1, 0.1) (None takes a generator seeded with 0)."""
        generator = generator or torch.Generator().manual_seed(0)
        for name, raw in self.raw()._asdict().items():
            if name in self._initial:
                raw.copy_(torch.logit(torch.full(raw.shape, self._initial[name], dtype=torch.float64)))
            else:
                raw.copy_(0.2 * torch.rand(raw.shape, generator=generator, device=generator.device) - 0.1)
        self.raw_g.copy_(torch.logit(torch.full(self.raw_g.shape, self._conductance, dtype=torch.float64)))

    def raw(self) -> Raw:
        """The learned numbers, each [C] (or [1])."""
        return Raw(*(getattr(self, f"raw_{name}") for name in Raw._fields))

    def effective(self) -> dict[str, Tensor]:
        """The symbols of the equations by name, each in (0, 1): [C] (or [1]), and g [T, C]."""
        return {name: raw.detach().sigmoid() for name, raw in [*self.raw()._asdict().items(), ("g", self.raw_g)]}

    def multi_step_forward(self, x_TNC: Tensor) -> Tensor:
        """Currents -> spikes, carrying the state."""
        if isinstance(self.v, Tensor) and (self.v.shape != x_TNC.shape[1:] or self.v.device != x_TNC.device):
            self.reset()  # another batch: from rest, as LIF does
        self._check_input(x_TNC)
        u_NC, o_NC = (state if isinstance(state, Tensor) else torch.zeros_like(x_TNC[0]) for state in (self.v, self.o))
        steps = self._fused if self._fusable(x_TNC) else self._reference
        s_TNC, self.v, self.o = steps(x_TNC, u_NC, o_NC, self.steps_done)
        self.steps_done += len(x_TNC)
        return s_TNC

    def single_step_forward(self, x_NC: Tensor) -> Tensor:
        """One step without the time axis."""
        return self.multi_step_forward(x_NC[None])[0]

    def _fusable(self, x_TNC: Tensor) -> bool:
        giver = next(cls for cls in type(self).__mro__ if "_reference" in vars(cls))
        own = "_fused" in vars(giver)  # a subclass has other equations
        return own and self.raw_tau.dtype == torch.float32 and fusable(x_TNC, self.surrogate_function)

    def _fused(self, x_TNC: Tensor, u_NC: Tensor, o_NC: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
        """As `_reference`, in one pass over memory; the states are float32 whatever the current's dtype."""
        k = coefficients(self.raw(), self.raw_g[start : start + len(x_TNC)])
        numbers_5C = torch.stack([k.keep, k.hard, k.drop, k.soft, k.theta]).expand(-1, self.channels)
        gain_TC = k.gain.expand(-1, self.channels)
        return multi_step(x_TNC, u_NC, o_NC, numbers_5C, gain_TC, slope_of(self.surrogate_function) or (0, 0.0))

    def _reference(self, x_TNC: Tensor, u_NC: Tensor, o_NC: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
        """The loop over the steps in plain torch, the first of them step `start`: spikes, and the state u, o after the last."""
        k = coefficients(self.raw(), self.raw_g[start : start + len(x_TNC)])
        k = Coefficients(*(number.view(*number.shape, *[1] * (x_TNC.ndim - 3)) for number in k))
        spikes = []
        for x_NC, gain in zip(x_TNC, k.gain, strict=True):
            o_NC, u_NC = glif_step(x_NC, u_NC, o_NC, k._replace(gain=gain), self.surrogate_function)
            spikes.append(o_NC)
        return torch.stack(spikes).to(x_TNC.dtype), u_NC, o_NC

    def _check_input(self, x_TNC: Tensor) -> None:
        name = type(self).__name__
        if x_TNC.ndim < 3 or x_TNC.shape[2] != self.channels:
            raise UserError(f"{name} got a current of shape {list(x_TNC.shape)}; need [T, N, {self.channels}, ...]: channels are axis 2")
        if self.steps_done + x_TNC.shape[0] > self.time_steps:
            raise UserError(
                f"{name} was made for T={self.time_steps} steps, has done {self.steps_done} and got {x_TNC.shape[0]} more; "
                "reset it between sequences (functional.reset_net) or make it with a larger time_steps"
            )

    def extra_repr(self) -> str:
        """Sizes; the learned numbers are in `effective`."""
        return f"channels={self.channels}, time_steps={self.time_steps}, per_channel={self.raw_tau.numel() == self.channels}"


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            raise UserError(f"{name}={value}; need at least 1")


def _check_shares(**shares: float) -> None:
    for name, value in shares.items():
        if not 0.0 < value < 1.0:
            raise UserError(f"{name}={value}; need a number between 0 and 1 (exclusive): GLIF learns it behind a sigmoid")
