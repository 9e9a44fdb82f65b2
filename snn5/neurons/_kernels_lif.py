"""The loops of LIF, PLIF and IF: all steps of a block of neurons while its state is in the first-level cache.

    H = V + (X - (V - r)) k      decay         (/ tau instead of k where `divide`: LIF divides, PLIF multiplies)
    H = V - (V - r) k + X        no decay      (IF: k = 0)
    S = H >= V_th;  V = r where S, else H      hard reset;  V = H - V_th where S      soft reset

Kernels are compiled for a kind of neuron and surrogate: what is decided before a loop costs nothing inside, where memory is to be the
only limit. (A loop is vectorised where it is a function of its own, and where LLVM does not know it to be short.)
Tensors come as addresses (see `row_at`; 0: none). Currents and spikes are flat, [t * stride + neuron], of like's type: float32, or uint16
for bfloat16; all else is float32. Every thread takes chunks from `counter`; what a chunk computes depends on nothing else, so neither does
the result. Large outputs are streamed (see `_kernels_memory`).
"""

from functools import cache
from typing import Any

import numpy as np

from snn5.neurons._kernels_common import FLOATS, ONE, SUMS, ZERO, helper, helper_of, kernel, lane_sum, pack, slope_at, take, unpack
from snn5.neurons._kernels_memory import copy_row, fetch_row, free, row_at, scratch, settle_streams, stream_row

LANES = 32


@helper
def charge(x, v, decay, divide, k, reset):  # type: ignore[no-untyped-def]
    """H from X and V of one neuron."""
    gap = x - (v - reset) if decay else v - reset
    change = gap / k if divide else gap * k
    return v + change if decay else v - change + x


@helper
def settle(h, threshold, reset, soft):  # type: ignore[no-untyped-def]
    """V from H of one neuron."""
    return (h - threshold if soft else reset) if h >= threshold else h


@helper
def settle_row(h, v, threshold, reset, soft):  # type: ignore[no-untyped-def]
    """V from H."""
    for i in range(len(h)):
        v[i] = settle(h[i], threshold, reset, soft)


@helper
def start_row(v, v_start, v_fill, begin):  # type: ignore[no-untyped-def]
    """The state before the first step: given, or one number for all."""
    if len(v_start):
        copy_row(v_start[begin : begin + len(v)], v)
    else:
        v[:] = v_fill


@cache
def forward(decay: bool, divide: bool, soft: bool) -> Any:
    """The kernel of one kind of neuron."""
    variant = (decay, divide, soft)

    @helper_of(*variant)
    def step(x, v, s, k, reset, threshold):  # type: ignore[no-untyped-def]
        """S, and V in place."""
        one, zero = pack(ONE, s), pack(ZERO, s)
        for i in range(len(v)):
            h = charge(unpack(x[i]), v[i], decay, divide, k, reset)
            s[i] = one if h >= threshold else zero
            v[i] = settle(h, threshold, reset, soft)

    def run(  # type: ignore[no-untyped-def]
        counter, like, x_at, stride, v_at, v_fill, s_at, v_end_at, steps, n, chunk, block, streams, k, reset, threshold,
    ):  # fmt: skip
        """Fill spikes s [T * n] and final potentials v_end [n]."""
        x, s = row_at(x_at, (steps - 1) * stride + n, like), row_at(s_at, steps * n, like)
        v_start, v_end = row_at(v_at, n, FLOATS), row_at(v_end_at, n, FLOATS)
        room, room_at = scratch(2 * block)
        v_all, s_all = row_at(room_at, block, FLOATS), row_at(room_at + 4 * block, block, like)
        while True:
            first = take(counter) * chunk
            if first >= n:
                settle_streams()
                free(room)
                return
            for begin in range(first, min(first + chunk, n), block):
                end = min(begin + block, first + chunk, n)
                v = v_all[: end - begin]
                start_row(v, v_start, v_fill, begin)
                for t in range(steps):
                    there = s[t * n + begin : t * n + end]
                    out = s_all[: end - begin] if streams else there
                    step(x[t * stride + begin : t * stride + end], v, out, k, reset, threshold)
                    if streams:
                        stream_row(out, there)
                copy_row(v, v_end[begin:end])

    return kernel(run, *variant)


