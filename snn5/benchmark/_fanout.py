"""Fan-out of every input element: how many products a layer makes with it, exact at the borders.

For y = W * x the fan-out of x_i is the number of (output, weight) pairs that x_i meets, which is d(sum y)/dx_i with every weight set to 1
(or to 1 where it is non-zero). Padding, stride, dilation, groups and every padding mode are thereby the layer's own.
"""

import torch
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def conv_fanout(layer: nn.Module, shape: torch.Size, weight: Tensor) -> Tensor:
    """d(sum of outputs)/d(input) of a convolution with kernel `weight`.

    Args:
        layer: Conv1d, Conv2d or Conv3d; gives stride, padding, dilation and groups.
        shape: of one input, [C, ...].
        weight: the kernel's 0/1 mask.

    Returns:
        float64 tensor of `shape`; whole numbers, exact below 2^53.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.ones(1, *shape, dtype=torch.float64, device=weight.device, requires_grad=True)
        out = layer._conv_forward(x, weight.to(torch.float64), None)
        (fanout,) = torch.autograd.grad(out.sum(), x)
    return fanout[0]


def linear_fanout(weight: Tensor) -> Tensor:
    """Number of ones in each column of the 0/1 mask [out, in]: [in]."""
    return weight.sum(0, dtype=torch.float64)
