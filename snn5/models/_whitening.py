"""Whitening of image patches: a fixed first layer whose outputs are uncorrelated and of equal spread over the training images.

    C = mean of (p - m)(p - m)^T over patches p of mean m      C = sum_i l_i e_i e_i^T      w_i = e_i / sqrt(l_i + eps)

Patches are k x k pixels of all channels. The mean stays in the outputs: the norm behind takes it away. Eigenvalues come largest first; of e
and -e the one is taken whose largest component is positive, so that the filters do not depend on the solver.
Source: Page, How to Train Your ResNet 8, 2019; Jordan, 2024, arXiv 2404.00498.
"""

import torch
from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.errors import UserError

EPS = 5e-4  # of images scaled to 0..1: keeps directions in which patches hardly differ from being blown up


class FixedConv2d(layer.Conv2d):
    """A convolution without bias whose weight is a buffer: set, kept in checkpoints, never trained. Steps are handled all at once.

    Args:
        n_in, n_out: channels. kernel: side in pixels. padding: pixels of zeros on each side.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, *, padding: int = 0) -> None:
        super().__init__(n_in, n_out, kernel, padding=padding, bias=False, step_mode="m")
        weight = self.weight.detach()
        del self.weight
        self.register_buffer("weight", weight)


@torch.no_grad()
def whitening(x_NCHW: Tensor, kernel: int, *, eps: float = EPS, chunk: int = 1024) -> Tensor:
    """The filters w for `x_NCHW`: [C k k, C, k, k].

    Args:
        x_NCHW: training images, float. kernel: k, side of a patch in pixels. eps: added to each eigenvalue. chunk: images at a time.

    Raises:
        UserError: no image, or patches that do not fit into it.
    """
    n, channels, height, width = x_NCHW.shape
    if not n or kernel > min(height, width):
        raise UserError(f"images of shape {list(x_NCHW.shape)} have no patches of {kernel} x {kernel} pixels")
    size, count = channels * kernel**2, n * (height - kernel + 1) * (width - kernel + 1)
    products, total = torch.zeros(size, size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
    for part_NCHW in x_NCHW.split(chunk):
        patches = nn.functional.unfold(part_NCHW.float(), kernel).transpose(1, 2).reshape(-1, size)
        products, total = products + (patches.T @ patches).double().cpu(), total + patches.sum(0).double().cpu()
    values, vectors = torch.linalg.eigh(products / count - torch.outer(total, total) / count**2)
    vectors = vectors.flip(1).T  # rows, largest eigenvalue first
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    filters = vectors * largest.sign() / (values.flip(0)[:, None] + eps).sqrt()
    return filters.reshape(size, channels, kernel, kernel).to(x_NCHW)
