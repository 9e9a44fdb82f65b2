"""R1 to R3 by hand."""

import pytest
import torch

from snn5.bio.reproducibility import Outcome, agreement, grade, kappa
from snn5.errors import UserError

LABEL_N = torch.tensor([0, 0, 1, 1, 2, 2, 0, 1, 2, 0])


def outcome(wrong: int, shift: int = 1) -> Outcome:
    """The first `wrong` answers are the class after the label."""
    prediction_N = LABEL_N.clone()
    prediction_N[:wrong] = (prediction_N[:wrong] + shift) % 3
    return Outcome(prediction_N, LABEL_N, 0.5, {"predictions": str(wrong)})


def test_accuracy() -> None:
    assert [outcome(wrong).accuracy for wrong in (0, 3, 10)] == [1.0, 0.7, 0.0]


def test_kappa_by_hand() -> None:
    """Agreement 3/4; shares (1/2, 1/2) and (3/4, 1/4): by chance 1/2; (3/4 - 1/2) / (1/2) = 1/2."""
    one, other = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 1])
    assert agreement(one, other) == 0.75
    assert kappa(one, other) == kappa(other, one) == 0.5
    assert kappa(one, one) == 1.0
    assert kappa(one, 1 - one) == -1.0
    assert kappa(torch.zeros(4).long(), torch.zeros(4).long()) == 1.0


def test_grade_by_hand() -> None:
    """Accuracies 1, 0.9, 0.8: mean 0.9, sd 0.1; they agree on 9, 8 and 9 of ten; two of three reach 0.9."""
    found = grade([outcome(0), outcome(1), outcome(2)], 0.9)
    assert found["test/acc"] == pytest.approx(0.9) and found["test/acc_sd"] == pytest.approx(0.1) and found["test/acc_min"] == 0.8
    assert (found["r1/successes"], found["r1/observed"]) == (2, pytest.approx(2 / 3))
    assert found["r1/proved"] == pytest.approx(0.1353, abs=1e-4)  # P(at least 2 of 3) = 3 p^2 - 2 p^3 = 0.05
    assert found["r2/steadiness"] == pytest.approx(1 - 0.1 / 0.9)
    assert found["r3/agreement"] == pytest.approx((0.9 + 0.8 + 0.9) / 3)
    assert (found["n_seeds"], found["n_test"]) == (3, 10)


def test_two_that_are_wrong_in_other_ways_do_not_agree() -> None:
    assert grade([outcome(10), outcome(10, shift=2)], 0.5)["r3/agreement"] == 0.0
    assert grade([outcome(10), outcome(10)], 0.5)["r3/agreement"] == 1.0  # wrong, but alike


def test_what_cannot_be_graded() -> None:
    with pytest.raises(UserError, match=r"1 training\(s\); a spread and an agreement need at least two seeds"):
        grade([outcome(0)], 0.9)
    other = outcome(0)._replace(label_N=LABEL_N.flip(0))
    with pytest.raises(UserError, match="tested on different samples"):
        grade([outcome(0), other], 0.9)
