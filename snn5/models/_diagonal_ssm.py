"""S4D: a linear state space for each channel, with a diagonal matrix: a memory of many time constants, run step by step or at once.

Shapes: T steps, N samples, D channels, S pairs of conjugate states; one step = one unit of time.
"""

import math
from typing import NamedTuple

import torch
from spikingjelly.activation_based import base
from torch import Tensor, nn

from snn5.errors import UserError


class Discrete(NamedTuple):
    """A and B after zero-order hold, complex [D, S]: `decay` = exp(Delta A), `gain` = (exp(Delta A) - 1) / A."""

    decay_DS: Tensor
    gain_DS: Tensor


def discretise(log_dt_D: Tensor, log_damping_DS: Tensor, frequency_DS: Tensor) -> Discrete:
    """Zero-order hold of A = -exp(log_damping) + i frequency with B = 1, over steps of Delta = exp(log_dt)."""
    a_DS = torch.complex(-log_damping_DS.exp(), frequency_DS)
    exponent_DS = a_DS * log_dt_D.exp()[:, None]
    return Discrete(exponent_DS.exp(), torch.expm1(exponent_DS) / a_DS)


def read(c_DS: Tensor, h_NDS: Tensor) -> Tensor:
    """2 Re(C h): each state stands for itself and its conjugate. [N, D, S] -> [N, D]."""
    return 2 * (c_DS.real * h_NDS.real - c_DS.imag * h_NDS.imag).sum(-1)


def step(x_ND: Tensor, h_NDS: Tensor, c_DS: Tensor, system: Discrete) -> tuple[Tensor, Tensor]:
    """h[t] = A' h[t-1] + B' x[t],   y[t] = 2 Re(C h[t]); nothing is changed in place.

    Returns:
        y [N, D] and h [N, D, S] after the step.
    """
    h_NDS = system.decay_DS * h_NDS + system.gain_DS * x_ND[..., None]
    return read(c_DS, h_NDS), h_NDS


def kernel(c_DS: Tensor, system: Discrete, steps: int) -> tuple[Tensor, Tensor]:
    """What an input of 1 does to the outputs of this and later steps: K[k] = 2 Re sum_s C A'^k B', [D, T]; and A'^k B', [D, S, T]."""
    k_T = torch.arange(steps, device=c_DS.device)
    echo_DST = system.gain_DS[..., None] * system.decay_DS[..., None] ** k_T
    return 2 * (c_DS.real[..., None] * echo_DST.real - c_DS.imag[..., None] * echo_DST.imag).sum(1), echo_DST


def convolve(x_TND: Tensor, kernel_DT: Tensor) -> Tensor:
    """y[t] = sum_k K[k] x[t-k] of every channel, causal, by a Fourier transform of twice the length: O(T log T)."""
    steps = len(x_TND)
    spectrum = torch.fft.rfft(x_TND, 2 * steps, dim=0) * torch.fft.rfft(kernel_DT.T, 2 * steps, dim=0)[:, None]
    return torch.fft.irfft(spectrum, 2 * steps, dim=0)[:steps]


