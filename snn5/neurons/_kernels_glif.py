"""The loops of GLIF: all steps of some neurons while their state is in the cache.

    u = keep u (1 - hard o) - drop + gain[t] x - soft o;  o = 1 if u > theta else 0

Currents and spikes are flat [T, N, C, inner]; uint16 holds bfloat16. `numbers` [5, C] holds keep, hard, drop, soft, theta. A piece of work
is `block` channels of a sample or, with inner = 1, all channels of `group` samples (channels last: every pixel is such a sample). Gradients
of numbers are first summed per piece and channel, in a fixed order, so that they do not depend on the threads.
"""

import numpy as np

from snn5.neurons._kernels_common import ONE, ZERO, helper, kernel, lane_sum, pack, slope_row, take, unpack

KEEP, HARD, DROP, SOFT, THETA = range(5)  # rows of arrays that are passed whole: a slice of rows is strided, and its loops stay scalar
LANES = 16  # of a channel, which may be small


@helper
def widen(number_C, inner, out):  # type: ignore[no-untyped-def]
    """A number per channel for each of the channel's neurons."""
    if inner == 1:
        done = len(number_C)
        out[:done] = number_C
        while done < len(out):  # twice as many each time: few long copies
            more = min(done, len(out) - done)
            out[done : done + more] = out[:more]
            done += more
    else:
        for c in range(len(number_C)):
            out[c * inner : (c + 1) * inner] = number_C[c]


@helper
def per_channel(row, inner, lanes, out_C):  # type: ignore[no-untyped-def]
    """Sums over each channel's neurons."""
    if inner == 1:
        out_C[:] = 0.0
        for begin in range(0, len(row), len(out_C)):
            part = row[begin : begin + len(out_C)]
            for c in range(len(out_C)):
                out_C[c] += part[c]
    else:
        for c in range(len(out_C)):
            out_C[c] = lane_sum(row[c * inner : (c + 1) * inner], lanes)


@helper
def charge_row(x, u, o, k, gain, out):  # type: ignore[no-untyped-def]
    """The next u."""
    keep, hard, drop, soft = k[KEEP], k[HARD], k[DROP], k[SOFT]
    for i in range(len(out)):
        out[i] = keep[i] * u[i] * (ONE - hard[i] * o[i]) - drop[i] + gain[i] * unpack(x[i]) - soft[i] * o[i]


@helper
def fire_row(u, theta, o):  # type: ignore[no-untyped-def]
    """o from u."""
    for i in range(len(o)):
        o[i] = ONE if u[i] > theta[i] else ZERO


