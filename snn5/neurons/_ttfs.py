"""TTFS: neurons that spike at most once, and whose network is a ReLU network read in time (the B1 model).

Time is cut into windows [t_min, t_max), one per layer; a layer's window starts where the one before ends. In its predecessor's window a
neuron integrates a current that each incoming spike switches on; in its own its potential climbs with slope 1 until it spikes:
    t < t_min:   dV/dt = sum_j W_ij H(t - t_j)
    t >= t_min:  dV/dt = 1,  spike at V = theta_i = t_max - t_min - D_i
With x = t_max - t this is x_i = ReLU(D_i + sum_j W_ij x_j), in value and in gradient.

Source: Stanojevic et al., Nature Communications 15, 6793 (2024), arXiv 2306.08744.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn5.errors import UserError


def potential(t_NI: Tensor, weight_OI: Tensor, delay_O: Tensor, t_min: float) -> Tensor:
    """V_i(t_min) + D_i = D_i + sum_j W_ij (t_min - t_j): what the input window leaves; in the output layer, the logits.

    Args:
        t_NI: spike times of the layer before, at most t_min; t_min stands for no spike.
        weight_OI, delay_O: W and D.
        t_min: end of the window of the layer before.
    """
    return F.linear(t_min - t_NI, weight_OI, delay_O)


def spike_time(t_NI: Tensor, weight_OI: Tensor, delay_O: Tensor, t_min: float, t_max: float) -> Tensor:
    """t_i = t_min + (t_max - t_min - D_i) - sum_j W_ij (t_min - t_j), and t_max, which stands for no spike, if that is not earlier.

    A neuron over its threshold when its window opens spikes at t_min: x_i saturates at t_max - t_min, so the window must hold the
    largest x_i where equality with the ReLU network matters.

    Returns:
        Spike times in [t_min, t_max], [N, O].
    """
    t_NO = t_max - potential(t_NI, weight_OI, delay_O, t_min)
    return torch.where(t_NO < t_max, t_NO, t_max).clamp(min=t_min)


def quantize_time(t_N: Tensor, t_min: float, t_max: float, steps: int) -> Tensor:
    """Round spike times to the grid t_max - k (t_max - t_min)/steps, k = 0..steps; k = 0 is no spike. The gradient passes unchanged."""
    dt = (t_max - t_min) / steps
    k = ((t_max - t_N.detach()) / dt + 0.5).floor().clamp(0, steps)
    return t_max - k * dt + (t_N - t_N.detach())  # the bracket is exactly zero: values stay on the grid, so "no spike" stays exact


def simulate(s_TNI: Tensor, weight_OI: Tensor, delay_O: Tensor, width_in: float, width: float | None) -> tuple[Tensor, Tensor]:
    """The same layer, clocked and driven by spikes: T steps of the window before, then T steps of its own.

        I[t] = I[t-1] + W s[t],  V[t] = V[t-1] + dt_in I[t]            (window before; V[-1] = D + dt/2)
        s[t] = H(V[t] - width) m[t],  m[t+1] = m[t] (1 - s[t]),  V[t+1] = V[t] + dt    (own window)

    The half step makes the clock round to the nearest step instead of up. Equals `quantize_time(spike_time(...))` for inputs on the grid.

    Args:
        s_TNI: spikes of the layer before, 0 or 1, at most one per train.
        weight_OI, delay_O: W and D.
        width_in, width: t_max - t_min of the window before and of the own; None for an output layer, which does not spike.

    Returns:
        Spikes [T, N, O] (T = 0 for an output layer) and the potential D + V(t_min) [N, O].
    """
    steps, samples, _ = s_TNI.shape
    current = s_TNI.new_zeros(samples, len(delay_O))
    v_NO = delay_O.expand_as(current)
    for s_NI in s_TNI:
        current = current + F.linear(s_NI, weight_OI)  # an accumulation per spike and synapse: a SynOp
        v_NO = v_NO + width_in / steps * current
    if width is None:
        return s_TNI.new_zeros(0, samples, len(delay_O)), v_NO
    dt = width / steps
    v, waiting, spikes = v_NO + dt / 2, torch.ones_like(v_NO), []
    for _ in range(steps):
        s = (v >= width).to(v) * waiting
        waiting = waiting * (1 - s)
        spikes.append(s)
        v = v + dt
    return torch.stack(spikes), v_NO


class TTFS(nn.Module):
    """A fully connected stack: an input x spikes at 1 - x, hidden neurons at most once, the output's potentials are the logits.

    In training mode a window below 10 times its largest activation is widened to that before it is used, as in the paper; so training is
    the ReLU network's to rounding error. `calibrate` fits the windows for use on a clock of `time_steps` steps.

    Args:
        sizes: neurons per layer, inputs first, classes last.
        time_steps: steps of the clock per window, at least 1; None is continuous time.
        generator: source of the initial weights (nn.Linear's distribution); None takes a generator seeded with 0.
        dtype: float64 keeps the equality with ReLU to about 1e-14.

    Raises:
        UserError: fewer than two sizes, or one below 1; time_steps < 1.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        time_steps: int | None = None,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise UserError(f"sizes={list(sizes)}; need the number of inputs, of each hidden layer and of classes, each at least 1")
        if time_steps is not None and time_steps < 1:
            raise UserError(f"time_steps={time_steps}; need at least 1, or None for continuous time")
        self.time_steps = time_steps
        self.weights, self.delays = nn.ParameterList(), nn.ParameterList()
        generator = generator or torch.Generator().manual_seed(0)
        for inputs, outputs in pairwise(sizes):
            bound = inputs**-0.5
            for shape, into in (((outputs, inputs), self.weights), ((outputs,), self.delays)):
                into.append(nn.Parameter((2 * torch.rand(shape, generator=generator, dtype=dtype) - 1) * bound))
        self.width_L: Tensor
        self.register_buffer("width_L", torch.ones(len(sizes) - 2, dtype=torch.float64))  # t_max - t_min of each hidden layer

    def forward(self, x_NI: Tensor, t_start: float = 0.0) -> Tensor:
        """Intensities in [0, 1] -> logits [N, K]."""
        return self.times(x_NI, t_start)[1]

    def times(self, x_NI: Tensor, t_start: float = 0.0) -> tuple[list[Tensor], Tensor]:
        """Spike times of the inputs and of each hidden layer (t_max where silent), and the logits; the input window opens at `t_start`."""
        t_min, t_max = t_start, t_start + 1.0
        times = [self._on_clock(t_max - self._intensity(x_NI), t_min, t_max)]
        for layer, (weight, delay) in enumerate(zip(self.weights, self.delays, strict=True)):
            t_min = t_max  # the end of the window before
            if layer == len(self.width_L):
                break
            if self.training:
                self._widen(layer, potential(times[-1], weight, delay, t_min))
            t_max = t_min + float(self.width_L[layer])
            times.append(self._on_clock(spike_time(times[-1], weight, delay, t_min, t_max), t_min, t_max))
        return times, potential(times[-1], weight, delay, t_min)

    def spikes(self, x_NI: Tensor) -> tuple[list[Tensor], Tensor]:
        """Simulate on the clock: the trains of the inputs and of each hidden layer, [T, N, F] over the layer's own window, and the logits.

        Raises:
            UserError: time_steps is None.
        """
        if self.time_steps is None:
            raise UserError("TTFS(time_steps=None) has no clock to simulate on; set time_steps")
        x = self._intensity(x_NI)
        k = (x * self.time_steps + 0.5).floor()
        trains = [torch.stack([(k == lead).to(x) for lead in range(self.time_steps, 0, -1)])]  # step T - k, as snn5.coding.ttfs
        widths = [1.0, *self.width_L.tolist(), None]
        for weight, delay, (before, own) in zip(self.weights, self.delays, pairwise(widths), strict=True):
            s_TNO, v_NO = simulate(trains[-1], weight, delay, before, own)
            trains.append(s_TNO)
        return trains[:-1], v_NO

    @torch.no_grad()
    def calibrate(self, x_NI: Tensor, *, quantile: float = 1.0, margin: float = 1.5) -> None:
        """Set each window to `margin` times the `quantile` of its layer's non-zero activations on `x_NI`, first layer first.

        margin 1.5 at quantile 1 is the paper's; on a coarse clock a narrower window has finer steps but saturates some neurons.
        """
        if not 0 < quantile <= 1 or margin <= 0:
            raise UserError(f"quantile={quantile}, margin={margin}; need a quantile above 0 up to 1 and a margin above 0")
        x = self._intensity(x_NI)
        for layer in range(len(self.width_L)):
            x = F.linear(x, self.weights[layer], self.delays[layer]).relu()  # the exact activations, not those of the present windows
            active = x[x > 0].sort().values
            if len(active):
                self.width_L[layer] = margin * float(active[round(quantile * (len(active) - 1))])

    def twin(self) -> nn.Sequential:
        """The ReLU network with a copy of these weights: intensities [N, I] -> logits [N, K]."""
        parts: list[nn.Module] = []
        for weight, delay in zip(self.weights, self.delays, strict=True):
            linear = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0], dtype=weight.dtype, device=weight.device)
            linear.load_state_dict({"weight": weight, "bias": delay})
            parts += [linear, nn.ReLU()]
        return nn.Sequential(*parts[:-1])

    def _widen(self, layer: int, v_NO: Tensor) -> None:
        self.width_L[layer] = max(float(self.width_L[layer]), 10 * float(v_NO.detach().max()))

    def _on_clock(self, t: Tensor, t_min: float, t_max: float) -> Tensor:
        return t if self.time_steps is None else quantize_time(t, t_min, t_max, self.time_steps)

    def _intensity(self, x_NI: Tensor) -> Tensor:
        features = self.weights[0].shape[1]
        if x_NI.ndim != 2 or x_NI.shape[1] != features:
            raise UserError(f"TTFS needs intensities [N,{features}], got {list(x_NI.shape)}; flatten each sample")
        if x_NI.numel() and not (x_NI.min() >= 0 and x_NI.max() <= 1):
            low, high = float(x_NI.min()), float(x_NI.max())
            raise UserError(f"TTFS needs intensities in [0, 1], got {low:g} to {high:g}; divide by the split's scale")
        return x_NI.to(self.weights[0].dtype)
