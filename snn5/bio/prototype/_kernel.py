"""One presentation of the early prototype: LIF, pair STDP on all weights, thresholds that drift towards a rate.

Shapes: T steps of 1 ms, C inputs, n neurons; matrices [post, pre].
"""

from typing import Any

import numpy as np

from snn5.bio._compiled import compiled


@compiled
def present(  # type: ignore[no-untyped-def]
    x_TC, into_nC, own_nn, mask_nn, theta_n, e, winners, eta, plastic, drift, flaws, keep, faded
) -> Any:
    """Show one sample from rest; weights and thresholds are changed in place.

        v <- v keep + (1 - keep) (W s_in + U s_own);   s = v >= theta;   v <- 0 after a spike
        x <- x faded + s_pre,   y <- y faded + s_post,   dW = eta (s_post x' - y s_pre') within [0, 5]
        theta <- theta + clip(5e-4 (spikes so far / steps so far - 0.08), -0.01, 0.01)

    Args:
        e: excitatory neurons; those behind them inhibit (their columns of `own_nn` are negative), e = n without inhibition.
        winners: at most so many excitatory neurons fire in a step, those furthest above their threshold; 0: no limit.
        plastic, drift: whether weights and thresholds change.
        flaws: (late, dense, wiped): spikes of the pool arrive one step late and its STDP sees them late; STDP makes synapses where there
            were none; STDP clips negative weights to 0 before it restores their sign.

    Returns:
        Spikes of each neuron, int64 [n].
    """
    late, dense, wiped = flaws
    steps, n = len(x_TC), len(theta_n)
    v, x_C, x_n, y_n = np.zeros(n), np.zeros(x_TC.shape[1]), np.zeros(n), np.zeros(n)
    last, before = np.zeros(n, np.bool_), np.zeros(n, np.bool_)  # spikes of one and of two steps ago
    fired = np.zeros(n, np.bool_)
    counts = np.zeros(n, np.int64)
    for t in range(steps):
        arriving = before if late else last
        for i in range(n):
            current = 0.0
            for c in range(x_TC.shape[1]):
                if x_TC[t, c]:
                    current += into_nC[i, c]
            for j in range(n):
                if arriving[j]:
                    current += own_nn[i, j]
            v[i] = v[i] * keep + (1 - keep) * current
            fired[i] = v[i] >= theta_n[i]
        if e < n:
            for j in range(e, n):
                if fired[j]:
                    for i in range(e):
                        v[i] += 0.5 * own_nn[i, j]
            for i in range(e):
                fired[i] = v[i] >= theta_n[i]
        if winners:
            above = np.where(fired[:e], v[:e] - theta_n[:e], -np.inf)
            order = np.argsort(-above, kind="mergesort")
            for place in range(winners, e):
                fired[order[place]] = False
        for i in range(n):
            if fired[i]:
                v[i] = 0.0
                counts[i] += 1
            if drift:
                theta_n[i] += min(max(5e-4 * (counts[i] / (t + 1) - 0.08), -0.01), 0.01)
        if plastic:
            x_C *= faded
            x_C += x_TC[t]
            x_n *= faded
            y_n *= faded
            for i in range(n):
                x_n[i] += last[i] if late else fired[i]
                y_n[i] += fired[i]
            for i in range(n):
                for c in range(x_TC.shape[1]):
                    if fired[i] or x_TC[t, c]:
                        moved = into_nC[i, c] + eta * (fired[i] * x_C[c] - y_n[i] * x_TC[t, c])
                        into_nC[i, c] = min(max(moved, 0.0), 5.0)
                for j in range(n):
                    sender = last[j] if late else fired[j]
                    if j >= e:
                        if wiped:
                            own_nn[i, j] = 0.0
                    elif (fired[i] or sender) and (dense or mask_nn[i, j]):
                        moved = own_nn[i, j] + eta * (fired[i] * x_n[j] - y_n[i] * sender)
                        own_nn[i, j] = min(max(moved, 0.0), 5.0)
        before[:] = last
        last[:] = fired
    return counts
