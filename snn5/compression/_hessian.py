"""H of a layer: the exact Hessian of its neurons' membrane error, if they never spiked.

    H = 2 mean_B z_B z_B^T,  z = leaky_sum of the layer's input x            [d, d], one for all rows

B runs over samples, steps and (for a convolution) positions; a convolution's rows of z are its patches, padding included, which `unfold`
cuts. Sums are streamed in float64: no more than `_CHUNK` bytes of patches (or those of one sample) exist at a time.
A static image passes the stem once and its neurons see it in every step; its leaky sums are then multiples of one another, so one step
gives H up to a factor, which cancels.
Source: Shi, Li, Ward-Cherrier, Spiking Brain Compression, arXiv 2506.03996.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn5.compression._layers import Layer
from snn5.compression._leak import leaky_sum
from snn5.errors import UserError

_CHUNK = 64 * 2**20  # bytes of float64 patches


def filtered_rows(x: Tensor, layer: Layer, samples: int) -> Iterator[Tensor]:
    """z_BD of one call's input, some samples at a time.

    Args:
        x: [T, N, ...], or [T N, ...] with the steps outermost. samples: N.

    Raises:
        UserError: the first axes are no steps and samples.
    """
    x_TN = _steps_first(x, samples, layer)
    per_sample = 8 * len(x_TN) * max(x_TN[0, :1].numel(), patches(x_TN[0, :1], layer.module).numel())
    for part_TN in x_TN.split(max(1, _CHUNK // max(1, per_sample)), dim=1):
        yield patches(leaky_sum(part_TN, layer.leak).flatten(0, 1), layer.module)


def damped(h_DD: Tensor, damping: float = 0.01) -> Tensor:
    """H with damping * mean(diag H) added to its diagonal; an input that was never there (H_ii = 0) gets H_ii = 1 first.

    Args:
        damping: > 0.
    """
    diagonal_D = h_DD.diagonal()
    dead_D = diagonal_D == 0
    level = diagonal_D.mean() if bool((~dead_D).any()) else 0.0
    return h_DD + torch.diag(torch.where(dead_D, 1.0, damping * level))


def patches(x_BX: Tensor, module: nn.Module) -> Tensor:
    """What the rows of the weights are multiplied with: [B L, d] (L positions of a convolution, or all further axes of a linear layer)."""
    if isinstance(module, nn.Linear):
        return x_BX.reshape(-1, x_BX.shape[-1])
    if x_BX.ndim == 3:  # a convolution over one axis is one over two, one of them of size 1
        x_BX = x_BX.unsqueeze(-2)
    kernel, stride, dilation, padding = (
        (fill, *value) if len(value) == 1 else value
        for fill, value in ((1, module.kernel_size), (1, module.stride), (1, module.dilation), (0, module.padding))
    )
    columns_BDL = F.unfold(x_BX, kernel, dilation=dilation, padding=padding, stride=stride)
    return columns_BDL.transpose(1, 2).reshape(-1, columns_BDL.shape[1])


@torch.no_grad()
def hessians(model: nn.Module, layers: Sequence[Layer], batches: Iterable[Tensor]) -> dict[str, Tensor]:
    """H of each of `layers` by name: one pass of `model` over all batches.

    Args:
        model: in eval mode, uncompressed. batches: x_TNCHW.
    """
    by_name = {layer.name: layer for layer in layers}
    sums = {n: torch.zeros(one.inputs, one.inputs, dtype=torch.float64, device=one.module.weight.device) for n, one in by_name.items()}
    rows = dict.fromkeys(by_name, 0)

    def take(name: str, x: Tensor, samples: int) -> None:
        for z_BD in filtered_rows(x, by_name[name], samples):
            sums[name].addmm_(z_BD.T, z_BD)
            rows[name] += len(z_BD)

    for x_TNCHW in batches:
        with watching(layers, partial(take, samples=x_TNCHW.shape[1])):
            model(x_TNCHW)
    return {name: 2 * sums[name] / rows[name] for name in sums}


@contextmanager
def watching(layers: Iterable[Layer], take: Callable[[str, Tensor], None]) -> Iterator[None]:
    """While it is open, `take(name, input)` is called before each run of one of `layers`."""
    with ExitStack() as stack:
        for layer in layers:

            def hook(_module: nn.Module, inputs: tuple[Tensor, ...], name: str = layer.name) -> None:
                take(name, inputs[0])

            stack.callback(layer.module.register_forward_pre_hook(hook).remove)
        yield


def _steps_first(x: Tensor, samples: int, layer: Layer) -> Tensor:
    """[T, N, ...] of a call whose steps and samples may have been flattened into one axis."""
    if x.ndim > 1 and x.shape[1] == samples and x.ndim > _dimensions(layer.module):
        return x
    if x.shape[0] % samples:
        raise UserError(f"layer {layer.name!r} got an input of shape {list(x.shape)} for {samples} samples; need [T, N, ...] or [T N, ...]")
    return x.reshape(x.shape[0] // samples, samples, *x.shape[1:])


def _dimensions(module: nn.Module) -> int:
    """Axes of an input [B, ...] without an axis of steps."""
    return int(module.weight.ndim)
