"""Latency coding: an intensity becomes the time of a first spike, alone (TTFS) or at the head of a burst."""

import torch
from torch import Tensor

from snn5.coding._check import check_intensity, check_steps
from snn5.errors import UserError


def ttfs(x_N: Tensor, time_steps: int, *, eps: float | None = None) -> Tensor:
    """Time to first spike: at most one spike per input, the earlier the brighter.

        k = max(1, floor(T x + 1/2)),  s[t] = 1 at t = T - k;  no spike where x <= eps

    T steps tell T levels and silence apart, so intensities j/T are coded without loss (see `decode_ttfs`).
    SpikingJelly's LatencyEncoder is not used: it spikes at t = T-1 even for x = 0 (never less than one spike per input), its `log` mode
    overflows from T of about 90 on, and it is stateful for no need.

    Args:
        x_N: intensities in [0, 1], any shape.
        time_steps: T >= 1.
        eps: intensities up to eps stay silent; None silences what rounds to nothing, x < 1/(2T).

    Returns:
        Spikes 0 or 1, [T, *x.shape], dtype of x.

    Raises:
        UserError: x is not floating point or leaves [0, 1]; time_steps < 1; eps outside [0, 1).
    """
    check_steps(time_steps)
    return _one_hot(_level(x_N, time_steps, eps), time_steps, x_N.dtype)


def burst(x_N: Tensor, time_steps: int, *, length: int = 3, eps: float | None = None) -> Tensor:
    """Latency and burst: `length` spikes in a row or none; the first is the earlier the brighter.

        L = T - length + 1,  k = max(1, floor(L x + 1/2)),  s[t] = 1 for L - k <= t < L - k + length;  no spike where x <= eps

    The last burst still ends within T, so every burst is whole; length 1 is `ttfs`.

    Args:
        x_N: intensities in [0, 1], any shape.
        time_steps: T >= length.
        length: spikes per burst, >= 1.
        eps: intensities up to eps stay silent; None silences what rounds to nothing, x < 1/(2L).

    Returns:
        Spikes 0 or 1, [T, *x.shape], dtype of x.

    Raises:
        UserError: x is not floating point or leaves [0, 1]; the burst is longer than T; eps outside [0, 1).
    """
    if length < 1:
        raise UserError(f"length={length}; a burst needs at least one spike")
    check_steps(time_steps, least=length)
    levels = time_steps - length + 1
    first = _one_hot(_level(x_N, levels, eps), levels, x_N.dtype)
    s_TN = x_N.new_zeros((time_steps, *x_N.shape))
    for after in range(length):
        s_TN[after : after + levels] += first
    return s_TN


def decode_ttfs(s_TN: Tensor) -> Tensor:
    """The intensity that a single spike stands for: x = sum_t (T - t) s[t] / T; silence is 0.

    Args:
        s_TN: spikes, at most one per train, [T, ...].

    Returns:
        Intensities, [...]; within 1/(2T) of what `ttfs` coded.
    """
    steps = s_TN.shape[0]
    lead = torch.arange(steps, 0, -1, dtype=s_TN.dtype, device=s_TN.device)
    return torch.tensordot(lead, s_TN, dims=1) / steps


def first_spike(s_TN: Tensor) -> Tensor:
    """Step of each train's first spike, T where there is none: whole numbers, [...] (the smallest is the winner).

    Args:
        s_TN: spikes, [T, ...].
    """
    return torch.where(s_TN.amax(0) > 0, s_TN.argmax(0), s_TN.shape[0])


def _level(x_N: Tensor, levels: int, eps: float | None) -> Tensor:
    """Steps before the end of the code at which the first spike falls, 1..levels; 0 is silence."""
    check_intensity(x_N)
    if eps is not None and not 0 <= eps < 1:
        raise UserError(f"eps={eps}; need a value from 0 to below 1")
    k = (x_N.double() * levels + 0.5).floor()
    silent = k == 0 if eps is None else x_N <= eps  # in x's own precision, so that x = eps is silent in float32 too
    return torch.where(silent, 0, k.clamp(1, levels)).long()


def _one_hot(k_N: Tensor, levels: int, dtype: torch.dtype) -> Tensor:
    leads = torch.arange(levels, 0, -1, device=k_N.device).view(-1, *[1] * k_N.ndim)
    return (leads == k_N).to(dtype)
