"""The loops of the TTFS latch: all steps of a chunk of neurons while its state is in the cache.

    V = V + X;  O = m where V > theta[t], else 0;  m = m (1 - O)

Tensors come as addresses (see `row_at`; 0: none). Currents and spikes are flat, [t * stride + neuron], of like's type: float32, or uint16
for bfloat16; all else is float32. No gradient goes through the latch m.
"""

import numpy as np

from snn5.neurons._kernels_common import FLOATS, ONE, ZERO, helper, kernel, pack, slope_row, take, unpack
from snn5.neurons._kernels_memory import row_at


@helper
def add_row(x, v):  # type: ignore[no-untyped-def]
    """V + X."""
    for i in range(len(v)):
        v[i] = v[i] + unpack(x[i])


@kernel
def forward(counter, like, x_at, stride, v_at, waiting_at, s_at, v_end_at, waiting_end_at, thetas, n, chunk):  # type: ignore[no-untyped-def]
    """Fill spikes s [T * n], final potentials v_end and latches waiting_end [n]. No start is that of a fresh sequence."""
    x, s = row_at(x_at, (len(thetas) - 1) * stride + n, like), row_at(s_at, len(thetas) * n, like)
    v_start, waiting_start = row_at(v_at, n, FLOATS), row_at(waiting_at, n, FLOATS)
    v_end, waiting_end = row_at(v_end_at, n, FLOATS), row_at(waiting_end_at, n, FLOATS)
    one, zero = pack(ONE, s), pack(ZERO, s)
    while True:
        begin = take(counter) * chunk
        if begin >= n:
            return
        end = min(begin + chunk, n)
        v, m = v_end[begin:end], waiting_end[begin:end]
        v[:], m[:] = ZERO, ONE
        if len(v_start):
            v[:] = v_start[begin:end]
        if len(waiting_start):
            m[:] = waiting_start[begin:end]
        for t in range(len(thetas)):
            add_row(x[t * stride + begin : t * stride + end], v)
            out, theta = s[t * n + begin : t * n + end], thetas[t]
            for i in range(len(v)):
                out[i] = one if v[i] > theta and m[i] > ZERO else zero
            for i in range(len(v)):
                m[i] = ZERO if v[i] > theta else m[i]


@kernel
def backward(  # type: ignore[no-untyped-def]
    counter, like, x_at, stride, v_at, waiting_at, gs_at, gv_end_at, gx_at, gv_start_at, thetas, n, chunk, kind, alpha
):  # fmt: skip
    """Recompute V and m of a chunk, then go back in time. Fill those of gx [T * n] and gv_start [n] that are there."""
    steps = len(thetas)
    x, gs, gx = row_at(x_at, (steps - 1) * stride + n, like), row_at(gs_at, steps * n, like), row_at(gx_at, steps * n, like)
    v_start, waiting_start = row_at(v_at, n, FLOATS), row_at(waiting_at, n, FLOATS)
    gv_end, gv_start = row_at(gv_end_at, n, FLOATS), row_at(gv_start_at, n, FLOATS)
    v_all, m_all = np.empty((steps, chunk), np.float32), np.empty((steps, chunk), np.float32)
    carry_all, slope_all, last_all = np.empty(chunk, np.float32), np.empty(chunk, np.float32), np.empty(chunk, np.float32)
    while True:
        begin = take(counter) * chunk
        if begin >= n:
            return
        end = min(begin + chunk, n)
        carry, slope, last = carry_all[: end - begin], slope_all[: end - begin], last_all[: end - begin]
        last[:] = ZERO
        if len(v_start):
            last[:] = v_start[begin:end]
        for t in range(steps):
            v, m = v_all[t, : end - begin], m_all[t, : end - begin]
            add_row(x[t * stride + begin : t * stride + end], last)
            v[:] = last
            if t > 0:
                before, waited, passed = v_all[t - 1, : end - begin], m_all[t - 1, : end - begin], thetas[t - 1]
                for i in range(len(m)):
                    m[i] = ZERO if before[i] > passed else waited[i]
            elif len(waiting_start):
                m[:] = waiting_start[begin:end]
            else:
                m[:] = ONE
        carry[:] = ZERO
        if len(gv_end):
            carry[:] = gv_end[begin:end]
        for t in range(steps - 1, -1, -1):
            slope_row(kind, alpha, v_all[t, : end - begin], thetas[t], slope)
            m, given = m_all[t, : end - begin], gs[t * n + begin : t * n + end]
            for i in range(len(carry)):
                carry[i] = carry[i] + unpack(given[i]) * m[i] * slope[i]
            out = gx[t * n + begin : t * n + end]
            for i in range(len(out)):
                out[i] = pack(carry[i], out)
        if len(gv_start):
            gv_start[begin:end] = carry
