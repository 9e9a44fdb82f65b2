"""GLIF over all steps in one pass over memory, on the CPU; see `_fused` for what that means."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from snn5.neurons._fused_layout import array
from snn5.neurons._fused_threads import spread

WIDTH = 2048  # neurons that a thread works on at a time, about
LEAST = 16  # samples of a group: each group has its own sums of gradients


class Split(NamedTuple):
    """How the kernels see the neurons [samples, channels, inner], and the pieces that they work on: `block` channels of `group` samples."""

    samples: int
    inner: int
    block: int
    group: int

    @property
    def groups(self) -> int:
        return -(-self.samples // self.group)


def multi_step(
    x_TNC: Tensor, u_NC: Tensor, o_NC: Tensor, numbers_5C: Tensor, gain_TC: Tensor, slope: tuple[int, float]
) -> tuple[Tensor, Tensor, Tensor]:
    """All steps at once, of u[t] = keep u (1 - hard o) - drop + gain[t] x - soft o and o[t] = 1 if u[t] > theta else 0.

    Args:
        x_TNC: currents [T, N, C, ...], see `_fused.fusable`; copied if their memory is neither contiguous nor channels last. What comes
            back lies as they do.
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

        axis, (x_TN, u_N, o_N), made = prepared(x_TNC, u_NC, o_NC)
        split = split_of(x_TNC, axis)
        spread(
            _kernels_glif.forward,
            split.groups * -(-x_TNC.shape[2] // split.block),
            x_TN.numel(),
            *(flat(t) for t in (x_TN, u_N, o_N, *(in_order(tensor, axis) for tensor in made))),
            numbers_5C.detach().contiguous().numpy(),
            gain_TC.detach().contiguous().numpy(),
            *split,
        )
        ctx.save_for_backward(x_TN, u_N, o_N, numbers_5C, gain_TC)
        ctx.slope, ctx.axis, ctx.split = slope, axis, split
        ctx.set_materialize_grads(False)
        s_TNC, u_end_NC, o_end_NC = made
        return s_TNC, u_end_NC, o_end_NC

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gs_TNC: Tensor | None, gu_NC: Tensor | None, go_NC: Tensor | None) -> tuple[Tensor | None, ...]:
        from snn5.neurons import _kernels_glif

        x_TN, u_N, o_N, numbers_5C, gain_TC = ctx.saved_tensors
        axis, split = ctx.axis, ctx.split
        given = in_order_or_zero((gs_TNC, gu_NC, go_NC), (x_TN, u_N, o_N), axis)
        gx_TN = torch.empty_like(x_TN) if ctx.needs_input_grad[0] else None
        gu_start_N, go_start_N = torch.empty_like(u_N), torch.empty_like(o_N)
        per_group = [np.zeros((split.groups, *t.shape), np.float64) for t in (numbers_5C, gain_TC)]
        spread(
            _kernels_glif.backward,
            split.groups * -(-numbers_5C.shape[1] // split.block),
            x_TN.numel(),
            *(flat(t) for t in (x_TN, u_N, o_N, *given)),
            flat(x_TN)[:0] if gx_TN is None else flat(gx_TN),
            flat(gu_start_N),
            flat(go_start_N),
            *per_group,
            numbers_5C.detach().contiguous().numpy(),
            gain_TC.detach().contiguous().numpy(),
            *split,
            *ctx.slope,
        )
        g_numbers, g_gain = (torch.from_numpy(g.sum(0).astype(np.float32)) for g in per_group)
        gx_TNC = None if gx_TN is None else gx_TN.movedim(-1, axis)
        return gx_TNC, gu_start_N.movedim(-1, axis), go_start_N.movedim(-1, axis), g_numbers, g_gain, None


def prepared(*tensors_NC: Tensor) -> tuple[int, list[Tensor], list[Tensor]]:
    """Where the channels of the first tensor are (see `channel_axis`), the tensors as the kernels walk through them, and memory like each
    for what is made: no views, as callers may detach in place."""
    axis = channel_axis(tensors_NC[0])
    ordered = [in_order(tensor, axis) for tensor in tensors_NC]
    return axis, ordered, [torch.empty_like(tensor.movedim(-1, axis)) for tensor in ordered]


def in_order_or_zero(gradients: tuple[Tensor | None, ...], like: tuple[Tensor, ...], axis: int) -> list[Tensor]:
    """Gradients as the kernels walk through them, zeros for those that are missing."""
    return [torch.zeros_like(one) if g is None else in_order(g, axis) for g, one in zip(gradients, like, strict=True)]


def channel_axis(x_TNC: Tensor) -> int:
    """Where the channels are, from the end, if they are last in memory (channels last); else -1: nothing is to be moved."""
    axis = 2 - x_TNC.ndim
    return axis if not x_TNC[:1].is_contiguous() and x_TNC[:1].movedim(axis, -1).is_contiguous() else -1


def in_order(tensor: Tensor, axis: int) -> Tensor:
    """As the kernels walk through it, contiguous: the channels, at `axis`, come last."""
    return tensor.movedim(axis, -1).contiguous()


def split_of(x_TNC: Tensor, axis: int) -> Split:
    samples, channels = x_TNC.shape[1:3]
    inner = x_TNC[0, 0, 0].numel() if samples and channels else 0
    if axis != -1:  # every neuron of a channel is a sample of its own
        return Split(samples * inner, 1, channels, max(LEAST, WIDTH // channels))
    return Split(samples, inner, max(1, min(channels, WIDTH // max(inner, 1))), 1)


def flat(tensor: Tensor) -> np.ndarray:
    return array(tensor.reshape(-1))
