"""AdaptiveLIF: the neuron of STAA-SNN, whose leak and input gain are learned apart.

    V[t] = M H[t-1] + N I[t]                    charge; M and N per channel
    S[t] = 1 if V[t] >= V_th else 0             fire
    H[t] = V[t] (1 - S[t])                      hard reset to 0; S is detached here

At the start M = 1 - 1/tau and N = 1/tau: SpikingJelly's LIF with decay_input. M is used as if clamped to [0, 1] (above 1 a silent neuron's
potential would grow without limit, below 0 it would alternate); its gradient ignores the clamp, so that M can come back. N is free.

Source: Zhang et al., STAA-SNN, CVPR 2025, arXiv 2503.02689, whose code is not public: M and N are "learnable", one pair per channel is our
reading. The paper's surrogate is the rectangle; the default here is PLIF's.
"""

import math

import torch
from spikingjelly.activation_based import base
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.neurons._surrogate import Surrogate, create_surrogate


def adaptive_lif_step(
    i_NC: Tensor, h_NC: Tensor, keep: Tensor, gain: Tensor, v_threshold: float, surrogate: Surrogate
) -> tuple[Tensor, Tensor]:
    """One step.

    Args:
        i_NC: input current.
        h_NC: potential after the reset of the step before.
        keep, gain: M and N, shapes that broadcast against [N, C, ...].
        v_threshold: V_th.
        surrogate: fires at argument >= 0.

    Returns:
        Spikes S[t] and potential H[t].
    """
    v_NC = keep * h_NC + gain * i_NC
    s_NC = surrogate(v_NC - v_threshold)
    return s_NC, v_NC * (1 - s_NC.detach())


def clamp_through(m: Tensor) -> Tensor:
    """m clamped to [0, 1]; the gradient passes unchanged."""
    return m.detach().clamp(0, 1) + (m - m.detach())  # the bracket is exactly zero


class AdaptiveLIF(base.MemoryModule):
    """Leaky integrate-and-fire with learned leak M and gain N: 2 C parameters.

    Args:
        channels: C, size of axis 2.
        tau: initial time constant in steps, > 1.
        v_threshold: V_th, > 0.
        decay_input: N starts at 1/tau; False: at 1.
        surrogate, alpha: name and width, see `create_surrogate`.

    Shape: currents x_TNC... -> spikes s_TNC... in {0, 1}; the state v (the potential H) stays until `functional.reset_net`.

    Raises:
        UserError: a bad argument; an input with other channels.
    """

    v: Tensor | float

    def __init__(
        self,
        *,
        channels: int,
        tau: float = 2.0,
        v_threshold: float = 1.0,
        decay_input: bool = True,
        surrogate: str = "atan",
        alpha: float | None = None,
    ) -> None:
        super().__init__()
        if channels < 1:
            raise UserError(f"channels={channels}; need at least 1")
        if not 1.0 < tau < math.inf:
            raise UserError(f"tau={tau}; need tau > 1 step, since 1/tau is the share that leaks in a step")
        if not 0.0 < v_threshold < math.inf:
            raise UserError(f"v_threshold={v_threshold}; need a positive number")
        self.step_mode = "m"
        self.channels, self.init_tau, self.decay_input, self.v_threshold = channels, float(tau), decay_input, float(v_threshold)
        self.surrogate_function = create_surrogate(surrogate, alpha)
        self.keep, self.gain = nn.Parameter(torch.empty(channels)), nn.Parameter(torch.empty(channels))
        self.register_memory("v", 0.0)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """M = 1 - 1/tau and N = 1/tau (or 1) again; nothing is drawn."""
        self.keep.fill_(1 - 1 / self.init_tau)
        self.gain.fill_(1 / self.init_tau if self.decay_input else 1.0)

    def effective(self) -> dict[str, Tensor]:
        """M and N of the equations, each [C]."""
        return {"M": self.keep.detach().clamp(0, 1), "N": self.gain.detach().clone()}

    def multi_step_forward(self, x_TNC: Tensor) -> Tensor:
        """Currents -> spikes, carrying the state."""
        if x_TNC.ndim < 3 or x_TNC.shape[2] != self.channels:
            raise UserError(
                f"AdaptiveLIF got a current of shape {list(x_TNC.shape)}; need [T, N, {self.channels}, ...]: channels are axis 2"
            )
        h_NC = self.v if isinstance(self.v, Tensor) else torch.zeros_like(x_TNC[0])
        s_TNC, self.v = self._reference(x_TNC, h_NC)
        return s_TNC

    def single_step_forward(self, x_NC: Tensor) -> Tensor:
        """One step without the time axis."""
        return self.multi_step_forward(x_NC[None])[0]

    def _reference(self, x_TNC: Tensor, h_NC: Tensor) -> tuple[Tensor, Tensor]:
        """The loop over the steps in plain torch: spikes, and the potential after the last."""
        shape = (-1, *[1] * (x_TNC.ndim - 3))
        keep, gain = clamp_through(self.keep).view(shape), self.gain.view(shape)
        spikes = []
        for x_NC in x_TNC:
            s_NC, h_NC = adaptive_lif_step(x_NC, h_NC, keep, gain, self.v_threshold, self.surrogate_function)
            spikes.append(s_NC)
        return torch.stack(spikes).to(x_TNC.dtype), h_NC

    def extra_repr(self) -> str:
        """What it was made from; the learned numbers are in `effective`."""
        return f"channels={self.channels}, init_tau={self.init_tau}, v_threshold={self.v_threshold}"
