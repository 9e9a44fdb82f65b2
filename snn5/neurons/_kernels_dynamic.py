"""The loops of DynamicGLIF: GLIF's, with numbers that each sample and step has for itself.

    (alpha, beta, gamma, tau, theta) = sigmoid(raw + W_m m + W_r r)      m, r: means of x[t] and of o[t-1] over a channel

Currents, spikes and pieces of work are as in `_kernels_glif`, but a piece holds whole channels of one sample, so that it knows the means.
`raw` is [5, C] and `weight` [2, 5, C] in the order above, `fixed` [2, C] holds lambda and theta_r. The gradients of all of them and of the
gains are rows of one array per sample: raw 0 to 4, W_m 5 to 9, W_r 10 to 14, fixed 15 and 16, gains 17 to 16 + T.
"""

import numpy as np

from snn5.neurons._kernels_common import LOWEST_EXPONENT, ONE, ZERO, exp, helper, kernel, pack, slope_row, take, unpack
from snn5.neurons._kernels_glif import DROP, HARD, KEEP, LANES, SOFT, THETA, back_row, charge_row, fire_row, per_channel, place, widen

ALPHA, BETA, GAMMA, TAU, LEVEL = range(5)  # rows of raw, weight and gates
GAIN = 5  # a row behind _kernels_glif's five
FIXED, GAINS = 15, 17  # first rows of gradients


@helper
def sigmoid_row(z):  # type: ignore[no-untyped-def]
    """In place."""
    for c in range(len(z)):
        e = exp(max(-abs(z[c]), LOWEST_EXPONENT))
        z[c] = (ONE if z[c] >= ZERO else e) / (ONE + e)


@helper
def mix(raw, weight, fixed, gain, first, means, gates, k):  # type: ignore[no-untyped-def]
    """Gates [5, c] and coefficients k [6, c] of a step, from its means [2, c]; of the channels from `first` on, as many as `gain` has."""
    last, m, r = first + len(gain), means[0], means[1]
    for j in range(5):
        gate, own, by_m, by_r = gates[j, : len(gain)], raw[j, first:last], weight[0, j, first:last], weight[1, j, first:last]
        for c in range(len(gate)):
            gate[c] = own[c] + (by_m[c] * m[c] + by_r[c] * r[c])
        sigmoid_row(gate)
    alpha, beta, gamma, tau, theta = gates[ALPHA], gates[BETA], gates[GAMMA], gates[TAU], gates[LEVEL]
    keep, hard, drop, soft, level, gained = k[KEEP], k[HARD], k[DROP], k[SOFT], k[THETA], k[GAIN]
    leak, back = fixed[0, first:last], fixed[1, first:last]
    for c in range(len(gain)):
        keep[c] = (ONE - alpha[c]) + alpha[c] * tau[c]
        hard[c] = gamma[c]
        drop[c] = (ONE - alpha[c]) * leak[c]
        soft[c] = (ONE - gamma[c]) * back[c]
        level[c] = theta[c]
        gained[c] = (ONE - beta[c]) + beta[c] * gain[c]


@helper
def mean_of(row, inner, pixels, lanes, sums, out):  # type: ignore[no-untyped-def]
    """The mean over each channel's neurons."""
    per_channel(row, inner, lanes, sums)
    for c in range(len(sums)):
        out[c] = sums[c] / pixels


@helper
def step_row(  # type: ignore[no-untyped-def]
    x, u, o, raw, weight, fixed, gain, first, inner, pixels, lanes, sums, means, gates, k, wide, current, fresh
):  # fmt: skip
    """The next u, in `fresh`; leaves the step's means, gates, coefficients (`wide`: for each neuron) and float32 current behind."""
    for i in range(len(current)):
        current[i] = unpack(x[i])
    mean_of(current, inner, pixels, lanes, sums, means[0])
    mean_of(o, inner, pixels, lanes, sums, means[1])
    mix(raw, weight, fixed, gain, first, means, gates, k)
    for j in range(6):
        widen(k[j, : len(gain)], inner, wide[j, : len(current)])
    charge_row(current, u, o, wide, wide[GAIN], fresh)


