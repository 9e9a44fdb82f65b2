"""N:M sparsity: of every M weights side by side, at most N are not zero.

Side by side means neighbouring input channels at one position of the kernel (neighbouring inputs, for a linear layer): what hardware that
skips in blocks reads together. A last block of fewer than M keeps up to N like any other.
"""

import torch
from torch import Tensor, nn

from snn5.errors import UserError


def check(pattern: tuple[int, int]) -> None:
    """Raises UserError unless it is (N, M) with 1 <= N < M."""
    n, m = pattern
    if not 1 <= n < m:
        raise UserError(f"pattern={n}:{m}; need N:M with 1 <= N < M, e.g. (2, 4)")


def blocks(module: nn.Module, pattern: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The block of each column of the weight matrix [d], and how many weights of a row each block must lose [G]."""
    n, m = pattern
    channels, *kernel = module.weight.shape[1:]
    positions = int(torch.Size(kernel).numel())
    group_CK = (torch.arange(channels) // m)[:, None] * positions + torch.arange(positions)
    group_D = group_CK.flatten().to(module.weight.device)
    return group_D, (torch.bincount(group_D) - n).clamp_min(0)


def smallest_in_blocks(size_RD: Tensor, group_D: Tensor, quota_G: Tensor) -> Tensor:
    """The mask (True: stays) that loses each block's smallest, as many as its quota says: [R, d]."""
    keep_RD = torch.ones_like(size_RD, dtype=torch.bool)
    for group, quota in enumerate(quota_G.tolist()):
        columns = (group_D == group).nonzero()[:, 0]
        going = size_RD[:, columns].argsort(dim=1, stable=True)[:, :quota]
        keep_RD.scatter_(1, columns[going], False)
    return keep_RD
