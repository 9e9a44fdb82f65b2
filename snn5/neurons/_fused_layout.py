"""Tensors as the flat numpy arrays that kernels walk through, in whatever order their memory has."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

DTYPES = (torch.float32, torch.bfloat16)


class Rows(NamedTuple):
    """A sequence in memory: step t's numbers are memory[t * stride : t * stride + size], in the order of `strides`."""

    memory: Tensor  # 1-d
    stride: int
    size: int
    strides: tuple[int, ...]


def suits(x_TN: Tensor) -> bool:
    """Whether a kernel can read it: a plain dense CPU tensor [T, N, ...] of at least one step, float32 or bfloat16."""
    return (
        type(x_TN) is Tensor
        and x_TN.device.type == "cpu"
        and x_TN.dtype in DTYPES
        and x_TN.layout == torch.strided
        and x_TN.ndim > 1
        and len(x_TN) > 0
    )


def rows(x_TN: Tensor) -> tuple[Tensor, Rows]:
    """x_TN, copied if its steps have gaps in memory, and its rows. Steps may share their memory (`expand`)."""
    if not x_TN.is_contiguous() and not _is_dense(x_TN.shape[1:], x_TN.stride()[1:]):
        x_TN = x_TN.contiguous()
    size = x_TN[0].numel()
    stride = x_TN.stride(0) if len(x_TN) > 1 else size
    return x_TN, Rows(x_TN.as_strided(((len(x_TN) - 1) * stride + size if size else 0,), (1,)), stride, size, x_TN.stride()[1:])


def flat(tensor: Tensor, strides: tuple[int, ...]) -> np.ndarray:
    """A tensor [...] as a flat array in the order of `strides`; copied only if it lies otherwise."""
    if tensor.stride() != strides:
        tensor = torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype).copy_(tensor)
    return array(tensor.as_strided((tensor.numel(),), (1,)))


def array(memory: Tensor) -> np.ndarray:
    """A flat tensor as numpy sees it: float32, or uint16 for bfloat16. Shares the memory."""
    memory = memory.detach()
    return (memory.view(torch.uint16) if memory.dtype == torch.bfloat16 else memory).numpy()


def _is_dense(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    expected = 1
    for stride, size in sorted((stride, size) for size, stride in zip(shape, strides, strict=True) if size > 1):
        if stride != expected:
            return False
        expected *= size
    return True
