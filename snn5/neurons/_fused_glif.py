"""GLIF over all steps in one pass over memory, on the CPU; see `_fused` for what that means."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from snn5.neurons._fused_layout import array
from snn5.neurons._fused_threads import spread

WIDTH = 2048  # neurons that a thread works on at a time, at least one channel's


def multi_step(
    x_TNC: Tensor, u_NC: Tensor, o_NC: Tensor, numbers_5C: Tensor, gain_TC: Tensor, slope: tuple[int, float]
) -> tuple[Tensor, Tensor, Tensor]:
    """All steps at once, of u[t] = keep u (1 - hard o) - drop + gain[t] x - soft o and o[t] = 1 if u[t] > theta else 0.

    Args:
        x_TNC: currents [T, N, C, ...], see `_fused.fusable`; copied if they are not contiguous.
        u_NC, o_NC: potential and spikes before the first step, [N, C, ...].
        numbers_5C: keep, hard, drop, soft and theta of each channel, float32.
        gain_TC: gain of each step and channel, float32.
        slope: kind and width of the surrogate, see `_fused.slope_of`.

    All tensors may want gradients; nothing is detached.

    Returns:
        Spikes [T, N, C, ...] in the currents' dtype; potential and spikes after the last step [N, C, ...] in float32.
    """
    return _MultiStep.apply(x_TNC, u_NC.to(torch.float32), o_NC.to(torch.float32), numbers_5C, gain_TC, slope)


class _MultiStep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_TNC: Tensor, u_NC: Tensor, o_NC: Tensor, numbers_5C: Tensor, gain_TC: Tensor, slope: tuple[int, float]
    ) -> tuple[Tensor, Tensor, Tensor]:
        from snn5.neurons import _kernels_glif

        x_TNC, u_NC, o_NC = x_TNC.contiguous(), u_NC.contiguous(), o_NC.contiguous()
        s_TNC, u_end_NC, o_end_NC = torch.empty_like(x_TNC), torch.empty_like(u_NC), torch.empty_like(o_NC)
        samples, inner, block, pieces = _split(x_TNC)
        spread(
            _kernels_glif.forward,
            pieces,
            x_TNC.numel(),
            *(_flat(t) for t in (x_TNC, u_NC, o_NC, s_TNC, u_end_NC, o_end_NC)),
            numbers_5C.detach().contiguous().numpy(),
            gain_TC.detach().contiguous().numpy(),
            samples,
            inner,
            block,
        )
        ctx.save_for_backward(x_TNC, u_NC, o_NC, numbers_5C, gain_TC)
        ctx.slope = slope
        ctx.set_materialize_grads(False)
        return s_TNC, u_end_NC, o_end_NC

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gs_TNC: Tensor | None, gu_NC: Tensor | None, go_NC: Tensor | None) -> tuple[Tensor | None, ...]:
        from snn5.neurons import _kernels_glif

        x_TNC, u_NC, o_NC, numbers_5C, gain_TC = ctx.saved_tensors
        samples, inner, block, pieces = _split(x_TNC)
        given = [torch.zeros_like(like) if g is None else g.contiguous() for g, like in ((gs_TNC, x_TNC), (gu_NC, u_NC), (go_NC, o_NC))]
        gx_TNC = torch.empty_like(x_TNC) if ctx.needs_input_grad[0] else None
        gu_start_NC, go_start_NC = torch.empty_like(u_NC), torch.empty_like(o_NC)
        per_sample = [np.zeros((samples, *t.shape), np.float64) for t in (numbers_5C, gain_TC)]
        spread(
            _kernels_glif.backward,
            pieces,
            x_TNC.numel(),
            *(_flat(t) for t in (x_TNC, u_NC, o_NC, *given)),
            _flat(x_TNC)[:0] if gx_TNC is None else _flat(gx_TNC),
            _flat(gu_start_NC),
            _flat(go_start_NC),
            *per_sample,
            numbers_5C.detach().contiguous().numpy(),
            gain_TC.detach().contiguous().numpy(),
            samples,
            inner,
            block,
            *ctx.slope,
        )
        g_numbers, g_gain = (torch.from_numpy(g.sum(0).astype(np.float32)) for g in per_sample)
        return gx_TNC, gu_start_NC, go_start_NC, g_numbers, g_gain, None


def _split(x_TNC: Tensor) -> tuple[int, int, int, int]:
    """Samples, neurons per channel, channels per piece, pieces."""
    samples, channels = x_TNC.shape[1:3]
    inner = x_TNC[0, 0, 0].numel() if samples and channels else 0
    block = max(1, min(channels, WIDTH // max(inner, 1)))
    return samples, inner, block, samples * -(-channels // block)


def _flat(tensor: Tensor) -> np.ndarray:
    return array(tensor.reshape(-1))
