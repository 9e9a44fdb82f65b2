"""LSQ: rounding to a grid whose step is learned (P4.2), for weights and activations alike.

    y = s q,   q = nearest level of the grid to r = x / s;  lowest level l, highest level h

    dy/dx = 1 where l < r < h, else 0
    dy/ds = q - r where l < r < h,  l where r <= l,  h where r >= h;   times a share g, 1/sqrt(N h) in the paper

Source: Esser et al., Learned Step Size Quantization, ICLR 2020, arXiv 1902.08153.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from snn5.errors import UserError

SMALLEST_STEP = 1e-8


class _LSQ(torch.autograd.Function):
    """Forward and backward as above."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, nearest: Callable[[Tensor], Tensor], low: float, high: float, share: float) -> Tensor:
        r = x / step
        q = nearest(r)
        ctx.save_for_backward(r, q)
        ctx.low, ctx.high, ctx.share, ctx.shape = low, high, share, step.shape
        return q * step

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        r, q = ctx.saved_tensors
        inside = (r > ctx.low) & (r < ctx.high)
        of_step = (gradient * torch.where(inside, q - r, q)).sum_to_size(ctx.shape)
        return gradient * inside, of_step * ctx.share, None, None, None, None


def lsq(x: Tensor, step: Tensor, nearest: Callable[[Tensor], Tensor], *, low: float, high: float, share: float = 1.0) -> Tensor:
    """x on the grid of levels times `step`.

    Args:
        step: > 0, broadcast against x. nearest: x / step -> levels, clipped to `low` .. `high`.
        share: g, what the step's gradient is multiplied with.

    Shape: that of x.
    """
    return _LSQ.apply(x, step, nearest, low, high, share)


class QuantisedReLU(nn.Module):
    """A twin's activations on b bits: y = s clip(round(x / s), 0, 2^b - 1), one learned step s for the layer (`step`).

    Args:
        bits: b, 1 to 8.

    Shape: x_TN... -> the same.

    Raises:
        UserError: bits out of range.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        if not 1 <= bits <= 8:
            raise UserError(f"activation_bits={bits}; need 1 to 8")
        self.bits = bits
        self.step = nn.Parameter(torch.ones(()))

    @torch.no_grad()
    def start_from(self, y: Tensor) -> None:
        """The paper's first step for activations like y >= 0: 2 mean(y) / sqrt(highest level), over those that are not 0."""
        self.step.fill_(max(2 * _mean_on(y) / math.sqrt(2**self.bits - 1), SMALLEST_STEP))

    def forward(self, x: Tensor) -> Tensor:
        """x clipped and rounded."""
        high = 2.0**self.bits - 1
        share = 1 / math.sqrt(max(1, math.prod(x.shape[2:])) * high)
        step = self.step.abs().clamp_min(SMALLEST_STEP)
        return lsq(x, step, lambda r: r.clamp(0.0, high).round(), low=0.0, high=high, share=share)

    def extra_repr(self) -> str:
        return f"bits={self.bits}"


def _mean_on(y: Tensor) -> float:
    """Mean of the elements that are not 0; 0 without any."""
    on = int(y.count_nonzero())
    return y.abs().sum(dtype=torch.float64).item() / on if on else 0.0
