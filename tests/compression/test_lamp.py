"""LAMP: scores by hand, budgets that add up, no layer emptied."""

import pytest
import torch

from snn5.compression._lamp import lamp_budgets, lamp_scores
from snn5.errors import UserError


def test_scores_by_hand() -> None:
    """Squares 1, 4, 9, 0 in rising order 0, 1, 4, 9: sums from there on 14, 14, 13, 9."""
    scores = lamp_scores(torch.tensor([[1.0, -2.0], [3.0, 0.0]]))
    assert scores.flatten().tolist() == pytest.approx([1 / 14, 4 / 13, 1.0, 0.0])
    assert lamp_scores(torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]


def test_budgets_by_hand() -> None:
    """Scores 1/14, 4/13, 1 and 0.5, 1: the two largest first (one a layer), then 0.5, 4/13, 1/14."""
    weights = {"a": torch.tensor([1.0, 2.0, 3.0]), "b": torch.tensor([5.0, -5.0])}
    found = [lamp_budgets(weights, keep) for keep in (2, 3, 4, 5)]
    assert found == [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}, {"a": 3, "b": 2}]


def test_scale_of_a_layer_does_not_matter() -> None:
    draw = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(4, 30, generator=draw) for name in "abc"}
    scaled = {name: 10.0**place * w for place, (name, w) in enumerate(weights.items())}
    for keep in (3, 40, 200, 360):
        budgets = lamp_budgets(weights, keep)
        assert budgets == lamp_budgets(scaled, keep) and sum(budgets.values()) == keep
        assert min(budgets.values()) >= 1


def test_zeros_go_first() -> None:
    weights = {"a": torch.tensor([1.0, 0.0, 0.0, 2.0]), "b": torch.tensor([1e-6, 3.0])}
    assert lamp_budgets(weights, 4) == {"a": 2, "b": 2}


@pytest.mark.parametrize("keep", [1, 5])
def test_out_of_range(keep: int) -> None:
    weights = {"a": torch.tensor([1.0, 0.0, 2.0]), "b": torch.tensor([1.0, 3.0])}
    with pytest.raises(UserError, match=rf"keep {keep} of 4 non-zero weights in 2 layers; need 2 \(one a layer\) to 4"):
        lamp_budgets(weights, keep)
