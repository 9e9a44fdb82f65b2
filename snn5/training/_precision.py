"""The number formats of a training: weights and losses are FP32 always; layers compute in FP32 or, where torch knows how, in bfloat16."""

import logging
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

_log = logging.getLogger(__name__)


def computing(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """While inside, layers compute in `precision`: fp32, bf16 (torch's autocast: convolutions and products in bfloat16) or auto."""
    if precision_on(precision, device) == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def precision_on(precision: str, device: torch.device) -> str:
    """`auto` is bf16 where the device has instructions for it, else fp32: without them bfloat16 is emulated, and slower than FP32."""
    if precision != "auto":
        return precision
    return "bf16" if computes_bf16(device) else "fp32"


def computes_bf16(device: torch.device) -> bool:
    """Whether `device` has instructions for bfloat16: a GPU since Ampere, a CPU with AVX512-BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    has: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch cannot tell
    return device.type == "cpu" and any(has.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def lay_out(model: nn.Module, channels_last: bool) -> None:
    """Put the kernels' channels last in memory (NHWC), where a device's convolutions are faster so; the values stay.

    On a CPU with AVX2 and no AVX512 a network with a strided 1 x 1 convolution of fewer than 8 channels stays as it is, and the log says
    so: with channels last, oneDNN (in torch 2.13) writes beyond its buffer in that convolution's backward pass, and the process dies.
    """
    if not channels_last:
        return
    if torch.backends.cpu.get_cpu_capability() == "AVX2" and any(map(_overruns, model.modules())):
        _log.warning("channels_last is not used: strided 1x1 convolutions of fewer than 8 channels break it on a CPU without AVX512")
        return
    model.to(memory_format=torch.channels_last)


def _overruns(module: nn.Module) -> bool:
    if not isinstance(module, nn.Conv2d) or module.weight.device.type != "cpu":
        return False
    return module.in_channels < 8 and set(module.kernel_size) == {1} and max(module.stride) > 1
