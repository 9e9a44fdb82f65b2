"""LIF, PLIF and IF: SpikingJelly's neurons with the project's defaults said aloud, and one pass over memory on the CPU.

With decay_input, hard reset to 0 and threshold V_th (all quantities dimensionless, one step = one unit of time):

    H[t] = V[t-1] + (X[t] - V[t-1]) / tau        charge
    S[t] = 1 if H[t] >= V_th else 0              fire
    V[t] = H[t] (1 - S[t])                       reset; S is detached here

and otherwise, each by itself:

    H[t] = V[t-1] - (V[t-1] - V_r) / tau + X[t]  decay_input=False
    H[t] = V[t-1] + X[t]                         IF
    V[t] = H[t] (1 - S[t]) + V_r S[t]            v_reset=V_r; the leak then goes to V_r, also with decay_input
    V[t] = H[t] - V_th S[t]                      v_reset=None (soft reset; the leak goes to 0)

The surrogate is ATan: dS/dH = (a/2) / (1 + (pi/2 a (H - V_th))^2), a = 2, so its peak is 1.
SpikingJelly 2.0 itself defaults to Sigmoid(4), no detaching and single steps; none of that is meant here.

In step mode "m" a float32 or bfloat16 current on the CPU takes the fused path (`_fused`), which gives SpikingJelly's spikes and potentials
bit for bit in float32, keeps only the current for the backward pass, and keeps the potential v in float32 whatever the current's dtype.
All else is SpikingJelly's: other dtypes, single steps, store_v_seq, and CUDA, where it picks the fastest of its own kernels.
"""

import math
from typing import Any

import torch
from spikingjelly.activation_based import neuron
from torch import Tensor

from snn5.errors import UserError
from snn5.neurons._fused import Dynamics, fusable, multi_step, slope_of
from snn5.neurons._surrogate import create_surrogate


class _FusedSteps(neuron.BaseNode):
    """The fused path of `multi_step_forward`, in front of SpikingJelly's own."""

    v: Tensor | float

    def multi_step_forward(self, x_TN: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Currents -> spikes, carrying the state."""
        share = self._share()
        plain = not (args or kwargs or self.store_v_seq or self._neuron_precision)
        if not (plain and fusable(x_TN, self.surrogate_function) and (share is None or share.dtype == torch.float32)):
            return super().multi_step_forward(x_TN, *args, **kwargs)
        v = self.v
        if isinstance(v, Tensor) and (v.shape != x_TN.shape[1:] or v.device != x_TN.device):  # another batch: from rest, as SpikingJelly
            v = self.v_reset or 0.0
        s_TN, self.v = multi_step(x_TN, v, share, self._dynamics())
        return s_TN

    def _share(self) -> Tensor | None:
        """What leaks in a step, if it is learned."""
        return None

    def _leak(self) -> tuple[bool, float | None]:
        """Whether the input decays, too, and a fixed time constant, if there is one."""
        return False, None

    def _dynamics(self) -> Dynamics:
        kind, alpha = slope_of(self.surrogate_function) or (0, 0.0)
        decay_input, tau = self._leak()
        return Dynamics(
            decay_input=decay_input,
            tau=tau,
            v_threshold=self.v_threshold,
            v_reset=self.v_reset,
            detach_reset=self.detach_reset,
            kind=kind,
            alpha=alpha,
        )


class LIF(_FusedSteps, neuron.LIFNode):
    """Leaky integrate-and-fire with a fixed time constant.

    Args:
        tau: membrane time constant in steps, > 1 (1/tau of the way to the input in a step).
        v_threshold: firing threshold, > 0.
        alpha: width of the surrogate, > 0; None takes the surrogate's own default, 2 for atan.
        surrogate: its name, see `create_surrogate`.
        decay_input: the current is weighted with 1/tau, too.
        detach_reset: no gradient through the spike in the reset.
        v_reset: potential after a spike, below v_threshold; None subtracts the threshold instead.

    Shape: currents x_TN... -> spikes s_TN... in {0, 1}; the state v_N... stays until `functional.reset_net`.

    Raises:
        UserError: a number out of its range; nobody registered the surrogate.
    """

    def __init__(
        self,
        *,
        tau: float = 2.0,
        v_threshold: float = 1.0,
        alpha: float | None = None,
        surrogate: str = "atan",
        decay_input: bool = True,
        detach_reset: bool = True,
        v_reset: float | None = 0.0,
    ) -> None:
        _check_tau(tau)
        super().__init__(tau=float(tau), decay_input=decay_input, **_shared(v_threshold, v_reset, surrogate, alpha, detach_reset))

    def _leak(self) -> tuple[bool, float | None]:
        return self.decay_input, self.tau


class PLIF(_FusedSteps, neuron.ParametricLIFNode):
    """LIF whose time constant is learned, one per layer: 1/tau = sigmoid(w), w0 = -ln(tau0 - 1).

    Args:
        tau: initial time constant tau0 in steps, > 1.
        v_threshold, alpha, surrogate, decay_input, detach_reset, v_reset: as `LIF`.

    Shape and errors: as `LIF`. Keep `w` out of weight decay, which would pull every tau towards 2.
    Source: Fang et al., Incorporating Learnable Membrane Time Constant, ICCV 2021, arXiv 2007.05785.
    """

    def __init__(
        self,
        *,
        tau: float = 2.0,
        v_threshold: float = 1.0,
        alpha: float | None = None,
        surrogate: str = "atan",
        decay_input: bool = True,
        detach_reset: bool = True,
        v_reset: float | None = 0.0,
    ) -> None:
        _check_tau(tau)
        super().__init__(init_tau=float(tau), decay_input=decay_input, **_shared(v_threshold, v_reset, surrogate, alpha, detach_reset))
        self.init_tau = float(tau)

    def _share(self) -> Tensor:
        return self.w.sigmoid()

    def _leak(self) -> tuple[bool, float | None]:
        return self.decay_input, None

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Forget what was learned: tau is tau0 again (nothing is drawn)."""
        self.w.fill_(-math.log(self.init_tau - 1.0))


class IF(_FusedSteps, neuron.IFNode):
    """Integrate-and-fire: no leak.

    Args:
        v_threshold, alpha, surrogate, detach_reset, v_reset: as `LIF`.

    Shape and errors: as `LIF`.
    """

    def __init__(
        self,
        *,
        v_threshold: float = 1.0,
        alpha: float | None = None,
        surrogate: str = "atan",
        detach_reset: bool = True,
        v_reset: float | None = 0.0,
    ) -> None:
        super().__init__(**_shared(v_threshold, v_reset, surrogate, alpha, detach_reset))


def _check_tau(tau: float) -> None:
    if not 1.0 < tau < math.inf:
        raise UserError(f"tau={tau}; need tau > 1 step, since 1/tau is the share that leaks in a step")


def _shared(v_threshold: float, v_reset: float | None, surrogate: str, alpha: float | None, detach_reset: bool) -> dict[str, Any]:
    """What all three hand to SpikingJelly."""
    if not 0.0 < v_threshold < math.inf:
        raise UserError(f"v_threshold={v_threshold}; need a positive number")
    if v_reset is not None and not -math.inf < v_reset < v_threshold:
        raise UserError(f"v_reset={v_reset}; need a number below v_threshold={v_threshold}, or None for a soft reset")
    return {
        "v_threshold": float(v_threshold),
        "v_reset": None if v_reset is None else float(v_reset),
        "surrogate_function": create_surrogate(surrogate, alpha),
        "detach_reset": bool(detach_reset),
        "step_mode": "m",
    }