@helper
def place(piece, block, group, samples, channels, inner):  # type: ignore[no-untyped-def]
    """A piece of work: its group of samples, its channels, its first neuron, how many neurons."""
    blocks = -(-channels // block)
    which, first = piece // blocks, piece % blocks * block
    n, last = which * group, min(first + block, channels)
    return which, first, last, (n * channels + first) * inner, min(group, samples - n) * (last - first) * inner


@kernel
def forward(counter, x, u_start, o_start, s, u_end, o_end, numbers, gains, samples, inner, block, group):  # type: ignore[no-untyped-def]
    """Fill spikes s [T N C inner] and final states u_end, o_end [N C inner]."""
    steps, channels = gains.shape
    pieces, size, most = -(-samples // group) * -(-channels // block), len(u_end), group * block * inner
    k_all = np.empty((5, most), np.float32)
    gain_all, next_all = np.empty(most, np.float32), np.empty(most, np.float32)
    while True:
        piece = take(counter)
        if piece >= pieces:
            return
        _, first, last, begin, width = place(piece, block, group, samples, channels, inner)
        gain, fresh = gain_all[:width], next_all[:width]
        for j in range(5):
            widen(numbers[j, first:last], inner, k_all[j, :width])
        u, o = u_end[begin : begin + width], o_end[begin : begin + width]
        u[:], o[:] = u_start[begin : begin + width], o_start[begin : begin + width]
        for t in range(steps):
            widen(gains[t, first:last], inner, gain)
            charge_row(x[t * size + begin : t * size + begin + width], u, o, k_all, gain, fresh)
            u[:] = fresh
            fire_row(u, k_all[THETA, :width], o)
            out = s[t * size + begin : t * size + begin + width]
            for i in range(width):
                out[i] = pack(o[i], out)


@helper
def back_row(x, u, o, k, gain, gu, go, slope, g, gain_row):  # type: ignore[no-untyped-def]
    """From dL/du (gu) and dL/do (go) of a step to those of the step before; adds to the numbers' gradients g."""
    keep, hard, soft = k[KEEP], k[HARD], k[SOFT]
    g_keep, g_hard, g_drop, g_soft, g_theta = g[KEEP], g[HARD], g[DROP], g[SOFT], g[THETA]
    for i in range(len(gu)):
        fired = go[i] * slope[i]
        total = gu[i] + fired
        left = ONE - hard[i] * o[i]
        g_theta[i] -= fired
        g_drop[i] -= total
        g_soft[i] -= total * o[i]
        g_keep[i] += total * u[i] * left
        g_hard[i] -= total * keep[i] * u[i] * o[i]
        gain_row[i] = total * unpack(x[i])
        go[i] = -total * (keep[i] * u[i] * hard[i] + soft[i])
        slope[i] = total  # what the current's gradient needs
        gu[i] = total * keep[i] * left


@kernel
def backward(  # type: ignore[no-untyped-def]
    counter, x, u_start, o_start, gs, gu_end, go_end, gx, gu_start, go_start, g_numbers, g_gains,
    numbers, gains, samples, inner, block, group, kind, alpha,
):  # fmt: skip
    """Recompute u, then go back in time. Fill gx unless empty, gu_start, go_start; per group g_numbers [G, 5, C], g_gains [G, T, C]."""
    steps, channels = gains.shape
    pieces, size, most = -(-samples // group) * -(-channels // block), samples * channels * inner, group * block * inner
    u_all, o_all = np.empty((steps + 1, most), np.float32), np.empty((steps + 1, most), np.float32)
    k_all, g_all, lanes = np.empty((5, most), np.float32), np.empty((5, most), np.float32), np.empty(LANES, np.float64)
    gain_all, slope_all, apart_all = np.empty(most, np.float32), np.empty(most, np.float32), np.empty(most, np.float32)
    while True:
        piece = take(counter)
        if piece >= pieces:
            return
        which, first, last, begin, width = place(piece, block, group, samples, channels, inner)
        end = begin + width
        gain, slope, apart = gain_all[:width], slope_all[:width], apart_all[:width]
        for j in range(5):
            widen(numbers[j, first:last], inner, k_all[j, :width])
            g_all[j, :width] = ZERO
        theta = k_all[THETA, :width]
        u_all[0, :width], o_all[0, :width] = u_start[begin:end], o_start[begin:end]
        for t in range(steps):
            widen(gains[t, first:last], inner, gain)
            charge_row(x[t * size + begin : t * size + end], u_all[t, :width], o_all[t, :width], k_all, gain, u_all[t + 1, :width])
            fire_row(u_all[t + 1, :width], theta, o_all[t + 1, :width])
        gu, go = gu_start[begin:end], go_start[begin:end]
        gu[:], go[:] = gu_end[begin:end], go_end[begin:end]
        for t in range(steps - 1, -1, -1):
            u, given = u_all[t + 1, :width], gs[t * size + begin : t * size + end]
            for i in range(width):
                apart[i] = u[i] - theta[i]
                go[i] += unpack(given[i])
            slope_row(kind, alpha, apart, ZERO, slope)
            back_row(x[t * size + begin : t * size + end], u_all[t, :width], o_all[t, :width], k_all, gain, gu, go, slope, g_all, apart)
            per_channel(apart, inner, lanes, g_gains[which, t, first:last])
            if len(gx):
                widen(gains[t, first:last], inner, gain)
                out = gx[t * size + begin : t * size + end]
                for i in range(width):
                    out[i] = pack(slope[i] * gain[i], out)
        for j in range(5):
            per_channel(g_all[j, :width], inner, lanes, g_numbers[which, j, first:last])
