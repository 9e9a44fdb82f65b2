"""The number formats of a training: weights and losses are FP32 always; layers compute in FP32 or, where torch knows how, in bfloat16."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn


def computing(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """While inside, layers compute in `precision`: fp32 or bf16 (torch's autocast: convolutions and products in bfloat16)."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def lay_out(model: nn.Module, channels_last: bool) -> None:
    """Put the kernels' channels last in memory (NHWC), where a device's convolutions are faster so; the values stay."""
    if channels_last:
        model.to(memory_format=torch.channels_last)
