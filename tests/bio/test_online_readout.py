"""The delta rule."""

import pytest
import torch

from snn5.bio import delta_rule, fit, fit_online, ridge
from snn5.errors import UserError


def test_two_samples_by_hand() -> None:
    """mean |x|^2 = 1, so eta = 0.5 / 2 = 0.25 in the first pass. Sample 1: e = 1; sample 2: e = -1 - 0.25."""
    found = delta_rule(torch.eye(2), torch.tensor([[1.0], [-1.0]]), epochs=1, rate=0.5)
    assert found.weight_pK.tolist() == [[0.25], [-0.3125]] and found.bias_K.tolist() == [0.25 - 0.3125]


def test_weight_decay_by_hand() -> None:
    """One feature, |x|^2 = 1, eta = 0.25, alpha / N = 2: W = 0.25, then 0.25 (1 - 0.5) + 0.25 e with e = 1 - 0.5."""
    found = delta_rule(torch.ones(2, 1), torch.ones(2, 1), epochs=1, rate=0.5, alpha=4.0)
    assert found.weight_pK.item() == 0.25


@pytest.mark.parametrize("alpha", [0.0, 20.0])
def test_approaches_ridge_regression(alpha: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 4, dtype=torch.float64, generator=generator)
    y = x @ torch.randn(4, 2, dtype=torch.float64, generator=generator) + 1.0 + 0.1 * torch.randn(200, 2, generator=generator)
    exact = ridge(x, y, max(alpha, 1e-9))
    learned = delta_rule(x, y, epochs=60, alpha=alpha)
    torch.testing.assert_close(learned.weight_pK, exact.weight_pK, rtol=0, atol=0.02)
    torch.testing.assert_close(learned.bias_K, exact.bias_K, rtol=0, atol=0.02)
    other = ridge(x, y, 100.0)
    assert (learned.weight_pK - other.weight_pK).abs().max() > 0.05  # the tolerance can tell penalties apart


def test_classifies_as_the_closed_form_does() -> None:
    generator = torch.Generator().manual_seed(1)
    y = torch.arange(120) % 3
    x = 5 + torch.randn(120, 10, generator=generator) + 2.0 * torch.nn.functional.one_hot(y, 10)
    agree = (fit_online(x, y, 3)(x).argmax(1) == fit(x, y, 3)(x).argmax(1)).float().mean()
    assert agree > 0.95


@pytest.mark.parametrize(("rate", "epochs"), [(2.0, 1), (0.0, 1), (0.5, 0)])
def test_out_of_range(rate: float, epochs: int) -> None:
    with pytest.raises(UserError, match=f"rate={rate}, epochs={epochs}"):
        delta_rule(torch.eye(2), torch.eye(2), rate=rate, epochs=epochs)


def test_a_run_in_two_parts_gives_the_same_bits() -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(20, 3, generator=generator), torch.randn(20, 2, generator=generator)
    whole = delta_rule(x, y, epochs=3, alpha=0.5)
    for middle in (1, 20, 33, 60):
        half = delta_rule(x, y, epochs=3, alpha=0.5, end=middle)
        rest = delta_rule(x, y, epochs=3, alpha=0.5, start=half, begin=middle)
        assert torch.equal(rest.weight_pK, whole.weight_pK) and torch.equal(rest.bias_K, whole.bias_K)
    assert not torch.equal(half.weight_pK, delta_rule(x, y, epochs=3, alpha=0.5, end=33).weight_pK)


def test_a_part_that_does_not_fit() -> None:
    x, y = torch.ones(2, 1), torch.ones(2, 1)
    with pytest.raises(UserError, match="presentations 0 to 5 of 4"):
        delta_rule(x, y, epochs=2, end=5)
    with pytest.raises(UserError, match="presentations 1 to 4 of 4; a part begins at 0, or where the `start`"):
        delta_rule(x, y, epochs=2, begin=1)
