"""How fast a rate comes back, how selective neurons are, how well BCM's threshold follows, and whether it is stable.

Shapes: T steps, n neurons, K patterns.
"""

import torch
from torch import Tensor

from snn5.bio.learning_rules import BCM, Free

NEAR = 0.1  # of the target rate: what counts as back


def settled_after(rate_W: Tensor, target: float, window: int, near: float = NEAR) -> float:
    """Steps from the start until the mean rate of every later window is within `near` of the target; infinity where the last is not.

    Args:
        rate_W: mean rate in consecutive windows of `window` steps.
    """
    outside = ((rate_W / target - 1).abs() >= near).nonzero()
    last = int(outside[-1]) + 1 if len(outside) else 0
    return float("inf") if last == len(rate_W) else float(last * window)


def window_rates(spikes_Tn: Tensor, window: int) -> Tensor:
    """Spikes per neuron and step in consecutive windows, [T // window], float64."""
    whole = len(spikes_Tn) // window * window
    return spikes_Tn[:whole].double().mean(1).view(-1, window).mean(1)


def responses(spikes_Tn: Tensor, pattern_T: Tensor, patterns: int) -> Tensor:
    """Mean spikes per step of each neuron while each pattern is shown, [n, K], float64."""
    return torch.stack([spikes_Tn[pattern_T == k].double().mean(0) for k in range(patterns)], dim=1)


def selectivity(response_nK: Tensor) -> Tensor:
    """1 - mean / max over patterns, [n]: 0 for equal answers, 1 - 1/K for an answer to one pattern alone; 0 for a silent neuron."""
    most_n = response_nK.max(1).values
    return torch.where(most_n > 0, 1 - response_nK.mean(1) / most_n.clamp_min(1e-300), 0.0)


def bcm_at_loop_gain(gain: float, *, steps: int = 6000) -> dict[str, float]:
    """One linear receiver y = w x of one steady pattern under BCM, started beside its fixed point y = theta = y0.

    In theory (see `BCM.loop_gain`) the distance from it dies out where the loop gain eta |x|^2 tau_theta y0 is below 1 and grows where it
    is above.

    Args:
        gain: the loop gain, > 0.

    Returns:
        `loop_gain` as the rule says; `start`, `end`: distance |y / y0 - 1|, greatest in the first and in the last tenth; `y_max` over y0.
    """
    y0, tau_ms = 0.02, 200.0
    x_Np = torch.tensor([[0.1, 0.05]], dtype=torch.float64)
    square = float((x_Np**2).sum())
    rule = BCM(eta=gain / (square * tau_ms * y0), rate_per_ms=y0, tau_theta_ms=tau_ms, bounds=Free())
    weight = x_Np * (1.02 * y0 / square)
    theta = torch.full((1,), y0, dtype=torch.float64)
    seen = []
    for _ in range(steps):
        y_Nq = (x_Np @ weight.T).clamp(0.0, 50 * y0)  # a rate has a ceiling, so that what diverges stays a number
        change, theta = rule.rates(x_Np, y_Nq, theta, weight)
        weight = weight + change
        seen.append(float(y_Nq) / y0)
    distance = (torch.tensor(seen, dtype=torch.float64) - 1).abs()
    tenth = steps // 10
    return {
        "loop_gain": rule.loop_gain(x_Np),
        "start": float(distance[:tenth].max()),
        "end": float(distance[-tenth:].max()),
        "y_max": max(seen),
    }
