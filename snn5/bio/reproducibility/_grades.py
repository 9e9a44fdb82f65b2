"""R1 to R3: how many trainings reach the declared accuracy, how far they spread, and how often two of them answer alike.

Shapes: N test samples.
"""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from snn5.bio.reproducibility._trial import Outcome
from snn5.errors import UserError
from snn5.statistics import mean_sd
from snn5.success import lower_bound


def agreement(first_N: Tensor, second_N: Tensor) -> float:
    """The share of samples to which both give one answer, right or wrong."""
    return float((first_N == second_N).double().mean())


def kappa(first_N: Tensor, second_N: Tensor) -> float:
    """Cohen's kappa: agreement beyond that of chance, (p - e) / (1 - e), e = sum over classes of the product of both shares.

    1 where both give the same single answer to everything.

    Source: Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20, 1960.
    """
    classes = int(torch.maximum(first_N.max(), second_N.max())) + 1
    shares = [torch.bincount(answer, minlength=classes).double() / len(answer) for answer in (first_N, second_N)]
    chance = float((shares[0] * shares[1]).sum())
    return 1.0 if chance == 1 else (agreement(first_N, second_N) - chance) / (1 - chance)


def grade(outcomes: Sequence[Outcome], target: float) -> dict[str, float]:
    """R1 (success rate, observed and proved), R2 (spread) and R3 (agreement) of trainings that differ in their seeds.

    Args:
        outcomes: two or more, on one test set. target: the accuracy that was declared before they ran, 0..1.

    Returns:
        `test/acc` and its `_sd` and `_min`; `r1/successes`, `r1/observed`, `r1/proved` (one-sided 95 % Clopper-Pearson lower bound);
        `r2/steadiness` = 1 - sd / mean; `r3/agreement` and `r3/kappa`, means over all pairs; `n_seeds`, `n_test`.

    Raises:
        UserError: fewer than two trainings, or different test sets.
    """
    if len(outcomes) < 2:
        raise UserError(f"{len(outcomes)} training(s); a spread and an agreement need at least two seeds")
    if not all(torch.equal(one.label_N, outcomes[0].label_N) for one in outcomes):
        raise UserError("the trainings were tested on different samples; give all of them one test set")
    accuracies = [one.accuracy for one in outcomes]
    mean, sd = mean_sd(accuracies)
    good = sum(accuracy >= target for accuracy in accuracies)
    pairs = [(one.prediction_N, other.prediction_N) for one, other in combinations(outcomes, 2)]
    return {
        "n_seeds": float(len(outcomes)),
        "n_test": float(len(outcomes[0].label_N)),
        "test/acc": mean,
        "test/acc_sd": sd,
        "test/acc_min": min(accuracies),
        "r1/successes": float(good),
        "r1/observed": good / len(outcomes),
        "r1/proved": lower_bound(good, len(outcomes)),
        "r2/steadiness": 1 - sd / mean if mean else 0.0,
        "r3/agreement": sum(agreement(*pair) for pair in pairs) / len(pairs),
        "r3/kappa": sum(kappa(*pair) for pair in pairs) / len(pairs),
    }
