"""The pool of spikes: a logical OR over a window, with a gradient that does not depend on who comes first.

    O = min(sum of S in the window, 1)      dO/dS_i = 1 where the sum is at most 1, else 0

A max-pool answers the same, but its gradient goes to one of the tied inputs, in a silent window always to the first. Here all that could
change the answer learn: each input of a silent window would make it 1. For real numbers (an ANN twin) it is the max-pool.
"""

import torch.nn.functional as F
from spikingjelly.activation_based import functional
from torch import Tensor, nn


class OrPool2d(nn.Module):
    """Windows of `size` x `size`, as far apart; rows and columns that fill no window are left out. Spikes s_TNCHW -> spikes."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, s_TNCHW: Tensor) -> Tensor:
        """-> s_TNC(H // size)(W // size), 1 where any of the window is."""
        pooled: Tensor = functional.seq_to_ann_forward(s_TNCHW, lambda s_BCHW: F.avg_pool2d(s_BCHW, self.size, divisor_override=1))
        return pooled.clamp(max=1)

    def extra_repr(self) -> str:
        return f"{self.size}"