@kernel
def forward(  # type: ignore[no-untyped-def]
    counter, x, u_start, o_start, s, u_end, o_end, raw, weight, fixed, gains, samples, inner, block, group
):  # fmt: skip
    """Fill spikes s [T N C inner] and final states u_end, o_end [N C inner]."""
    steps, channels = gains.shape
    pieces, size, most = -(-samples // group) * -(-channels // block), len(u_end), group * block * inner
    wide, current_all, next_all = np.empty((6, most), np.float32), np.empty(most, np.float32), np.empty(most, np.float32)
    means, gates, k = np.empty((2, block), np.float32), np.empty((5, block), np.float32), np.empty((6, block), np.float32)
    lanes, sums_all = np.empty(LANES, np.float64), np.empty(block, np.float64)
    while True:
        piece = take(counter)
        if piece >= pieces:
            return
        _, first, last, begin, width = place(piece, block, group, samples, channels, inner)
        end, current, fresh, sums = begin + width, current_all[:width], next_all[:width], sums_all[: last - first]
        u, o = u_end[begin:end], o_end[begin:end]
        u[:], o[:] = u_start[begin:end], o_start[begin:end]
        for t in range(steps):
            row, gain = x[t * size + begin : t * size + end], gains[t, first:last]
            step_row(
                row, u, o, raw, weight, fixed, gain, first, inner, group * inner, lanes, sums, means, gates, k, wide, current, fresh
            )  # fmt: skip
            u[:] = fresh
            fire_row(u, wide[THETA, :width], o)
            out = s[t * size + begin : t * size + end]
            for i in range(width):
                out[i] = pack(o[i], out)


@helper
def unmix(weight, fixed, gain, first, means, gates, g_k, g, t, pixels, back):  # type: ignore[no-untyped-def]
    """From gradients of a step's coefficients, g_k [6, c], to those of raw (which then are in its rows 0 to 4), of all learned numbers
    (added to g) and of each neuron's share in the means, back [2, c]."""
    last, alphas, betas, gammas, taus, thetas = first + len(gain), gates[ALPHA], gates[BETA], gates[GAMMA], gates[TAU], gates[LEVEL]
    for c in range(len(gain)):
        alpha, beta, gamma, tau, theta = alphas[c], betas[c], gammas[c], taus[c], thetas[c]
        leak, theta_r = fixed[0, first + c], fixed[1, first + c]
        g[FIXED, c] += g_k[DROP, c] * (ONE - alpha)
        g[FIXED + 1, c] += g_k[SOFT, c] * (ONE - gamma)
        g[GAINS + t, c] = g_k[GAIN, c] * beta
        g_alpha = (g_k[KEEP, c] * (tau - ONE) - g_k[DROP, c] * leak) * alpha * (ONE - alpha)
        g_beta = g_k[GAIN, c] * (gain[c] - ONE) * beta * (ONE - beta)
        g_gamma = (g_k[HARD, c] - g_k[SOFT, c] * theta_r) * gamma * (ONE - gamma)
        g_tau = g_k[KEEP, c] * alpha * tau * (ONE - tau)
        g_theta = g_k[THETA, c] * theta * (ONE - theta)
        g_k[ALPHA, c], g_k[BETA, c], g_k[GAMMA, c], g_k[TAU, c], g_k[LEVEL, c] = g_alpha, g_beta, g_gamma, g_tau, g_theta
    for j in range(5):
        given, total = g_k[j], g[j]
        for c in range(len(gain)):
            total[c] += given[c]
    for side in range(2):
        mean, share = means[side], back[side]
        share[:] = ZERO
        for j in range(5):
            given, own, total = g_k[j], weight[side, j, first:last], g[5 + 5 * side + j]
            for c in range(len(gain)):
                share[c] += given[c] * own[c] / pixels
                total[c] += given[c] * mean[c]


@kernel
def backward(  # type: ignore[no-untyped-def]
    counter, x, u_start, o_start, gs, gu_end, go_end, gx, gu_start, go_start, g_numbers,
    raw, weight, fixed, gains, samples, inner, block, group, kind, alpha,
):  # fmt: skip
    """Recompute u, then go back in time. Fill gx unless empty, gu_start, go_start; per sample g_numbers [N, 17 + T, C]."""
    steps, channels = gains.shape
    pieces, size, most = -(-samples // group) * -(-channels // block), samples * channels * inner, group * block * inner
    u_all, o_all, rows = np.empty((steps + 1, most), np.float32), np.empty((steps + 1, most), np.float32), np.empty((3, most), np.float32)
    wide, g_wide, g_k = np.empty((6, most), np.float32), np.empty((5, most), np.float32), np.empty((6, block), np.float64)
    means_all, gates_all = np.empty((steps, 2, block), np.float32), np.empty((steps, 5, block), np.float32)
    k_all, back = np.empty((steps, 6, block), np.float32), np.empty((2, block), np.float32)
    lanes, sums_all, g = np.empty(LANES, np.float64), np.empty(block, np.float64), np.empty((GAINS + steps, block), np.float64)
    pixels = group * inner
    while True:
        piece = take(counter)
        if piece >= pieces:
            return
        which, first, last, begin, width = place(piece, block, group, samples, channels, inner)
        end, count, sums = begin + width, last - first, sums_all[: last - first]
        current, slope, apart = rows[0, :width], rows[1, :width], rows[2, :width]
        u_all[0, :width], o_all[0, :width] = u_start[begin:end], o_start[begin:end]
        g[:] = ZERO
        for t in range(steps):
            row, u, o, fresh = x[t * size + begin : t * size + end], u_all[t, :width], o_all[t, :width], u_all[t + 1, :width]
            gain, means, gates, k = gains[t, first:last], means_all[t], gates_all[t], k_all[t]
            step_row(
                row, u, o, raw, weight, fixed, gain, first, inner, pixels, lanes, sums, means, gates, k, wide, current, fresh
            )  # fmt: skip
            fire_row(fresh, wide[THETA, :width], o_all[t + 1, :width])
        gu, go = gu_start[begin:end], go_start[begin:end]
        gu[:], go[:] = gu_end[begin:end], go_end[begin:end]
        for t in range(steps - 1, -1, -1):
            row, given, u = x[t * size + begin : t * size + end], gs[t * size + begin : t * size + end], u_all[t + 1, :width]
            for j in range(6):
                widen(k_all[t, j, :count], inner, wide[j, :width])
            for j in range(5):
                g_wide[j, :width] = ZERO
            theta, gain = wide[THETA, :width], wide[GAIN, :width]
            for i in range(width):
                apart[i] = u[i] - theta[i]
                go[i] += unpack(given[i])
            slope_row(kind, alpha, apart, ZERO, slope)
            back_row(row, u_all[t, :width], o_all[t, :width], wide, wide[GAIN], gu, go, slope, g_wide, apart)
            for j in range(5):
                per_channel(g_wide[j, :width], inner, lanes, g_k[j, :count])
            per_channel(apart, inner, lanes, g_k[GAIN, :count])
            unmix(weight, fixed, gains[t, first:last], first, means_all[t], gates_all[t], g_k, g, t, pixels, back)
            through_x, through_o = g_wide[0, :width], g_wide[1, :width]
            widen(back[0, :count], inner, through_x)
            widen(back[1, :count], inner, through_o)
            for i in range(width):
                go[i] += through_o[i]
            if len(gx):
                out = gx[t * size + begin : t * size + end]
                for i in range(width):
                    out[i] = pack(slope[i] * gain[i] + through_x[i], out)
        for j in range(GAINS + steps):
            g_numbers[which, j, first:last] = g[j, :count]
