"""The loops of the TTFS latch: all steps of a chunk of neurons while its state is in the cache.

    V = V + X;  O = m where V > theta[t], else 0;  m = m (1 - O)

Currents and spikes are flat: [t * stride + neuron]; uint16 holds bfloat16. No gradient goes through the latch m.
"""

import numpy as np

from snn5.neurons._kernels_common import ONE, ZERO, helper, kernel, pack, slope_row, take, unpack


@helper
def add_row(x, v):  # type: ignore[no-untyped-def]
    """V + X."""
    for i in range(len(v)):
        v[i] = v[i] + unpack(x[i])


@kernel
def forward(counter, x, stride, v_start, waiting_start, s, v_end, waiting_end, thetas, chunk):  # type: ignore[no-untyped-def]
    """Fill spikes s [T * n], final potentials v_end and latches waiting_end [n]. An empty start is that of a fresh sequence."""
    n = len(v_end)
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
def backward(counter, x, stride, v_start, waiting_start, gs, gv_end, gx, gv_start, thetas, n, chunk, kind, alpha):  # type: ignore[no-untyped-def]
    """Recompute V and m of a chunk, then go back in time. Fill those of gx [T * n] and gv_start [n] that are not empty."""
    steps = len(thetas)
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
