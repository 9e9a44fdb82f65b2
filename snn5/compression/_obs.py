"""Optimal brain surgeon, row by row and exact: which weight costs least, and how the others make up for it.

A row w of a layer has the error (w - w0)^T H (w - w0) / 2. Again and again, over the weights that are left,

    p = argmin_p w_p^2 / [H^-1]_pp                        loss  w_p^2 / (2 [H^-1]_pp)
    w    <- w - (w_p / [H^-1]_pp) H^-1_{:,p}
    H^-1 <- H^-1 - H^-1_{:,p} H^-1_{p,:} / [H^-1]_pp      the inverse of H without row and column p

All rows start from the same H^-1 and go in step. The rank-one updates are gathered, `_FLUSH` at a time, into one matrix product (so each
choice is the exact one, at the speed of a product), and rows and columns that are gone are cut off, a quarter at a time, since moving what
is left costs as much as several updates: about d^3 operations a row.
The order is only used to choose the mask; `compensate` then solves for the weights that stay, in one step, free of the order's rounding.
Source: Frantar, Singh, Alistarh, Optimal Brain Compression, NeurIPS 2022, arXiv 2208.11580; with SBC's H it is SBC (arXiv 2506.03996).
"""

from typing import NamedTuple

import torch
from torch import Tensor

_FLUSH = 64
_CUT = 0.75  # of the columns are left: the others are cut off


class Trace(NamedTuple):
    """What `remove_weights` did to R rows: K weights gone from each, A left.

    order_RK: columns in the order they went. loss_RK: what each cost. kept_RA: the columns that are left, rising. w_RA: their weights.
    inverse_RAA: the inverse of H on them.
    """

    order_RK: Tensor
    loss_RK: Tensor
    kept_RA: Tensor
    w_RA: Tensor
    inverse_RAA: Tensor