class StateSpace(base.MemoryModule):
    """The parameters of `DiagonalSSM` and its state h, None before the first step: forgotten by `functional.reset_net`.

    A memory, so that optimisers treat its parameters as a neuron's (a rate of their own, no decay); no neuron: there is no `v`, and it is
    never called, so that nobody takes its real numbers for spikes.
    """

    h: Tensor | None

    def __init__(self, channels: int, pairs: int, dt_min: float, dt_max: float) -> None:
        super().__init__()
        self.dt_min, self.dt_max = dt_min, dt_max
        self.log_dt = nn.Parameter(torch.empty(channels))
        self.log_damping = nn.Parameter(torch.empty(channels, pairs))
        self.frequency = nn.Parameter(torch.empty(channels, pairs))
        self.output = nn.Parameter(
            torch.empty(channels, pairs, 2)
        )  # real and imaginary parts: files and optimisers know no complex numbers
        self.skip = nn.Parameter(torch.empty(channels))
        self.register_memory("h", None)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw Delta and C, set A and D."""
        share_D = torch.rand(len(self.log_dt), generator=generator)
        self.log_dt.copy_(math.log(self.dt_min) + share_D * (math.log(self.dt_max) - math.log(self.dt_min)))
        self.log_damping.fill_(math.log(0.5))
        self.frequency.copy_((math.pi * torch.arange(self.frequency.shape[1])).expand_as(self.frequency))
        self.output.copy_(torch.randn(self.output.shape, generator=generator) / math.sqrt(2))
        self.skip.fill_(1.0)


class DiagonalSSM(nn.Module):
    """y[t] = 2 Re sum_s C_s h_s[t] + D x[t] for each channel, h as in `step`.

    A starts as S4D-Lin, -1/2 + i pi s; Delta is log-uniform in `dt_min`..`dt_max`, C standard normal (complex), D = 1: a channel passes on
    what it sees, and its past beside it. A channel remembers about 2 / Delta steps.

    Args:
        channels: D.
        d_state: states of a channel, even, >= 2; S = d_state / 2 pairs are stored.
        dt_min, dt_max: 0 < dt_min <= dt_max, in steps.
        parallel: in training mode, from silence, by `convolve` (equal but for rounding; no gradient flows into the state that is left for a
            later call); else step by step.

    Shape: x_TND -> the same, real numbers; the state `space.h` [N, D, S] stays until `functional.reset_net`.

    Raises:
        UserError: an odd or too small d_state, or a range that is none.

    Source: Gu, Gupta, Goel, Re, On the Parameterization and Initialization of Diagonal State Space Models, NeurIPS 2022, arXiv 2206.11893.
    """

    def __init__(self, channels: int, *, d_state: int, dt_min: float, dt_max: float, parallel: bool = True) -> None:
        super().__init__()
        if not isinstance(d_state, int) or d_state < 2 or d_state % 2:
            raise UserError(f"d_state={d_state!r}; need an even whole number, at least 2: states come in conjugate pairs")
        if not 0 < dt_min <= dt_max < math.inf:
            raise UserError(f"dt_min={dt_min}, dt_max={dt_max}; need 0 < dt_min <= dt_max, in steps")
        self.parallel = parallel
        self.space = StateSpace(channels, d_state // 2, dt_min, dt_max)

    @property
    def macs(self) -> tuple[int, int]:
        """Real multiply-accumulates of a channel and step: those of the state (A' h, C h), and those of the input (B' x, D x)."""
        pairs = self.space.frequency.shape[1]
        return 6 * pairs, 2 * pairs + 1

    def forward(self, x_TND: Tensor) -> Tensor:
        """All steps, carrying the state."""
        space = self.space
        x_TND = x_TND.to(space.skip.dtype)
        system = discretise(space.log_dt, space.log_damping, space.frequency)
        c_DS = torch.view_as_complex(space.output)
        h_NDS = space.h
        if h_NDS is not None and h_NDS.shape[0] != x_TND.shape[1]:  # another batch: from silence, as neurons do
            h_NDS = None
        if self.parallel and self.training and h_NDS is None:
            kernel_DT, echo_DST = kernel(c_DS, system, len(x_TND))
            y_TND = convolve(x_TND, kernel_DT)
            with torch.no_grad():
                space.h = torch.einsum("tnd,dst->nds", x_TND.flip(0).to(echo_DST.dtype), echo_DST)
        else:
            if h_NDS is None:
                h_NDS = torch.zeros_like(c_DS).expand(x_TND.shape[1], -1, -1)
            y = []
            for x_ND in x_TND:
                y_ND, h_NDS = step(x_ND, h_NDS, c_DS, system)
                y.append(y_ND)
            y_TND, space.h = torch.stack(y), h_NDS
        return y_TND + space.skip * x_TND
