"""DynamicGLIF over all steps in one pass over memory, on the CPU; see `_fused` for what that means."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from snn5.neurons._fused_glif import Split, flat, in_order, in_order_or_zero, prepared, split_of
from snn5.neurons._fused_threads import spread

RAW, WEIGHT, FIXED = slice(0, 5), slice(5, 15), slice(15, 17)  # rows of the gradients, before those of the gains


def multi_step(
    x_TNC: Tensor, u_NC: Tensor, o_NC: Tensor, raw_5C: Tensor, weight_25C: Tensor, fixed_2C: Tensor, g_TC: Tensor, slope: tuple[int, float]
) -> tuple[Tensor, Tensor, Tensor]:
    """All steps at once, of the equations in `_dynamic_glif`.

    Args:
        x_TNC, u_NC, o_NC, slope: as `_fused_glif.multi_step`.
        raw_5C: alpha, beta, gamma, tau and theta before the sigmoid, float32. weight_25C: what m and r move them by.
        fixed_2C: lambda and theta_r. g_TC: g; both behind the sigmoid.

    Returns:
        As `_fused_glif.multi_step`.
    """
    return _MultiStep.apply(x_TNC, u_NC.to(torch.float32), o_NC.to(torch.float32), raw_5C, weight_25C, fixed_2C, g_TC, slope)


class _MultiStep(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_TNC: Tensor, u_NC: Tensor, o_NC: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
        from snn5.neurons import _kernels_dynamic

        *numbers, slope = rest
        axis, (x_TN, u_N, o_N), made = prepared(x_TNC, u_NC, o_NC)
        split = _whole_samples(x_TNC, axis)
        spread(
            _kernels_dynamic.forward,
            split.groups * -(-x_TNC.shape[2] // split.block),
            x_TN.numel(),
            *(flat(t) for t in (x_TN, u_N, o_N, *(in_order(tensor, axis) for tensor in made))),
            *(number.detach().contiguous().numpy() for number in numbers),
            *split,
        )
        ctx.save_for_backward(x_TN, u_N, o_N, *numbers)
        ctx.slope, ctx.axis, ctx.split = slope, axis, split
        ctx.set_materialize_grads(False)
        s_TNC, u_end_NC, o_end_NC = made
        return s_TNC, u_end_NC, o_end_NC

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gs_TNC: Tensor | None, gu_NC: Tensor | None, go_NC: Tensor | None) -> tuple[Tensor | None, ...]:
        from snn5.neurons import _kernels_dynamic

        x_TN, u_N, o_N, *numbers = ctx.saved_tensors
        (T, C), axis, split = numbers[-1].shape, ctx.axis, ctx.split
        given = in_order_or_zero((gs_TNC, gu_NC, go_NC), (x_TN, u_N, o_N), axis)
        gx_TN = torch.empty_like(x_TN) if ctx.needs_input_grad[0] else None
        gu_start_N, go_start_N = torch.empty_like(u_N), torch.empty_like(o_N)
        per_sample = np.zeros((split.groups, FIXED.stop + T, C), np.float64)
        spread(
            _kernels_dynamic.backward,
            split.groups * -(-C // split.block),
            x_TN.numel(),
            *(flat(t) for t in (x_TN, u_N, o_N, *given)),
            flat(x_TN)[:0] if gx_TN is None else flat(gx_TN),
            flat(gu_start_N),
            flat(go_start_N),
            per_sample,
            *(number.detach().contiguous().numpy() for number in numbers),
            *split,
            *ctx.slope,
        )
        g = torch.from_numpy(per_sample.sum(0).astype(np.float32))
        gx_TNC = None if gx_TN is None else gx_TN.movedim(-1, axis)
        states = gu_start_N.movedim(-1, axis), go_start_N.movedim(-1, axis)
        return gx_TNC, *states, g[RAW], g[WEIGHT].view(2, 5, C), g[FIXED], g[FIXED.stop :], None


def _whole_samples(x_TNC: Tensor, axis: int) -> Split:
    """As `split_of`, with the neurons of a sample and channel in one piece, whose means they share."""
    split = split_of(x_TNC, axis)
    return split if axis == -1 else split._replace(group=max(1, x_TNC[0, 0, 0].numel()))
