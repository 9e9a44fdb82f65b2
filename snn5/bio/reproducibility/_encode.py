"""Images as spike trains, in a code of three: Poisson spikes of a counter-based generator, regular spikes, or one first spike.

Shapes: T steps, N samples, C inputs (all channels and pixels).
"""

import numpy as np
import torch
from torch import Tensor

from snn5.coding import rate, ttfs
from snn5.datasets import Split
from snn5.errors import unknown

CODES = ("poisson", "regular", "ttfs")


def poisson(x_NC: Tensor, index_N: Tensor, time_steps: int, seed: int) -> Tensor:
    """P(s[t] = 1) = x, independent over t, from Philox counters keyed (seed, sample): neither the batch nor the worker changes a spike.

    The first steps of a longer train are the shorter train.

    Args:
        x_NC: intensities in [0, 1]. index_N: each sample's number in its source, unique over all splits.
        seed: 0 <= seed < 2^64.

    Returns:
        uint8 spikes [T, N, C].
    """
    x = x_NC.numpy().astype(np.float32)
    spikes_TNC = np.empty((time_steps, *x.shape), np.uint8)
    for k, index in enumerate(index_N.tolist()):
        draw = np.random.Generator(np.random.Philox(key=np.array([seed, index], np.uint64)))
        spikes_TNC[:, k] = draw.random((time_steps, x.shape[1]), np.float32) < x[k]
    return torch.from_numpy(spikes_TNC)


def encode(split: Split, code: str, time_steps: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Spikes uint8 [T, N, C] of the mean image of each sample, and the labels [N].

    Args:
        code: `poisson`; `regular`, floor(T x + 1/2) evenly spaced spikes; `ttfs`, at most one, the earlier the brighter.
        time_steps: T >= 1. seed: of `poisson`; the other codes draw nothing.

    Raises:
        UserError: an unknown code.
    """
    x_NC = (torch.from_numpy(split.x_TNCHW).flatten(2).float().mean(0) / float(split.info.get("scale", 1))).clamp(max=1.0)
    label_N = torch.from_numpy(split.y_N)
    if code == "poisson":
        return poisson(x_NC, torch.from_numpy(split.index_N), time_steps, seed), label_N
    if code not in CODES:
        raise unknown("code", code, CODES)
    return (rate if code == "regular" else ttfs)(x_NC, time_steps).to(torch.uint8), label_N