@cache
def backward(decay: bool, divide: bool, soft: bool, detach: bool, kind: int, leaks: bool) -> Any:
    """The kernel of one kind of neuron and surrogate; `leaks`: with dL/dk."""
    variant = (decay, divide, soft, detach, kind, leaks)

    @helper_of(*variant)
    def again(x, v, h, k, reset, threshold):  # type: ignore[no-untyped-def]
        """H, and V in place."""
        for i in range(len(v)):
            h[i] = charge(unpack(x[i]), v[i], decay, divide, k, reset)
            v[i] = settle(h[i], threshold, reset, soft)

    @helper_of(*variant)
    def back(gs, h, carry, gx, gh, k, reset, threshold, alpha):  # type: ignore[no-untyped-def]
        """From dL/dS and dL/dV (carry) of a step to dL/dX, dL/dH if it is wanted and, in place, dL/dV of the step before."""
        for i in range(len(h)):
            slope = slope_at(kind, alpha, h[i] - threshold)
            through = ONE if soft or h[i] < threshold else ZERO
            extra = ZERO if detach else (-threshold if soft else reset - h[i])
            g = unpack(gs[i]) * slope + carry[i] * (through + extra * slope)
            leaked = g / k if divide else g * k
            if leaks:
                gh[i] = g
            gx[i] = pack(leaked if decay else g, gx)
            carry[i] = g - leaked

    @helper_of(*variant)
    def leak(gh, x, v, gk, reset):  # type: ignore[no-untyped-def]
        """Add dL/dk of a step."""
        for i in range(len(gh)):
            gk[i] += gh[i] * (unpack(x[i]) - (v[i] - reset) if decay else -(v[i] - reset))

    def run(  # type: ignore[no-untyped-def]
        counter, like, x_at, stride, v_at, v_fill, gs_at, gv_end_at, gx_at, gv_start_at, gk_at, steps, n, chunk, block, streams,
        k, reset, threshold, alpha,
    ):  # fmt: skip
        """Recompute H of a block, then go back in time. Fill those of gx [T * n], gv_start [n] and gk_chunks [chunks] that are there."""
        x, gs, gx = row_at(x_at, (steps - 1) * stride + n, like), row_at(gs_at, steps * n, like), row_at(gx_at, steps * n, like)
        v_start, gv_end, gv_start = row_at(v_at, n, FLOATS), row_at(gv_end_at, n, FLOATS), row_at(gv_start_at, n, FLOATS)
        gk_chunks, gk_all, lanes = row_at(gk_at, -(-n // chunk), SUMS), np.empty(chunk, np.float32), np.empty(LANES, np.float64)
        room, room_at = scratch((steps + 4) * block)
        v_all, carry_all = row_at(room_at, block, FLOATS), row_at(room_at + 4 * block, block, FLOATS)
        gh_all, h_all = row_at(room_at + 8 * block, block, FLOATS), row_at(room_at + 16 * block, steps * block, FLOATS)
        gx_all = row_at(room_at + 12 * block, block, like)  # to be streamed, or wanted by nobody
        while True:
            piece = take(counter)
            first = piece * chunk
            if first >= n:
                settle_streams()
                free(room)
                return
            if leaks:
                gk_all[:] = ZERO
            for begin in range(first, min(first + chunk, n), block):
                end = min(begin + block, first + chunk, n)
                size, ahead = end - begin, min(end + block, first + chunk, n)
                v, carry, gh = v_all[:size], carry_all[:size], gh_all[:size]
                start_row(v, v_start, v_fill, begin)
                for t in range(steps):
                    fetch_row(gs[t * n + begin : t * n + end])
                    again(x[t * stride + begin : t * stride + end], v, h_all[t * block : t * block + size], k, reset, threshold)
                start_row(carry, gv_end, ZERO, begin)
                for t in range(steps - 1, -1, -1):
                    h, there = h_all[t * block : t * block + size], gx[t * n + begin : t * n + end]
                    out = there if len(gx) and not streams else gx_all[:size]
                    fetch_row(x[t * stride + end : t * stride + ahead])
                    back(gs[t * n + begin : t * n + end], h, carry, out, gh, k, reset, threshold, alpha)
                    if len(gx) and streams:
                        stream_row(out, there)
                    if leaks:
                        if t > 0:
                            settle_row(h_all[(t - 1) * block : (t - 1) * block + size], v, threshold, reset, soft)
                        else:
                            start_row(v, v_start, v_fill, begin)
                        leak(gh, x[t * stride + begin : t * stride + end], v, gk_all[begin - first : end - first], reset)
                if len(gv_start):
                    copy_row(carry, gv_start[begin:end])
            if leaks:
                gk_chunks[piece] = lane_sum(gk_all[: min(chunk, n - first)], lanes)

    return kernel(run, *variant)
