"""The penalty chosen on whole groups left out: against ridge fitted the long way, and a case where single samples mislead."""

import pytest
import torch

from snn5.bio import accuracy, fit_grouped, leave_groups_out
from snn5.bio._readout import ALPHAS, gcv, one_hot, ridge, standardise
from snn5.errors import UserError


def grouped(groups: int = 6, each: int = 20, features: int = 30, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two classes told apart by one weak feature; every group adds an offset of its own, which differs by class too."""
    generator = torch.Generator().manual_seed(seed)
    group_N = torch.arange(groups).repeat_interleave(each)
    y_N = torch.arange(groups * each) % 2
    own = torch.randn(groups, 2, features, generator=generator, dtype=torch.float64)
    x_Np = own[group_N, y_N] + 0.3 * torch.randn(groups * each, features, generator=generator, dtype=torch.float64)
    x_Np[:, 0] += 2.0 * (2 * y_N - 1)
    return x_Np, y_N, group_N


@pytest.mark.parametrize("features", [5, 150])
def test_each_group_is_answered_by_a_ridge_of_the_others(features: int) -> None:
    """Fewer and more features than samples, against the read-out's own closed form."""
    x_Np, y_N, group_N = grouped(features=features)
    alphas = (0.1, 10.0, 1000.0)
    wanted = []
    for alpha in alphas:
        right = 0
        for group in range(6):
            out = group_N == group
            scale = standardise(x_Np[~out])
            read = ridge(scale(x_Np[~out]), one_hot(y_N[~out], 2), alpha).after(scale)
            right += round(accuracy(read(x_Np[out]), y_N[out]) * int(out.sum()))
        wanted.append(right / len(y_N))
    assert leave_groups_out(x_Np, y_N, group_N, 2, alphas) == wanted


def test_groups_ask_for_more_penalty_than_single_samples() -> None:
    x_Np, y_N, group_N = grouped(features=200)
    errors = gcv(standardise(x_Np)(x_Np), one_hot(y_N, 2))
    by_samples = ALPHAS[min(range(len(ALPHAS)), key=errors.__getitem__)]
    read, found = fit_grouped(x_Np, y_N, group_N, 2)
    assert read.alpha > by_samples
    assert found == max(leave_groups_out(x_Np, y_N, group_N, 2)) > leave_groups_out(x_Np, y_N, group_N, 2, (by_samples,))[0]


def test_of_equals_the_larger_penalty_is_taken() -> None:
    x_Np = torch.tensor([[-1.0], [1.0], [-1.0], [1.0]])
    read, found = fit_grouped(x_Np, torch.tensor([0, 1, 0, 1]), torch.tensor([0, 0, 1, 1]), 2, (1.0, 2.0))
    assert (read.alpha, found) == (2.0, 1.0)


def test_one_group_or_no_penalty_is_refused() -> None:
    x_Np, y_N, group_N = grouped()
    with pytest.raises(UserError, match="holds 1 group; leaving one out needs at least two"):
        leave_groups_out(x_Np, y_N, torch.zeros_like(group_N), 2)
    with pytest.raises(UserError, match=r"alphas=\[0.0\]; ridge regression needs positive penalties"):
        leave_groups_out(x_Np, y_N, group_N, 2, (0.0,))
