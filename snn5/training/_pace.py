"""The plan of fast training on static images: few steps first, SGD under a triangular learning rate, flips that take turns.

    lr(i) = lr (a + (1 - a) u / p)              u = i / steps < p
    lr(i) = lr (1 + (b - 1) (u - p) / (1 - p))  from there on

with a = lr_start, p = lr_peak, b = lr_end. T of an epoch is `step_plan`'s: an epoch costs about T times as much as one at T = 1, behind a
stem that a static image passes once. Flips take turns: an image is flipped in even epochs or in odd ones, by a draw that is its own
(a hash of its place), so that two epochs in a row show both sides of all images; independent draws would show a quarter of them twice the
same. Shifts mirror the image at its border.

Source: Jordan, 94 % on CIFAR-10 in 3.29 Seconds on a Single GPU, 2024, arXiv 2404.00498 (triangle, alternating flip, bias factor).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn5._fast_section import Pace
from snn5.config import Train
from snn5.models import SpikingModel
from snn5.training._batches import Samples
from snn5.training._plan import Plan


class PacePlan(Plan):
    """The plan that `settings` describes."""

    def __init__(self, settings: Pace) -> None:
        self.settings = settings

    def prepare(self, model: nn.Module, train: Samples) -> None:
        """Whitening, by the first `whiten_images` training images, for a stem that has one."""
        if callable(whiten := getattr(model, "whiten", None)):
            first = torch.arange(min(self.settings.whiten_images, len(train)), device=train.y_N.device)
            whiten(train.batch(first)[0])

    def optimiser(
        self, model: nn.Module, settings: Train, steps_per_epoch: int
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
        """SGD; weight decay on matrices and kernels only, the norms' biases with a rate of their own."""
        own = self.settings
        biases = {m.bias for m in model.modules() if isinstance(m, nn.BatchNorm2d)}
        groups = [
            {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [p for p in model.parameters() if p.ndim <= 1 and p not in biases]},
            {"params": [p for p in model.parameters() if p in biases], "lr": settings.lr * own.bias_lr_scale},
        ]
        optimiser = torch.optim.SGD(groups, lr=settings.lr, momentum=own.momentum, nesterov=own.nesterov)
        total = settings.epochs * steps_per_epoch
        return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: triangle(i / total, own.lr_start, own.lr_peak, own.lr_end))

    def begin(self, model: nn.Module, epoch: int) -> None:
        """T of the epoch."""
        _set_steps(model, self.settings.steps_of(epoch))

    def change(self, x_TNCHW: Tensor, index_N: Tensor, epoch: int, generator: torch.Generator) -> Tensor:
        """Flip and shift."""
        if self.settings.flip_alternates:
            x_TNCHW = alternate(x_TNCHW, index_N, epoch)
        return mirrored_shift(x_TNCHW, self.settings.shift_pixels, generator) if self.settings.shift_pixels else x_TNCHW

    @contextmanager
    def validating(self, model: nn.Module) -> Iterator[None]:
        """At the first T of `steps`."""
        with at_steps(model, self.settings.steps[0]):
            yield

    def __repr__(self) -> str:
        return repr(self.settings)


def triangle(u: float, start: float, peak: float, end: float) -> float:
    """The factor of lr at the share `u` (0..1) of the steps: from `start` to 1 at `peak`, and on to `end`."""
    return start + (1 - start) * u / peak if u < peak else 1 + (end - 1) * (u - peak) / (1 - peak)


def alternate(x_TNCHW: Tensor, index_N: Tensor, epoch: int) -> Tensor:
    """Left and right change places where the sample's own coin (0 or 1) equals the epoch's parity."""
    turned_N = (coin(index_N) == epoch % 2).to(x_TNCHW.device)
    return torch.where(turned_N[:, None, None, None], x_TNCHW.flip(-1), x_TNCHW)


def coin(index_N: Tensor) -> Tensor:
    """0 or 1 by a sample's place, scattered: the top bit of a multiplicative hash (Knuth's 2654435761, modulo 2^32)."""
    return ((index_N.long() * 2654435761) % 2**32) >> 31


def mirrored_shift(x_TNCHW: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Move each sample by a random whole number of pixels from -`pixels` to `pixels`; what comes in mirrors the image at its border."""
    steps, n, channels, height, width = x_TNCHW.shape
    moves_N2 = torch.randint(0, 2 * pixels + 1, (n, 2), generator=generator).to(x_TNCHW.device)
    x_NCHW = x_TNCHW.transpose(0, 1).reshape(n, steps * channels, height, width)
    padded_NHWC = F.pad(x_NCHW, (pixels,) * 4, mode="reflect").permute(0, 2, 3, 1)
    rows_NH = moves_N2[:, :1] + torch.arange(height, device=x_TNCHW.device)
    columns_NW = moves_N2[:, 1:] + torch.arange(width, device=x_TNCHW.device)
    sample_N = torch.arange(n, device=x_TNCHW.device)
    moved_NHWC = padded_NHWC[sample_N[:, None, None], rows_NH[:, :, None], columns_NW[:, None, :]]
    return moved_NHWC.permute(0, 3, 1, 2).reshape(n, steps, channels, height, width).transpose(0, 1)


@contextmanager
def at_steps(model: nn.Module, steps: int) -> Iterator[None]:
    """While inside, `model` shows a static image for `steps` steps; an ANN twin stays as it is."""
    before = getattr(model, "time_steps", 1)
    _set_steps(model, steps)
    try:
        yield
    finally:
        _set_steps(model, before)


def _set_steps(model: nn.Module, steps: int) -> None:
    if isinstance(model, SpikingModel) and not model.is_twin:
        model.time_steps = steps
