"""Batches in memory: uint8 samples to floats, shuffled and shifted by a generator that is passed in."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from snn5.datasets import Split


@dataclass(frozen=True, kw_only=True)
class Samples:
    """A split on a device: x_NTCHW uint8 (samples first, so that batches are slices), y_N, the value that stands for 1.0."""

    x_NTCHW: Tensor
    y_N: Tensor
    scale: float

    def __len__(self) -> int:
        return len(self.y_N)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """x_TNCHW float (0..1 for intensities), y_N."""
        x_NTCHW = self.x_NTCHW[index].to(torch.float32) / self.scale
        return x_NTCHW.transpose(0, 1).contiguous(), self.y_N[index]


def samples(split: Split, device: torch.device | str = "cpu") -> Samples:
    """Put a split on `device`."""
    x_NTCHW = torch.from_numpy(split.x_TNCHW).transpose(0, 1).contiguous()
    return Samples(x_NTCHW=x_NTCHW.to(device), y_N=torch.from_numpy(split.y_N).to(device), scale=float(split.info.get("scale", 1.0)))


def in_order(data: Samples, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """All samples, in order."""
    for start in range(0, len(data), size):
        yield data.batch(torch.arange(start, min(start + size, len(data)), device=data.y_N.device))


def shuffled(data: Samples, size: int, generator: torch.Generator, shift_pixels: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """All samples once, in random order, each moved by up to `shift_pixels` in x and y.

    A last batch of one sample is left out: batch norm cannot use it.
    """
    order = torch.randperm(len(data), generator=generator)
    for index in order.split(size):
        if len(index) < 2:
            continue
        x_TNCHW, y_N = data.batch(index.to(data.y_N.device))
        yield (shift(x_TNCHW, shift_pixels, generator) if shift_pixels else x_TNCHW), y_N


def shift(x_TNCHW: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Move each sample (all its steps alike) by a random whole number of pixels from -`pixels` to `pixels`; what comes in is zero."""
    _, n, _, height, width = x_TNCHW.shape
    moves_N2 = torch.randint(0, 2 * pixels + 1, (n, 2), generator=generator).to(x_TNCHW.device)
    padded = torch.nn.functional.pad(x_TNCHW, (pixels, pixels, pixels, pixels))
    rows_NH = moves_N2[:, :1] + torch.arange(height, device=x_TNCHW.device)
    columns_NW = moves_N2[:, 1:] + torch.arange(width, device=x_TNCHW.device)
    sample_N = torch.arange(n, device=x_TNCHW.device)
    # Advanced indexing moves the indexed axes to the front: [N, H, W, T, C].
    moved = padded.permute(1, 3, 4, 0, 2)[sample_N[:, None, None], rows_NH[:, :, None], columns_NW[:, None, :]]
    return moved.permute(3, 0, 4, 1, 2).contiguous()
