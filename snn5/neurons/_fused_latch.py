"""The TTFS latch over all steps in one pass over memory, on the CPU; see `_fused` for what that means."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from snn5.neurons._fused import SCRATCH, chunk_of
from snn5.neurons._fused_layout import LIKE, address, laid_out, ordered
from snn5.neurons._fused_threads import spread


def multi_step(
    x_TN: Tensor, v: Tensor | None, waiting: Tensor | None, thetas: Sequence[float], slope: tuple[int, float]
) -> tuple[Tensor, Tensor, Tensor]:
    """All steps at once.

    Args:
        x_TN: currents [T, N, ...], see `_fused.fusable`.
        v: potential before the first step, [N, ...]; None is 0. It may want a gradient.
        waiting: 1 where the neuron has not fired yet, else 0, [N, ...]; None is 1. It gets no gradient.
        thetas: threshold of each step, T numbers.
        slope: kind and width of the surrogate, see `_fused.slope_of`.

    Returns:
        Spikes [T, N, ...] in the currents' dtype, potential and `waiting` after the last step [N, ...] in float32.
    """
    starts = [None if state is None else state.to(torch.float32) for state in (v, waiting)]
    return _MultiStep.apply(x_TN, *starts, np.asarray(thetas, np.float32), slope)


class _MultiStep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_TN: Tensor, v_N: Tensor | None, waiting_N: Tensor | None, thetas: np.ndarray, slope: tuple[int, float]
    ) -> tuple[Tensor, Tensor, Tensor]:
        from snn5.neurons import _kernels_latch

        (x_TN, x), shape = laid_out(x_TN), x_TN.shape
        s_TN = torch.empty_strided(shape, x.strides, dtype=x_TN.dtype)
        chunk = chunk_of(x.size)
        starts = [None if state is None else ordered(state, x.strides[1:], torch.float32) for state in (v_N, waiting_N)]
        ends = [torch.empty_strided(shape[1:], x.strides[1:], dtype=torch.float32) for _ in range(2)]
        spread(
            _kernels_latch.forward,
            -(-x.size // chunk),
            shape[0] * x.size,
            LIKE[x_TN.dtype],
            address(x_TN),
            x.stride,
            *map(address, starts),
            address(s_TN),
            *map(address, ends),
            thetas,
            x.size,
            chunk,
        )
        ctx.save_for_backward(x_TN, v_N, waiting_N)
        ctx.thetas, ctx.slope = thetas, slope
        ctx.mark_non_differentiable(ends[1])
        ctx.set_materialize_grads(False)
        return s_TN, ends[0], ends[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gs_TN: Tensor | None, gv_N: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
        from snn5.neurons import _kernels_latch

        x_TN, v_N, waiting_N = ctx.saved_tensors
        (x_TN, x), shape = laid_out(x_TN), x_TN.shape
        gs_TN = ordered(torch.zeros_like(x_TN) if gs_TN is None else gs_TN, x.strides, x_TN.dtype)
        states = [None if state is None else ordered(state, x.strides[1:], torch.float32) for state in (v_N, waiting_N, gv_N)]
        gx_TN = torch.empty_strided(shape, x.strides, dtype=x_TN.dtype) if ctx.needs_input_grad[0] else None
        gv_start_N = torch.empty_strided(shape[1:], x.strides[1:], dtype=torch.float32) if ctx.needs_input_grad[1] else None
        chunk = chunk_of(x.size, SCRATCH // (2 * shape[0]))
        spread(
            _kernels_latch.backward,
            -(-x.size // chunk),
            shape[0] * x.size,
            LIKE[x_TN.dtype],
            address(x_TN),
            x.stride,
            *map(address, states[:2]),
            *map(address, (gs_TN, states[2], gx_TN, gv_start_N)),
            ctx.thetas,
            x.size,
            chunk,
            *ctx.slope,
        )
        return gx_TN, gv_start_N, None, None, None
