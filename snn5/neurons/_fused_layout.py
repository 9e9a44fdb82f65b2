"""Tensors as the flat arrays that kernels walk through, in whatever order their memory has."""

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

LIKE = {torch.float32: np.empty(0, np.float32), torch.bfloat16: np.empty(0, np.uint16)}  # how kernels see a dtype
LINE = 64  # bytes of a cache line


class Layout(NamedTuple):
    """Where the numbers of x [T, N, ...] are: step t's `size` numbers begin at t * stride; what is made from them gets `strides`."""

    stride: int
    size: int
    strides: tuple[int, ...]


def suits(x_TN: Tensor) -> bool:
    """Whether a kernel can read it: a plain strided CPU tensor [T, N, ...] of at least one step, float32 or bfloat16, outside tracing."""
    plain = type(x_TN) is Tensor and x_TN.is_cpu and x_TN.dtype in LIKE and x_TN.layout == torch.strided
    if not plain or x_TN.ndim < 2 or torch.jit.is_tracing():
        return False
    return x_TN.shape[0] > 0 and not x_TN.is_neg()  # whose numbers lie there with the other sign


def laid_out(x_TN: Tensor) -> tuple[Tensor, Layout]:
    """x_TN, copied if its steps have gaps in memory, and its layout. Steps may share their memory (`expand`)."""
    found = _layout(x_TN.shape, x_TN.stride())
    return laid_out(x_TN.contiguous()) if found is None else (x_TN, found)


@lru_cache(maxsize=4096)
def _layout(shape: tuple[int, ...], strides: tuple[int, ...]) -> Layout | None:
    size = prod(shape[1:])
    if size and not _is_dense(shape[1:], strides[1:]):
        return None
    return Layout(strides[0] if shape[0] > 1 else size, size, (size, *strides[1:]))


def ordered(tensor: Tensor, strides: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor with its numbers, of `dtype`, in the order of `strides`; copied only if they lie otherwise."""
    if tensor.stride() == strides and tensor.dtype == dtype and not tensor.is_neg():
        return tensor
    return torch.empty_strided(tensor.shape, strides, dtype=dtype).copy_(tensor)


def address(tensor: Tensor | None) -> int:
    """As kernels take it, 0 for None. The caller keeps the tensor until they are done.

    Raises:
        RuntimeError: the tensor's numbers are not in memory (a subclass that wraps others, a storage that was freed).
    """
    if tensor is None:
        return 0
    if not (place := tensor.data_ptr()) and tensor.numel():
        raise RuntimeError(
            f"a {type(tensor).__name__} of shape {list(tensor.shape)} on {tensor.device} has no memory that a kernel can read"
        )
    return place


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
