"""LIF and PLIF: SpikingJelly's neurons with the project's defaults said aloud.

With decay_input, hard reset to 0 and threshold V_th (all quantities dimensionless, one step = one unit of time):

    H[t] = V[t-1] + (X[t] - V[t-1]) / tau        charge
    S[t] = 1 if H[t] >= V_th else 0              fire
    V[t] = H[t] (1 - S[t])                       reset; S is detached here

The surrogate is ATan: dS/dH = (a/2) / (1 + (pi/2 a (H - V_th))^2), a = 2, so its peak is 1.
SpikingJelly 2.0 itself defaults to Sigmoid(4), no detaching and single steps; none of that is meant here.
"""

import math

import torch
from spikingjelly.activation_based import neuron, surrogate

from snn5.errors import UserError


class LIF(neuron.LIFNode):
    """Leaky integrate-and-fire with a fixed time constant.

    Args:
        tau: membrane time constant in steps, > 1 (1/tau of the way to the input in a step).
        v_threshold: firing threshold, > 0.
        alpha: width of the ATan surrogate, > 0.

    Shape: currents x_TN... -> spikes s_TN... in {0, 1}; the state v_N... stays until `functional.reset_net`.
    """

    def __init__(self, *, tau: float = 2.0, v_threshold: float = 1.0, alpha: float = 2.0) -> None:
        _check(tau=tau, v_threshold=v_threshold, alpha=alpha)
        super().__init__(
            tau=float(tau),
            decay_input=True,
            v_threshold=float(v_threshold),
            v_reset=0.0,
            surrogate_function=surrogate.ATan(alpha=alpha),
            detach_reset=True,
            step_mode="m",
        )


class PLIF(neuron.ParametricLIFNode):
    """LIF whose time constant is learned, one per layer: 1/tau = sigmoid(w), w0 = -ln(tau0 - 1).

    Args:
        tau: initial time constant tau0 in steps, > 1.
        v_threshold: firing threshold, > 0.
        alpha: width of the ATan surrogate, > 0.

    Shape: as `LIF`. Keep `w` out of weight decay, which would pull every tau towards 2.
    Source: Fang et al., Incorporating Learnable Membrane Time Constant, ICCV 2021, arXiv 2007.05785.
    """

    def __init__(self, *, tau: float = 2.0, v_threshold: float = 1.0, alpha: float = 2.0) -> None:
        _check(tau=tau, v_threshold=v_threshold, alpha=alpha)
        super().__init__(
            init_tau=float(tau),
            decay_input=True,
            v_threshold=float(v_threshold),
            v_reset=0.0,
            surrogate_function=surrogate.ATan(alpha=alpha),
            detach_reset=True,
            step_mode="m",
        )
        self.init_tau = float(tau)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Forget what was learned: tau is tau0 again (nothing is drawn)."""
        self.w.fill_(-math.log(self.init_tau - 1.0))


def _check(*, tau: float, v_threshold: float, alpha: float) -> None:
    if not 1.0 < tau < math.inf:
        raise UserError(f"tau={tau}; need tau > 1 step, since 1/tau is the share that leaks in a step")
    for name, value in {"v_threshold": v_threshold, "alpha": alpha}.items():
        if not 0.0 < value < math.inf:
            raise UserError(f"{name}={value}; need a positive number")
