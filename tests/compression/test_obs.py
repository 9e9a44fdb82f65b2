"""Optimal brain surgeon: the inverse stays the inverse, choices are the greedy ones, weights that stay are the least-squares ones."""

import pytest
import torch
from torch import Tensor

import snn5.compression._obs as obs
from snn5.compression._obs import cheapest, compensate, remove_weights, rows_at_once


def problem(d: int = 12, rows: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Weights, and the H of correlated inputs."""
    draw = torch.Generator().manual_seed(seed)
    z_BD = torch.randn(50, d, generator=draw, dtype=torch.float64) @ torch.randn(d, d, generator=draw, dtype=torch.float64)
    return torch.randn(rows, d, generator=draw, dtype=torch.float64), 2 * z_BD.T @ z_BD / 50 + 0.1 * torch.eye(d, dtype=torch.float64)


def one_by_one(w_D: Tensor, inverse_DD: Tensor, steps: int) -> tuple[list[int], list[float], Tensor, Tensor]:
    """The equations of the module's docstring as they stand: order, losses, weights, inverse (gone rows and columns 0)."""
    w_D, inverse_DD, order, losses = w_D.clone(), inverse_DD.clone(), [], []
    for _ in range(steps):
        costs = {p: (w_D[p] ** 2 / inverse_DD[p, p]).item() for p in range(len(w_D)) if p not in order}
        p = min(costs, key=lambda p: costs[p])
        pivot, column = inverse_DD[p, p].clone(), inverse_DD[:, p].clone()
        w_D = w_D - w_D[p] / pivot * column
        inverse_DD = inverse_DD - torch.outer(column, column) / pivot
        order.append(p)
        losses.append(costs[p] / 2)
    return order, losses, w_D, inverse_DD


@pytest.mark.parametrize("flush", [1, 3, 64])
@pytest.mark.parametrize("steps", [0, 1, 7, 12])
def test_same_as_one_weight_at_a_time(monkeypatch: pytest.MonkeyPatch, flush: int, steps: int) -> None:
    monkeypatch.setattr(obs, "_FLUSH", flush)
    w_RD, h_DD = problem()
    inverse_DD = torch.linalg.inv(h_DD)
    trace = remove_weights(w_RD, inverse_DD, steps)
    for row, w_D in enumerate(w_RD):
        order, losses, left_D, _ = one_by_one(w_D, inverse_DD, steps)
        assert trace.order_RK[row].tolist() == order
        assert trace.loss_RK[row].tolist() == pytest.approx(losses, rel=1e-9)
        assert torch.allclose(trace.w_RA[row], left_D[trace.kept_RA[row]], rtol=0, atol=1e-10)


@pytest.mark.parametrize("flush", [2, 64])
def test_inverse_identity(monkeypatch: pytest.MonkeyPatch, flush: int) -> None:
    """Spec P4.3 test 1: what is left of the inverse is the inverse of what is left, to 1e-10."""
    monkeypatch.setattr(obs, "_FLUSH", flush)
    w_RD, h_DD = problem(d=40)
    trace = remove_weights(w_RD, torch.linalg.inv(h_DD), 25)
    for row, kept in enumerate(trace.kept_RA):
        assert sorted([*kept.tolist(), *trace.order_RK[row].tolist()]) == list(range(40))
        assert (trace.inverse_RAA[row] @ h_DD[kept[:, None], kept] - torch.eye(15)).abs().max() < 1e-10


def test_by_hand() -> None:
    """H = [[2, 1], [1, 2]], H^-1 = [[2, -1], [-1, 2]] / 3, w = (1, 2): costs 1 and 4 over 2/3. The first goes at a loss of 3/4 and the
    second takes over half of it; then it goes, too, at 2.5^2 / (2 / 2)."""
    h_DD = torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    w_RD = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    trace = remove_weights(w_RD, torch.linalg.inv(h_DD), 2)
    assert trace.order_RK.tolist() == [[0, 1]]
    assert trace.loss_RK[0].tolist() == pytest.approx([0.75, 6.25])
    made = compensate(w_RD, h_DD, torch.tensor([[False, True]]))
    assert made[0].tolist() == pytest.approx([0.0, 2.5])


def test_group_update_leaves_no_gradient() -> None:
    """Spec P4.3 test 3; and it equals the formula with H^-1, and what one weight after the other ends at."""
    w_RD, h_DD = problem(d=30, rows=4)
    inverse_DD = torch.linalg.inv(h_DD)
    trace = remove_weights(w_RD, inverse_DD, 18)
    keep_RD = torch.ones_like(w_RD, dtype=torch.bool).scatter(1, trace.order_RK, False)
    made_RD = compensate(w_RD, h_DD, keep_RD)
    assert (made_RD[~keep_RD] == 0).all()
    gradient_RD = (made_RD - w_RD) @ h_DD
    assert gradient_RD[keep_RD].abs().max() < 1e-8 * gradient_RD.abs().max()
    for row in range(4):
        p = (~keep_RD[row]).nonzero()[:, 0]
        change_D = -inverse_DD[:, p] @ torch.linalg.solve(inverse_DD[p[:, None], p], w_RD[row, p])
        assert torch.allclose(made_RD[row], w_RD[row] + change_D, atol=1e-9)
        assert torch.allclose(made_RD[row, trace.kept_RA[row]], trace.w_RA[row], atol=1e-9)


def test_no_mask_beats_the_greedy_one_weight_mask() -> None:
    w_RD, h_DD = problem(d=9, rows=1)
    error = {}
    for p in range(9):
        keep_RD = torch.ones(1, 9, dtype=torch.bool)
        keep_RD[0, p] = False
        change = compensate(w_RD, h_DD, keep_RD) - w_RD
        error[p] = (0.5 * (change @ h_DD * change).sum()).item()
    trace = remove_weights(w_RD, torch.linalg.inv(h_DD), 1)
    assert trace.order_RK.item() == min(error, key=lambda p: error[p])
    assert trace.loss_RK.item() == pytest.approx(min(error.values()), rel=1e-9)


def test_rows_do_not_see_each_other() -> None:
    """Spec P4.3 test 8: another order of the rows, or one at a time, gives the same rows."""
    w_RD, h_DD = problem(d=20, rows=5)
    inverse_DD, order = torch.linalg.inv(h_DD), torch.tensor([3, 0, 4, 1, 2])
    all_, turned = remove_weights(w_RD, inverse_DD, 20), remove_weights(w_RD[order], inverse_DD, 20)
    assert torch.equal(all_.order_RK[order], turned.order_RK)
    alone = torch.cat([remove_weights(row, inverse_DD, 20).order_RK for row in w_RD.split(1)])
    assert torch.equal(all_.order_RK, alone)


@pytest.mark.parametrize("rising", [True, False])
def test_merging_takes_the_cheapest_next_weight_of_all_rows(rising: bool) -> None:
    """Against a heap; where losses fall within a row, one that has begun to fall is taken at once, as the heap takes it."""
    draw = torch.Generator().manual_seed(1)
    loss_RK = torch.rand(4, 6, generator=draw, dtype=torch.float64)
    order_RK = torch.stack([torch.randperm(6, generator=draw) for _ in range(4)])
    if rising:
        loss_RK = loss_RK.sort(1).values
    for count in range(25):
        found = cheapest(order_RK, loss_RK, count, 6)
        assert int((~found).sum()) == count
        assert torch.equal(found, heap(order_RK, loss_RK, count)), count


def heap(order_RK: Tensor, loss_RK: Tensor, count: int) -> Tensor:
    keep = torch.ones_like(order_RK, dtype=torch.bool)
    position = [0] * len(order_RK)
    for _ in range(count):
        row = min((r for r in range(len(order_RK)) if position[r] < order_RK.shape[1]), key=lambda r: loss_RK[r, position[r]].item())
        keep[row, order_RK[row, position[row]]] = False
        position[row] += 1
    return keep


def test_quotas_of_blocks_are_kept() -> None:
    """Blocks of 4, two of each may go: after 6 steps of 12 columns every block has lost two, and never more before."""
    w_RD, h_DD = problem(d=12, rows=6)
    group_D = torch.arange(12) // 4
    trace = remove_weights(w_RD, torch.linalg.inv(h_DD), 6, group_D=group_D, quota_G=torch.tensor([2, 2, 2]))
    for order in trace.order_RK:
        assert torch.bincount(group_D[order], minlength=3).tolist() == [2, 2, 2]
    free = remove_weights(w_RD, torch.linalg.inv(h_DD), 6)
    assert not torch.equal(free.order_RK, trace.order_RK)  # the limit matters here


def test_memory_of_rows() -> None:
    assert rows_at_once(4608, 2**20) == 1
    assert rows_at_once(100, 24 * 100**2 * 7) == 7
