"""LIF, PLIF and IF over all steps in one pass over memory, on the CPU.

The numbers are SpikingJelly's: spikes and potentials are bit-equal to its multi-step operators in float32, gradients too except for
sums in another order (PLIF's w) and the sigmoid's exponential. What differs is the memory: only the current is kept for the backward
pass, which recomputes the potentials block by block in the cache (cheaper than to write and read them). With bfloat16 the currents, spikes
and their gradients have 16 bits; the potential and all arithmetic have 32.

No result depends on the number of threads: chunks have fixed bounds, and w's gradient is the sum of the chunks' sums in their order.
"""

from math import frexp
from typing import Any, NamedTuple

import numpy as np
import torch
from spikingjelly.activation_based import surrogate
from torch import Tensor
from torch.autograd.function import once_differentiable

from snn5.neurons._fused_layout import LIKE, LINE, address, laid_out, ordered, suits
from snn5.neurons._fused_threads import spread

KINDS = {surrogate.ATan: 0, surrogate.Sigmoid: 1, surrogate.PiecewiseQuadratic: 2, surrogate.Rect: 3}  # as in _kernels_common
LARGEST_CHUNK, PIECES, SMALLEST_CHUNK = 1 << 15, 16, 1024  # neurons that a thread takes at once: a few pieces keep all threads busy
BLOCK = 256  # neurons of a chunk that take all steps together: few enough for the first-level cache
SCRATCH = 1 << 17  # numbers of a chunk over all steps, backward (the latch recomputes as many at a time: the second-level cache)
WHOLE = LINE // 2  # numbers of a chunk come in whole lines, of 16 bits too, where there are many
STREAMED = 1 << 24  # bytes, half of a usual last-level cache: from here on an output is written past it


class Dynamics(NamedTuple):
    """The numbers of the equations in `_kernels_lif`."""

    decay_input: bool
    tau: float | None  # None: multiply by a given k (PLIF) or by 0 (IF)
    v_threshold: float
    v_reset: float | None
    detach_reset: bool
    kind: int
    alpha: float


def slope_of(function: Any) -> tuple[int, float] | None:
    """Kind and width of a surrogate that the kernels know, else None."""
    if type(function) not in KINDS or not function.spiking:
        return None
    return KINDS[type(function)], float(function.alpha)


def fusable(x_TN: Tensor, function: Any) -> bool:
    """Whether `multi_step` takes this current and this surrogate."""
    return suits(x_TN) and slope_of(function) is not None


def multi_step(x_TN: Tensor, v: Tensor | float, k: Tensor | None, dynamics: Dynamics) -> tuple[Tensor, Tensor]:
    """All steps at once.

    Args:
        x_TN: currents [T, N, ...], see `fusable`.
        v: potential before the first step, [N, ...] or one number for all.
        k: share that leaks, a scalar tensor that may want a gradient; None: see `Dynamics`.
        dynamics: the rest.

    Returns:
        Spikes [T, N, ...] in the currents' dtype, potential [N, ...] after the last step in float32.
    """
    start = v.to(torch.float32) if isinstance(v, Tensor) else None
    return _MultiStep.apply(x_TN, start, k, 0.0 if start is not None else v, dynamics)


