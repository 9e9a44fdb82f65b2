"""Rate coding: an intensity becomes a number of spikes."""

import torch
from torch import Tensor

from snn5.coding._check import check_intensity, check_steps


def rate(x_N: Tensor, time_steps: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Spike trains whose mean over time is the intensity.

    Without a generator, regular spikes by error diffusion, with exactly floor(T x + 1/2) spikes:
        s[t] = floor((t+1) x + 1/2) - floor(t x + 1/2)
    With a generator, Bernoulli spikes:
        P(s[t] = 1) = x, independent over t

    SpikingJelly's PoissonEncoder is not used: it draws from the global generator, and its `rand <= x` can spike at x = 0.

    Args:
        x_N: intensities in [0, 1], any shape.
        time_steps: T >= 1.
        generator: source of the Bernoulli draws; None takes the regular code.

    Returns:
        Spikes 0 or 1, [T, *x.shape], dtype of x.

    Raises:
        UserError: x is not floating point or leaves [0, 1]; time_steps < 1.
    """
    check_steps(time_steps)
    check_intensity(x_N)
    if generator is not None:
        draws = torch.rand((time_steps, *x_N.shape), generator=generator, device=generator.device).to(x_N.device)
        return (draws < x_N).to(x_N.dtype)
    # From t x, not from a running sum: no error piles up, so the count is exact for every T that params.yaml allows.
    t = torch.arange(time_steps + 1, dtype=torch.float64, device=x_N.device).view(-1, *[1] * x_N.ndim)
    return (t * x_N.double() + 0.5).floor().diff(dim=0).to(x_N.dtype)
