"""TTFSLatch: a neuron for clocked networks that spikes at most once between two resets, trained in T steps from scratch.

    V[t] = V[t-1] + x[t]
    theta[t] = V_th (1 - ramp (t+1)/T)
    o[t] = m[t] if V[t] > theta[t] else 0
    m[t+1] = m[t] (1 - o[t]),  m[0] = 1         (the latch; no gradient through it)

There is no leak and no reset: after its spike a neuron is spent. The threshold melts by `ramp` of itself over the window, the same as a
potential that climbs: at ramp = 1 it is 0 in the last step, so whoever has a positive potential then has fired, and whoever never had not.

A window of T steps is shared by all layers. Between layers use average pooling: the maximum over several trains can spike once for each of
them (the earliest spike of a window is a maximum followed by another latch). Sums of two trains (a residual connection) reach 2.
`TTFS` is the other model: continuous time, one window after another, exactly a ReLU network.

Source: the project's own, after Che et al., ETTFS, arXiv 2410.23619 (one spike per neuron, trained in discrete time, weighted by its time).
"""

import torch
from spikingjelly.activation_based import base
from torch import Tensor

from snn5.errors import UserError
from snn5.neurons._fused import fusable, slope_of
from snn5.neurons._fused_latch import multi_step
from snn5.neurons._surrogate import Surrogate, create_surrogate, fire_above


def latch_step(x_NC: Tensor, v_NC: Tensor, waiting_NC: Tensor, theta: float, surrogate: Surrogate) -> tuple[Tensor, Tensor, Tensor]:
    """One step.

    Args:
        x_NC: input current.
        v_NC: potential before the step.
        waiting_NC: 1 where the neuron has not fired yet, else 0.
        theta: threshold of this step.
        surrogate: fires at argument >= 0.

    Returns:
        Spikes, potential, and who still waits.
    """
    v_NC = v_NC + x_NC
    o_NC = fire_above(v_NC, theta, surrogate) * waiting_NC
    return o_NC, v_NC, waiting_NC * (1 - o_NC.detach())


def potential(current_TNC: Tensor) -> Tensor:
    """V[t] = V[t-1] + x[t] of a layer that never spikes: a read-out whose largest potential wins, even if nothing fires.

    The mean over the steps is the sum of the currents weighted with (T - t)/T: an early spike counts more than a late one.
    """
    return current_TNC.cumsum(0)


class TTFSLatch(base.MemoryModule):
    """At most one spike per neuron and presentation: the sum over t of o[t] is 0 or 1.

    Args:
        time_steps: T, the window; needed if ramp > 0. Later steps keep the last threshold.
        v_threshold: V_th, > 0.
        ramp: share of V_th that has melted in step T - 1, in [0, 1]; 0 is a constant threshold.
        surrogate, alpha: name and width, see `create_surrogate`.

    Shape: currents x_TN... -> spikes s_TN... in {0, 1}. The state (potential v, latch `waiting`, steps done) stays until
    `functional.reset_net` or a batch of another shape, so several calls are one presentation.

    Raises:
        UserError: V_th <= 0; ramp outside [0, 1]; ramp > 0 without T.
    """

    v: Tensor | float
    waiting: Tensor | float
    steps_done: int

    def __init__(
        self,
        *,
        time_steps: int | None = None,
        v_threshold: float = 1.0,
        ramp: float = 1.0,
        surrogate: str = "atan",
        alpha: float | None = None,
    ) -> None:
        super().__init__()
        if not 0.0 < v_threshold < float("inf"):
            raise UserError(f"v_threshold={v_threshold}; need a positive number")
        if not 0.0 <= ramp <= 1.0:
            raise UserError(f"ramp={ramp}; need the share of the threshold that melts over the window, 0 to 1")
        if ramp > 0 and time_steps is None:
            raise UserError(f"ramp={ramp} needs time_steps, over which the threshold melts; or set ramp=0")
        if time_steps is not None and time_steps < 1:
            raise UserError(f"time_steps={time_steps}; need at least 1")
        self.step_mode = "m"
        self.time_steps, self.v_threshold, self.ramp = time_steps, float(v_threshold), float(ramp)
        self.surrogate_function = create_surrogate(surrogate, alpha)
        self.register_memory("v", 0.0)
        self.register_memory("waiting", 1.0)
        self.register_memory("steps_done", 0)

    def theta(self, step: int) -> float:
        """Threshold of a step 0, 1, ...; exactly V_th (1 - ramp) from the last on."""
        if self.time_steps is None:
            return self.v_threshold
        return self.v_threshold * (1 - self.ramp * min(step + 1, self.time_steps) / self.time_steps)

    def multi_step_forward(self, x_TNC: Tensor) -> Tensor:
        """Currents -> spikes, carrying the state."""
        if isinstance(self.v, Tensor) and (self.v.shape != x_TNC.shape[1:] or self.v.device != x_TNC.device):
            self.reset()  # another batch: a new presentation, as LIF does
        wide = torch.promote_types(x_TNC.dtype, torch.float32)  # a sum over time is not kept in half precision
        v_NC = self.v if isinstance(self.v, Tensor) else torch.zeros_like(x_TNC[0], dtype=wide)
        waiting_NC = self.waiting if isinstance(self.waiting, Tensor) else torch.ones_like(x_TNC[0], dtype=wide)
        slope = slope_of(self.surrogate_function)
        if slope is not None and fusable(x_TNC, self.surrogate_function):  # one pass over memory
            thetas = [self.theta(self.steps_done + t) for t in range(len(x_TNC))]
            s_TNC, self.v, self.waiting = multi_step(x_TNC, v_NC, waiting_NC, thetas, slope)
        else:
            s_TNC, self.v, self.waiting = self._reference(x_TNC, v_NC, waiting_NC, self.steps_done)
        self.steps_done += len(x_TNC)
        return s_TNC

    def single_step_forward(self, x_NC: Tensor) -> Tensor:
        """One step without the time axis."""
        return self.multi_step_forward(x_NC[None])[0]

    def _reference(self, x_TNC: Tensor, v_NC: Tensor, waiting_NC: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
        """The loop over the steps in plain torch, the first of them step `start`: spikes, and the state v, waiting after the last."""
        spikes = []
        for step, x_NC in enumerate(x_TNC, start):
            o_NC, v_NC, waiting_NC = latch_step(x_NC, v_NC, waiting_NC, self.theta(step), self.surrogate_function)
            spikes.append(o_NC)
        return torch.stack(spikes).to(x_TNC.dtype), v_NC, waiting_NC

    def extra_repr(self) -> str:
        """Window, threshold and how much of it melts."""
        return f"time_steps={self.time_steps}, v_threshold={self.v_threshold}, ramp={self.ramp}"
