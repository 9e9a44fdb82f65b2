"""SNNCutoff (P5.1): a rule calibrated so that an early answer is the final, right one with confidence 1 - epsilon.

Of a calibration set with accumulated logits Y(t) and labels y:

    g(X)      = min{ t : argmax Y(u) = y for all u >= t }, T if the final answer is wrong        optimal cutoff time
    C(t, b)   = #{ gap(t) > b and g(X) <= t } / #{ gap(t) > b }                                  confidence
    beta(t)   = min{ b : C(t, b) >= 1 - epsilon },  b on 100 points from 0 to the largest gap(t)

A b that no gap exceeds has no confidence and is skipped; if none is left, beta(t) is the largest gap of the calibration set.

A rule with one threshold for all steps gets the boldest of 100 quantiles of its score that is as confident over all who leave early:

    C(b)      = #{ leaves at t < T and g(X) <= t } / #{ leaves at t < T } >= 1 - epsilon

Source: Wu et al., Optimising Event-Driven SNN with Regularisation and Cutoff, Front. Neurosci. 19:1522788 (2025), arXiv 2301.09522.
"""

import torch
from torch import Tensor

from snn5.errors import UserError, unknown
from snn5.inference._logits import leave, optimal_step
from snn5.inference._rules import RULES, GapRule, Rule, ScoreRule, gap

BINS = 100


def fit_rule(name: str, logits_TNK: Tensor, y_N: Tensor, epsilon: float) -> Rule:
    """The boldest rule of this kind that is confident enough.

    Args:
        name: of RULES. logits_TNK, y_N, epsilon: see `thresholds`.

    Raises:
        UserError: unknown name, epsilon out of range, or no samples.
    """
    if name not in RULES:
        raise unknown("cutoff rule", name, list(RULES))
    kind = RULES[name]
    if kind is GapRule:
        return GapRule(thresholds=thresholds(logits_TNK, y_N, epsilon))
    return _one_threshold(kind, logits_TNK, y_N, epsilon)


def thresholds(logits_TNK: Tensor, y_N: Tensor, epsilon: float) -> tuple[float, ...]:
    """beta(1..T). epsilon >= 1 asks for no confidence at all: -1, which every gap exceeds.

    Args:
        logits_TNK: logits of the calibration samples at every step. y_N: their labels.
        epsilon: tolerated share of early answers that are not the final, right one; 0..1.

    Raises:
        UserError: epsilon out of range, or no samples.
    """
    _check(y_N, epsilon)
    if epsilon >= 1.0:
        return (-1.0,) * len(logits_TNK)
    gap_TN, optimal_N = gap(logits_TNK.cumsum(0)), optimal_step(logits_TNK, y_N)
    betas = []
    for t, gap_N in enumerate(gap_TN, start=1):
        grid_B = torch.linspace(0.0, float(gap_N.max()), BINS, device=gap_N.device)
        above_BN = gap_N > grid_B[:, None]
        count_B = above_BN.sum(1)
        right_B = (above_BN & (optimal_N <= t)).sum(1)
        # whole numbers are compared, so that epsilon = 0 means exactly all of them
        valid_B = (count_B > 0) & (right_B >= (1.0 - epsilon) * count_B)
        valid_B[-1] = True
        betas.append(float(grid_B[int(valid_B.int().argmax())]))
    return tuple(betas)


def _one_threshold(kind: type[ScoreRule], logits_TNK: Tensor, y_N: Tensor, epsilon: float) -> ScoreRule:
    _check(y_N, epsilon)
    if epsilon >= 1.0 or len(logits_TNK) < 2:
        return kind(threshold=kind.always)
    steps, sums_TNK = len(logits_TNK), logits_TNK.cumsum(0)
    score_TN = torch.stack([kind.score(sum_NK, t) for t, sum_NK in enumerate(sums_TNK[:-1], start=1)])
    grid_B = score_TN.flatten().quantile(torch.linspace(0.0, 1.0, BINS, device=score_TN.device)).clamp(0.0, 1.0)
    optimal_N = optimal_step(logits_TNK, y_N)
    for threshold in sorted(set(grid_B.tolist()), reverse=kind.always == 1.0):  # from the boldest
        rule = kind(threshold=threshold)
        step_N, _ = leave(logits_TNK, rule)
        early_N = step_N < steps
        count, right = int(early_N.sum()), int((early_N & (optimal_N <= step_N)).sum())
        if count > 0 and right >= (1.0 - epsilon) * count:
            return rule
    return kind(threshold=1.0 - kind.always)


def _check(y_N: Tensor, epsilon: float) -> None:
    if not 0.0 <= epsilon <= 1.0:
        raise UserError(f"epsilon={epsilon}; need a share from 0 to 1")
    if len(y_N) == 0:
        raise UserError("no calibration samples; give at least one per class")
