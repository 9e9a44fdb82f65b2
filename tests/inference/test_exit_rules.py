import math

import pytest
import torch

from snn5.errors import UserError
from snn5.inference import EntropyRule, GapRule, MaxProbabilityRule, gap

SUM_NK = torch.tensor([[4.0, 1.0, 0.0], [2.0, 2.0, 2.0]])


def test_gap_by_hand() -> None:
    assert gap(SUM_NK).tolist() == [3.0, 0.0]
    assert gap(SUM_NK.expand(5, 2, 3)).shape == (5, 2)
    with pytest.raises(UserError, match="1 class; a gap needs at least two"):
        gap(torch.zeros(2, 1))


def test_gap_rule_is_strict_and_knows_its_steps() -> None:
    rule = GapRule(thresholds=(3.0, 2.9, float("inf"), float("-inf")))
    assert [rule(SUM_NK, t).tolist() for t in (1, 2, 3, 4)] == [[False, False], [True, False], [False, False], [True, True]]
    with pytest.raises(UserError, match="step 5, but 4 thresholds; calibrate"):
        rule(SUM_NK, 5)


def test_entropy_rule_by_hand() -> None:
    """Equal logits have entropy 1; odds 3 : 1 of two classes have 0.8113 bit; the mean over steps decides, not the sum."""
    odds = torch.tensor([[math.log(3.0), 0.0]])
    assert EntropyRule(threshold=0.8114)(odds, 1).tolist() == [True]
    assert EntropyRule(threshold=0.8112)(odds, 1).tolist() == [False]
    assert EntropyRule(threshold=0.8114)(2 * odds, 2).tolist() == [True]
    assert EntropyRule(threshold=0.8112)(2 * odds, 2).tolist() == [False]
    assert EntropyRule(threshold=0.999)(SUM_NK, 1).tolist() == [True, False]


def test_max_probability_rule_by_hand() -> None:
    odds = torch.tensor([[math.log(3.0), 0.0]])  # 3 : 1
    assert MaxProbabilityRule(threshold=0.7499)(odds, 1).tolist() == [True]
    assert MaxProbabilityRule(threshold=0.7501)(odds, 1).tolist() == [False]
    assert MaxProbabilityRule(threshold=0.7501)(3 * odds, 3).tolist() == [False]


@pytest.mark.parametrize("rule", [EntropyRule, MaxProbabilityRule])
def test_thresholds_out_of_range(rule: type) -> None:
    with pytest.raises(UserError, match=r"threshold=1\.5; need a value from 0 to 1"):
        rule(threshold=1.5)
