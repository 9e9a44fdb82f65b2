"""Ridge regression against other ways to the same solution."""

import pytest
import torch
from torch import Tensor

from snn5.bio import accuracy, fit, gcv, ridge
from snn5.bio._readout import ALPHAS, one_hot, standardise
from snn5.errors import UserError


def problem(n: int, p: int, classes: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, p, dtype=torch.float64, generator=generator) + 3.0
    return x, x[:, :classes] + 0.5 * torch.randn(n, classes, dtype=torch.float64, generator=generator)


SHAPES = [(40, 10), (10, 40), (25, 25)]


@pytest.mark.parametrize(("n", "p"), SHAPES)
@pytest.mark.parametrize("alpha", [1e-2, 1.0, 50.0])
def test_equals_least_squares_of_the_augmented_system(n: int, p: int, alpha: float) -> None:
    x, y = problem(n, p)
    centred = torch.cat([x - x.mean(0), alpha**0.5 * torch.eye(p, dtype=x.dtype)])
    target = torch.cat([y - y.mean(0), torch.zeros(p, y.shape[1], dtype=y.dtype)])
    expected = torch.linalg.lstsq(centred, target).solution
    found = ridge(x, y, alpha)
    torch.testing.assert_close(found.weight_pK, expected, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(found(x).mean(0), y.mean(0), rtol=1e-10, atol=1e-10)


def test_primal_equals_dual() -> None:
    """The form is chosen by the shape; an added feature of zeros changes the shape and nothing else."""
    x, y = problem(20, 20)
    wide = torch.cat([x, torch.zeros(20, 1, dtype=x.dtype)], dim=1)
    primal, dual = ridge(x, y, 0.3), ridge(wide, y, 0.3)
    torch.testing.assert_close(dual.weight_pK[:20], primal.weight_pK, rtol=1e-8, atol=1e-10)
    assert not dual.weight_pK[20].any()


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_gradient_vanishes_at_the_solution(n: int, p: int) -> None:
    x, y = problem(n, p)
    found = ridge(x, y, 2.0)
    residual = y - found(x)
    torch.testing.assert_close(x.T @ residual, 2.0 * found.weight_pK, rtol=1e-8, atol=1e-8)  # dE/dW = 0
    torch.testing.assert_close(residual.sum(0), torch.zeros(3, dtype=x.dtype), rtol=0, atol=1e-8)  # dE/db = 0


def test_intercept_is_not_penalised() -> None:
    x, y = problem(30, 5)
    here, there = ridge(x, y, 10.0), ridge(x, y + 100.0, 10.0)
    torch.testing.assert_close(there.weight_pK, here.weight_pK)
    torch.testing.assert_close(there.bias_K, here.bias_K + 100.0)
    infinite = ridge(x, y, 1e14)
    assert infinite.weight_pK.abs().max() < 1e-10
    torch.testing.assert_close(infinite.bias_K, y.mean(0))


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_gcv_equals_its_definition(n: int, p: int) -> None:
    """With the hat matrix written out."""
    x, y = problem(n, p)
    for alpha, found in zip((0.1, 1.0, 30.0), gcv(x, y, (0.1, 1.0, 30.0)), strict=True):
        basis = torch.eye(n, dtype=x.dtype)
        hat = torch.stack([ridge(x, column[:, None], alpha)(x)[:, 0] for column in basis], dim=1)
        residual = y - hat @ y
        assert found == pytest.approx(float(n * (residual**2).sum() / (n - hat.trace()) ** 2), rel=1e-8)


def test_fit_takes_the_alpha_of_least_error() -> None:
    generator = torch.Generator().manual_seed(3)
    y = torch.arange(90) % 3
    x = torch.randn(90, 60, generator=generator) + 2.0 * torch.nn.functional.one_hot(y, 60)
    chosen = fit(x, y, 3)
    errors = gcv(standardise(x)(x), one_hot(y, 3))
    assert chosen.alpha == ALPHAS[errors.index(min(errors))] and 1e-4 < chosen.alpha < 1e3
    assert ALPHAS[0] == pytest.approx(1e-4) and ALPHAS[-1] == pytest.approx(1e3) and len(ALPHAS) == 15
    assert fit(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]), 2).alpha == pytest.approx(1e3)  # all equal: the strongest


def test_fit_takes_raw_features() -> None:
    x, _ = problem(60, 8)
    y = (x[:, 0] > 3).long()
    scale = standardise(x)
    chosen = fit(x, y, 2)
    torch.testing.assert_close(chosen(x), ridge(scale(x), one_hot(y, 2), chosen.alpha)(scale(x)))
    shifted = fit(100 * x + 7, y, 2)  # the units of a feature do not matter
    torch.testing.assert_close(shifted(100 * x + 7), chosen(x))
    assert chosen.macs == 16 and accuracy(chosen(x), y) > 0.9


def test_standardise_uses_only_its_own_set() -> None:
    x = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    scale = standardise(x)
    assert scale(x).tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert scale(torch.tensor([[5.0, 9.0]])).tolist() == [[3.0, 0.0]]  # a feature that was constant stays out
    assert standardise(torch.full((7, 1), 0.1))(torch.full((1, 1), 0.1)).item() == 0.0


def test_one_hot_and_accuracy_by_hand() -> None:
    assert one_hot(torch.tensor([2, 0]), 3).tolist() == [[-1, -1, 1], [1, -1, -1]]
    assert accuracy(torch.tensor([[0.2, 0.9], [0.3, 0.1], [0.0, 1.0]]), torch.tensor([1, 1, 1])) == pytest.approx(2 / 3)


def test_errors() -> None:
    x, y = problem(5, 2, classes=2)
    with pytest.raises(UserError, match="alpha=0; ridge regression needs a positive penalty"):
        ridge(x, y, 0)
    with pytest.raises(UserError, match=r"got \[5, 2\] and \[4, 2\]"):
        ridge(x, y[:4], 1.0)