def rows_at_once(inputs: int, memory_bytes: int) -> int:
    """How many rows fit: each has an inverse and, while that is cut, two smaller copies (float64)."""
    return max(1, memory_bytes // (3 * 8 * inputs**2))


def remove_weights(w_RD: Tensor, inverse_DD: Tensor, steps: int, *, group_D: Tensor | None = None, quota_G: Tensor | None = None) -> Trace:
    """Take `steps` weights out of every row.

    Args:
        w_RD: weights, float64. inverse_DD: H^-1, float64, positive definite.
        steps: K, 0 to d.
        group_D, quota_G: no more than quota_G[g] weights of group g may go (N:M), and the quotas add up to `steps`; None: no limit.
    """
    rows, d = w_RD.shape
    each_R = torch.arange(rows, device=w_RD.device)
    kept_RA = torch.arange(d, device=w_RD.device).repeat(rows, 1)
    gone_RA = torch.zeros_like(kept_RA, dtype=torch.bool)
    w_RA, inverse_RAA = w_RD.clone(), inverse_DD.repeat(rows, 1, 1)
    room_RG = None if quota_G is None else quota_G.repeat(rows, 1)
    order: list[Tensor] = []
    loss: list[Tensor] = []
    while len(order) < steps:
        u_RBA = w_RA.new_zeros(rows, min(_FLUSH, steps - len(order)), kept_RA.shape[1])
        diagonal_RA = inverse_RAA.diagonal(dim1=1, dim2=2).masked_fill(gone_RA, 1.0)
        for k in range(u_RBA.shape[1]):
            barred_RA = gone_RA
            if room_RG is not None and group_D is not None:
                barred_RA = gone_RA | (room_RG.gather(1, group_D[kept_RA]) == 0)
            p_R1 = (w_RA**2 / diagonal_RA).masked_fill(barred_RA, torch.inf).argmin(1, keepdim=True)
            p_R = p_R1[:, 0]
            pivot_R1, w_R1 = diagonal_RA.gather(1, p_R1), w_RA.gather(1, p_R1)
            column_RA = inverse_RAA[each_R, p_R]  # its row: H^-1 is symmetric, and a row lies in one piece
            if k:
                at_p_R1B = u_RBA[each_R, :k, p_R][:, None]
                column_RA = column_RA - torch.bmm(at_p_R1B, u_RBA[:, :k])[:, 0]
            root_R1 = pivot_R1.sqrt()
            u_RA = column_RA / root_R1
            u_RBA[:, k] = u_RA
            w_RA = (w_RA - u_RA * (w_R1 / root_R1)).scatter(1, p_R1, 0.0)
            gone_RA = gone_RA.scatter(1, p_R1, True)
            diagonal_RA = (diagonal_RA - u_RA**2).masked_fill(gone_RA, 1.0)
            order.append(kept_RA.gather(1, p_R1))
            loss.append(w_R1**2 / (2 * pivot_R1))
            if room_RG is not None and group_D is not None:
                room_RG.scatter_add_(1, group_D[order[-1]], torch.full_like(p_R1, -1))
        inverse_RAA.baddbmm_(u_RBA.transpose(1, 2), u_RBA, alpha=-1)
        left = d - len(order)
        if len(order) == steps or left <= _CUT * kept_RA.shape[1]:
            stay_RA = (~gone_RA).nonzero()[:, 1].view(rows, left)
            kept_RA, w_RA, gone_RA = (x_RA.gather(1, stay_RA) for x_RA in (kept_RA, w_RA, gone_RA))
            inverse_RAA = torch.stack([one[stay][:, stay] for one, stay in zip(inverse_RAA, stay_RA, strict=True)])
    none_R0 = w_RD.new_zeros(rows, 0)
    return Trace(
        order_RK=torch.cat(order, 1) if order else none_R0.long(),
        loss_RK=torch.cat(loss, 1) if loss else none_R0,
        kept_RA=kept_RA,
        w_RA=w_RA,
        inverse_RAA=inverse_RAA,
    )


def cheapest(order_RK: Tensor, loss_RK: Tensor, count: int, inputs: int) -> Tensor:
    """The mask (True: stays) of a layer that loses the `count` cheapest weights over all rows, each row in its own order: [R, d].

    A row whose next weight is cheaper than the one before it loses both at once: losses are compared by their running maximum, which is
    what taking the cheapest next weight of all rows, again and again, amounts to.
    """
    worth_RK = loss_RK.cummax(1).values
    chosen = worth_RK.flatten().argsort(stable=True)[:count]
    lost_R = torch.bincount(chosen // max(1, loss_RK.shape[1]), minlength=len(loss_RK))
    goes_RK = torch.arange(loss_RK.shape[1], device=lost_R.device) < lost_R[:, None]
    keep_RD = torch.ones(len(loss_RK), inputs, dtype=torch.bool, device=lost_R.device)
    return keep_RD.scatter(1, order_RK, ~goes_RK)


def compensate(w_RD: Tensor, h_DD: Tensor, keep_RD: Tensor) -> Tensor:
    """The best weights under a mask: those that stay take over what the others did.

        w_A <- H_AA^-1 (H w)_A = w_A - H^-1_AP ([H^-1]_PP)^-1 w_P,     w_P <- 0

    with A the columns that stay and P those that go; the gradient H (w - w0) is then 0 on A.

    Args:
        w_RD: weights before. h_DD: H, positive definite. keep_RD: True where a weight stays.
    """
    return torch.where(keep_RD.all(1, keepdim=True), w_RD, solve_masked(w_RD @ h_DD, h_DD, keep_RD))


def solve_masked(target_RD: Tensor, h_DD: Tensor, keep_RD: Tensor) -> Tensor:
    """w with w_A = H_AA^-1 target_A and w_P = 0, row by row."""
    made_RD = torch.zeros_like(target_RD)
    for row, keep_D in enumerate(keep_RD):
        a = keep_D.nonzero()[:, 0]
        if len(a):
            factor = torch.linalg.cholesky(h_DD[a[:, None], a])
            made_RD[row, a] = torch.cholesky_solve(target_RD[row, a, None], factor)[:, 0]
    return made_RD