def chunk_of(size: int, most: int = LARGEST_CHUNK) -> int:
    """How many of `size` neurons make a piece of work; never a matter of the threads, so that sums keep their order."""
    return max(SMALLEST_CHUNK // 4, min(most, LARGEST_CHUNK, max(SMALLEST_CHUNK, -(-size // PIECES))))


def streams(out_TN: Tensor | None, size: int, chunk: int) -> bool:
    """Whether a kernel writes [T, size] past the cache: where it is too large to be found there later, and every row is whole lines."""
    if out_TN is None or out_TN.nbytes < STREAMED:
        return False
    return out_TN.data_ptr() % LINE == 0 and not any(count * out_TN.element_size() % LINE for count in (size, chunk, BLOCK))


class _MultiStep(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_TN: Tensor, v_N: Tensor | None, k: Tensor | None, v_fill: float, dynamics: Dynamics) -> tuple[Tensor, Tensor]:
        from snn5.neurons import _kernels_lif

        (x_TN, x), shape = laid_out(x_TN), x_TN.shape
        s_TN = torch.empty_strided(shape, x.strides, dtype=x_TN.dtype)
        v_end_N = torch.empty_strided(shape[1:], x.strides[1:], dtype=torch.float32)
        start_N, chunk = None if v_N is None else ordered(v_N, x.strides[1:], torch.float32), -(-chunk_of(x.size) // WHOLE) * WHOLE
        spread(
            _kernels_lif.forward(*_kind(dynamics)),
            -(-x.size // chunk),
            shape[0] * x.size,
            LIKE[x_TN.dtype],
            address(x_TN),
            x.stride,
            address(start_N),
            np.float32(v_fill),
            address(s_TN),
            address(v_end_N),
            shape[0],
            x.size,
            chunk,
            BLOCK,
            streams(s_TN, x.size, chunk),
            *_numbers(dynamics, k),
        )
        ctx.save_for_backward(x_TN, v_N, k)
        ctx.v_fill, ctx.dynamics = v_fill, dynamics
        ctx.set_materialize_grads(False)
        return s_TN, v_end_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gs_TN: Tensor | None, gv_N: Tensor | None) -> tuple[Tensor | None, ...]:
        from snn5.neurons import _kernels_lif

        x_TN, v_N, k = ctx.saved_tensors
        dynamics, (wants_x, wants_v, wants_k, *_) = ctx.dynamics, ctx.needs_input_grad
        (x_TN, x), shape = laid_out(x_TN), x_TN.shape
        gs_TN = ordered(torch.zeros_like(x_TN) if gs_TN is None else gs_TN, x.strides, x_TN.dtype)
        start_N, gv_end_N = (None if state is None else ordered(state, x.strides[1:], torch.float32) for state in (v_N, gv_N))
        gx_TN = torch.empty_strided(shape, x.strides, dtype=x_TN.dtype) if wants_x else None
        gv_start_N = torch.empty_strided(shape[1:], x.strides[1:], dtype=torch.float32) if wants_v else None
        chunk = chunk_of(x.size, SCRATCH // shape[0] // WHOLE * WHOLE)
        pieces = -(-x.size // chunk)
        gk_chunks = torch.empty(pieces, dtype=torch.float64) if wants_k else None
        spread(
            _kernels_lif.backward(*_kind(dynamics), dynamics.detach_reset, dynamics.kind, wants_k),
            pieces,
            shape[0] * x.size,
            LIKE[x_TN.dtype],
            address(x_TN),
            x.stride,
            address(start_N),
            np.float32(ctx.v_fill),
            address(gs_TN),
            address(gv_end_N),
            address(gx_TN),
            address(gv_start_N),
            address(gk_chunks),
            shape[0],
            x.size,
            chunk,
            BLOCK,
            streams(gx_TN, x.size, chunk),
            *_numbers(dynamics, k),
            dynamics.alpha,
        )
        gk = None if gk_chunks is None else torch.full((), gk_chunks.numpy().sum(), dtype=k.dtype)
        return gx_TN, gv_start_N, gk, None, None


def _kind(dynamics: Dynamics) -> tuple[bool, bool, bool]:
    """decay, divide, soft, for which the kernels are compiled. x / 2 is x * 0.5, bit for bit, and so for every power of two."""
    divide = dynamics.tau is not None and frexp(dynamics.tau)[0] != 0.5
    return dynamics.decay_input, divide, dynamics.v_reset is None


def _numbers(dynamics: Dynamics, k: Tensor | None) -> tuple[np.float32, np.float32, np.float32]:
    """k (or tau where the kernel divides), reset and threshold as the kernels take them."""
    divide = _kind(dynamics)[1]
    share = (dynamics.tau if divide else 1 / dynamics.tau) if dynamics.tau is not None else 0.0 if k is None else k.item()
    reset = 0.0 if dynamics.v_reset is None else dynamics.v_reset
    return np.float32(share), np.float32(reset), np.float32(dynamics.v_threshold)
