"""The loops of LIF, PLIF and IF: all steps of a chunk of neurons while its state is in the cache.

    H = V + (X - (V - r)) k      decay         (/ tau instead of k where `divide`: LIF divides, PLIF multiplies)
    H = V - (V - r) k + X        no decay      (IF: k = 0)
    S = H >= V_th;  V = r where S, else H      hard reset;  V = H - V_th where S      soft reset

Tensors come as addresses (see `row_at`; 0: none). Currents and spikes are flat, [t * stride + neuron], of like's type: float32, or uint16
for bfloat16; all else is float32. Every thread takes chunks from `counter`; what a chunk computes depends on nothing else, so neither does
the result.
"""

import numpy as np

from snn5.neurons._kernels_common import FLOATS, ONE, SUMS, ZERO, helper, kernel, lane_sum, pack, row_at, slope_row, take, unpack

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
def spike_row(x, v, s, decay, divide, k, reset, soft, threshold):  # type: ignore[no-untyped-def]
    """A step: S, and V in place. Everything in one loop, so that the processor reads and writes memory while it calculates."""
    one, zero = pack(ONE, s), pack(ZERO, s)
    for i in range(len(v)):
        h = charge(unpack(x[i]), v[i], decay, divide, k, reset)
        s[i] = one if h >= threshold else zero
        v[i] = settle(h, threshold, reset, soft)


@helper
def potential_row(x, v, h, decay, divide, k, reset, soft, threshold):  # type: ignore[no-untyped-def]
    """A step: H, and V in place."""
    for i in range(len(v)):
        h[i] = charge(unpack(x[i]), v[i], decay, divide, k, reset)
        v[i] = settle(h[i], threshold, reset, soft)


@helper
def settle_row(h, v, threshold, reset, soft):  # type: ignore[no-untyped-def]
    """V from H."""
    for i in range(len(h)):
        v[i] = settle(h[i], threshold, reset, soft)


@helper
def start_row(v, v_start, v_fill, begin):  # type: ignore[no-untyped-def]
    """The state before the first step: given, or one number for all."""
    if len(v_start):
        v[:] = v_start[begin : begin + len(v)]
    else:
        v[:] = v_fill


@kernel
def forward(  # type: ignore[no-untyped-def]
    counter, like, x_at, stride, v_at, v_fill, s_at, v_end_at, steps, n, chunk, decay, divide, k, reset, soft, threshold
):  # fmt: skip
    """Fill spikes s [T * n] and final potentials v_end [n]."""
    x, s = row_at(x_at, (steps - 1) * stride + n, like), row_at(s_at, steps * n, like)
    v_start, v_end = row_at(v_at, n, FLOATS), row_at(v_end_at, n, FLOATS)
    v_all = np.empty(chunk, np.float32)
    while True:
        begin = take(counter) * chunk
        if begin >= n:
            return
        size = min(chunk, n - begin)
        v = v_all[:size]
        start_row(v, v_start, v_fill, begin)
        for t in range(steps):
            current, spikes = x[t * stride + begin : t * stride + begin + size], s[t * n + begin : t * n + begin + size]
            spike_row(current, v, spikes, decay, divide, k, reset, soft, threshold)
        v_end[begin : begin + size] = v


@helper
def back_row(gs, slope, h, carry, gx, gh, decay, divide, k, reset, soft, threshold, detach):  # type: ignore[no-untyped-def]
    """From dL/dS and dL/dV (carry) of a step to dL/dH (gh), dL/dX and, in place, dL/dV of the step before."""
    for i in range(len(h)):
        through = ONE if soft or h[i] < threshold else ZERO
        extra = ZERO if detach else (-threshold if soft else reset - h[i])
        g = unpack(gs[i]) * slope[i] + carry[i] * (through + extra * slope[i])
        leaked = g / k if divide else g * k
        gh[i] = g
        gx[i] = pack(leaked if decay else g, gx)
        carry[i] = g - leaked


@helper
def leak_row(gh, x, v, decay, reset, gk):  # type: ignore[no-untyped-def]
    """Add dL/dk of a step."""
    if decay:
        for i in range(len(gh)):
            gk[i] += gh[i] * (unpack(x[i]) - (v[i] - reset))
    else:
        for i in range(len(gh)):
            gk[i] += gh[i] * -(v[i] - reset)


@kernel
def backward(  # type: ignore[no-untyped-def]
    counter, like, x_at, stride, v_at, v_fill, gs_at, gv_end_at, gx_at, gv_start_at, gk_at, steps, n, chunk,
    decay, divide, k, reset, soft, threshold, detach, kind, alpha,
):  # fmt: skip
    """Recompute H of a chunk, then go back in time. Fill those of gx [T * n], gv_start [n] and gk_chunks [chunks] that are there."""
    x, gs, gx = row_at(x_at, (steps - 1) * stride + n, like), row_at(gs_at, steps * n, like), row_at(gx_at, steps * n, like)
    v_start, gv_end, gv_start = row_at(v_at, n, FLOATS), row_at(gv_end_at, n, FLOATS), row_at(gv_start_at, n, FLOATS)
    gk_chunks = row_at(gk_at, -(-n // chunk), SUMS)
    h_all, lanes = np.empty((steps, chunk), np.float32), np.empty(LANES, np.float64)
    v_all, carry_all, slope_all, gh_all, gk_all = (np.empty(chunk, np.float32), np.empty(chunk, np.float32), np.empty(chunk, np.float32),
                                                   np.empty(chunk, np.float32), np.empty(chunk, np.float32))  # fmt: skip
    spare = np.empty(chunk, like.dtype)  # for a gradient that nobody wants
    while True:
        piece = take(counter)
        begin = piece * chunk
        if begin >= n:
            return
        size = min(chunk, n - begin)
        v, carry, slope, gh, gk = v_all[:size], carry_all[:size], slope_all[:size], gh_all[:size], gk_all[:size]
        start_row(v, v_start, v_fill, begin)
        for t in range(steps):
            potential_row(x[t * stride + begin : t * stride + begin + size], v, h_all[t, :size], decay, divide, k, reset, soft, threshold)
        start_row(carry, gv_end, ZERO, begin)
        gk[:] = ZERO
        for t in range(steps - 1, -1, -1):
            h, first, last = h_all[t, :size], t * n + begin, t * n + begin + size
            slope_row(kind, alpha, h, threshold, slope)
            out = gx[first:last] if len(gx) else spare[:size]
            back_row(gs[first:last], slope, h, carry, out, gh, decay, divide, k, reset, soft, threshold, detach)
            if len(gk_chunks):
                if t > 0:
                    settle_row(h_all[t - 1, :size], v, threshold, reset, soft)
                else:
                    start_row(v, v_start, v_fill, begin)
                leak_row(gh, x[t * stride + begin : t * stride + begin + size], v, decay, reset, gk)
        if len(gv_start):
            gv_start[begin : begin + size] = carry
        if len(gk_chunks):
            gk_chunks[piece] = lane_sum(gk, lanes)
