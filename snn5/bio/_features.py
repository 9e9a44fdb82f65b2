"""What a read-out sees of a liquid: spike counts in time bins, or low-pass traces sampled at the bins' ends.

Shapes: T steps, N samples, n neurons, B bins; features [N, B n], bin by bin.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from snn5.config import Liquid as Settings
from snn5.errors import UserError

Features = Callable[[Tensor], Tensor]  # spikes [T, N, n] -> features [N, p]


def window_counts(x_TN: Tensor) -> Tensor:
    """Sum over the first axis, int32 for whole numbers; bytes are added up as bytes as long as they fit, 32 numbers an instruction."""
    if x_TN.dtype == torch.uint8 and x_TN.device.type == "cpu":
        x = x_TN.numpy()
        fit = 255 // max(1, int(x.max(initial=0)))
        return torch.from_numpy(
            sum((x[a : a + fit].sum(0, dtype=np.uint8) for a in range(0, len(x), fit)), np.zeros(x.shape[1:], np.int32))
        )
    return x_TN.sum(0)


def bin_counts(spikes_TNn: Tensor, bins: int) -> Tensor:
    """Spikes of each neuron in `bins` consecutive bins of equal length; where T is no multiple, the first bins are one step longer.

    Raises:
        UserError: fewer steps than bins.
    """
    return torch.cat([window_counts(part).float() for part in _parts(spikes_TNn, bins)], dim=1)


def traces(spikes_TNn: Tensor, bins: int, tau_ms: float, dt_ms: float) -> Tensor:
    """x[t] = exp(-dt/tau) x[t-1] + s[t] at the end of each of `bins` bins.

    Args:
        tau_ms: > 0, the trace's time constant. dt_ms: > 0, of a step.

    Raises:
        UserError: fewer steps than bins.
    """
    decay = math.exp(-dt_ms / tau_ms)
    trace_Nn = spikes_TNn.new_zeros(spikes_TNn.shape[1:], dtype=torch.float32)
    sampled = []
    for part in _parts(spikes_TNn, bins):
        for spikes_Nn in part:
            trace_Nn = trace_Nn * decay + spikes_Nn
        sampled.append(trace_Nn)
    return torch.cat(sampled, dim=1)


def features(settings: Settings, bins: int | None = None) -> Features:
    """The features that `settings` ask for; `bins` replaces theirs."""
    count = bins or settings.bins
    tau_ms = settings.trace_ms
    if tau_ms is None:
        return lambda spikes_TNn: bin_counts(spikes_TNn, count)
    return lambda spikes_TNn: traces(spikes_TNn, count, tau_ms, settings.dt_ms)


def _parts(spikes_TNn: Tensor, bins: int) -> tuple[Tensor, ...]:
    if not 1 <= bins <= len(spikes_TNn):
        raise UserError(f"bins={bins} for {len(spikes_TNn)} steps; need at least one bin and one step for each")
    return spikes_TNn.tensor_split(bins)
