"""Batches in memory: uint8 samples to floats, in order or in an order that is passed in."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from snn5.datasets import Split

_LARGEST = 2**24  # values of a batch in evaluation: 64 MiB of floats


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
    """All samples, in order, `size` at a time; fewer where samples are so large that a batch would pass 64 MiB."""
    size = max(1, min(size, _LARGEST // max(1, data.x_NTCHW[:1].numel())))
    for start in range(0, len(data), size):
        yield data.batch(torch.arange(start, min(start + size, len(data)), device=data.y_N.device))


def cut(order_N: Tensor, size: int, smallest: int = 2) -> list[Tensor]:
    """`order_N` in pieces of `size`; a last one of fewer than `smallest` is left out: batch norm cannot use one sample."""
    return [index for index in order_N.split(size) if len(index) >= smallest]
