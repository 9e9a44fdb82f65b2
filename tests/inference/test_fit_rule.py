"""Rules with one threshold: calibrated by hand, and as the gap rule is where they must agree."""

import math

import pytest
import torch
from torch import Tensor

from snn5.errors import UserError
from snn5.inference import (
    RULES,
    EntropyRule,
    GapRule,
    MaxProbabilityRule,
    answers,
    fit_rule,
    leave,
    never,
    optimal_step,
    rule_of,
    thresholds,
)


def evidence(n: int, seed: int, steps: int = 6, classes: int = 5) -> tuple[Tensor, Tensor]:
    """Noise at every step and a drift towards the label, faster for some samples."""
    generator = torch.Generator().manual_seed(seed)
    y_N = torch.randint(classes, (n,), generator=generator)
    drift_N = 2.0 + torch.rand(n, generator=generator)
    logits_TNK = torch.randn(steps, n, classes, generator=generator)
    return logits_TNK + drift_N[:, None] * torch.nn.functional.one_hot(y_N, classes), y_N


def two_classes(*odds: list[float]) -> Tensor:
    """Logits [T, N, 2] whose running means have these log odds for class 0."""
    mean_TN = torch.tensor(odds)
    sum_TN = mean_TN * torch.arange(1, len(odds) + 1)[:, None]
    return torch.stack([sum_TN, torch.zeros_like(sum_TN)], -1).diff(dim=0, prepend=torch.zeros(1, mean_TN.shape[1], 2))


def test_max_probability_by_hand() -> None:
    """At step 1 odds 1:3 (wrong), 3:1, 7:1, 1:3 for class 0; all are right at step 2. No mistake: 3/4 is too bold, two of it are wrong."""
    log3, log7 = math.log(3.0), math.log(7.0)
    logits_TNK, y_N = two_classes([-log3, log3, log7, -log3], [5.0] * 4), torch.zeros(4, dtype=torch.long)
    rule = fit_rule("max_probability", logits_TNK, y_N, 0.0)
    assert 0.75 < rule.threshold <= 0.875 + 1e-6
    assert leave(logits_TNK, rule)[0].tolist() == [2, 2, 1, 2]
    everyone = fit_rule("max_probability", logits_TNK, y_N, 0.5)  # two of four may be wrong
    assert leave(logits_TNK, everyone)[0].tolist() == [1, 1, 1, 1]


def test_entropy_by_hand() -> None:
    log3, log7 = math.log(3.0), math.log(7.0)
    logits_TNK, y_N = two_classes([-log3, log3, log7, -log3], [5.0] * 4), torch.zeros(4, dtype=torch.long)
    rule = fit_rule("entropy", logits_TNK, y_N, 0.0)
    assert leave(logits_TNK, rule)[0].tolist() == [2, 2, 1, 2]
    half = -(0.875 * math.log2(0.875) + 0.125 * math.log2(0.125))  # bits of odds 7:1
    assert half < rule.threshold <= -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)) + 1e-6


@pytest.mark.parametrize("name", RULES)
def test_confidence_is_kept_on_the_calibration_set(name: str) -> None:
    """Of those who leave early, at most epsilon are not at their final, right answer (gap: of all who could, at each step)."""
    logits_TNK, y_N = evidence(1500, seed=0)
    optimal_N = optimal_step(logits_TNK, y_N)
    for epsilon in (0.01, 0.05, 0.2):
        step_N, _ = leave(logits_TNK, fit_rule(name, logits_TNK, y_N, epsilon))
        early_N = step_N < 6
        assert early_N.sum() > 50
        if name != "gap":
            assert (early_N & (optimal_N > step_N)).sum() <= epsilon * early_N.sum()


@pytest.mark.parametrize("name", RULES)
def test_a_larger_epsilon_is_bolder_and_holds_on_new_samples(name: str) -> None:
    calibration, new = evidence(3000, seed=0), evidence(3000, seed=1)
    full, _ = answers(*new, never)
    found = [answers(*new, fit_rule(name, *calibration, epsilon)) for epsilon in (0.0, 0.01, 0.05, 0.2, 1.0)]
    steps = [mean for _, mean in found]
    assert steps == sorted(steps, reverse=True) and steps[-1] == 1.0 and steps[0] > steps[2]
    accuracy, mean = found[1]
    assert full - accuracy < 0.02 and mean < 5


def test_gap_is_what_thresholds_says() -> None:
    logits_TNK, y_N = evidence(300, seed=2)
    assert fit_rule("gap", logits_TNK, y_N, 0.02) == GapRule(thresholds=thresholds(logits_TNK, y_N, 0.02))


@pytest.mark.parametrize(("name", "at"), [("entropy", 0.0), ("max_probability", 1.0)])
def test_nobody_is_sure_where_nobody_is_right(name: str, at: float) -> None:
    """Every final answer is wrong: no threshold has the confidence."""
    logits_TNK = two_classes([-1.0, -2.0], [-1.0, -2.0], [-1.0, -2.0])
    rule = fit_rule(name, logits_TNK, torch.zeros(2, dtype=torch.long), 0.0)
    assert rule.threshold == at and leave(logits_TNK, rule)[0].tolist() == [3, 3]


def test_a_card_gives_the_rule_back() -> None:
    assert rule_of({"rule": "entropy", "epsilon": 0.1, "threshold": 0.25}) == EntropyRule(threshold=0.25)
    assert rule_of({"rule": "max_probability", "epsilon": 0.1, "threshold": 0.75}) == MaxProbabilityRule(threshold=0.75)


def test_unknown_rules_and_impossible_settings() -> None:
    logits_TNK, y_N = evidence(10, seed=0)
    with pytest.raises(UserError, match="unknown cutoff rule 'entrpy'; did you mean entropy"):
        fit_rule("entrpy", logits_TNK, y_N, 0.1)
    with pytest.raises(UserError, match=r"epsilon=-0\.1; need a share from 0 to 1"):
        fit_rule("entropy", logits_TNK, y_N, -0.1)
    with pytest.raises(UserError, match="no calibration samples"):
        fit_rule("max_probability", logits_TNK[:, :0], y_N[:0], 0.1)
