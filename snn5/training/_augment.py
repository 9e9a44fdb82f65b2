"""Augmentation: small objects that change a batch x_TNCHW by draws of the generator they are handed; all steps of a sample alike.

A sequence without an image (H = W = 1, a sound as spikes of its channels) is augmented as the picture that its channels (rows) and steps
(columns) make: a shift moves it in frequency and in time, a zoom makes it faster and higher.

What is switched off is absent, and draws nothing: a setting at its neutral value leaves every other draw where it was.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from snn5.config import Train

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Flip:
    """Left and right change places in about half of the samples."""

    def __call__(self, x_TNCHW: Tensor, generator: torch.Generator) -> Tensor:
        """-> the same shape."""
        turned_N = (torch.rand(x_TNCHW.shape[1], generator=generator) < 0.5).to(x_TNCHW.device)
        return torch.where(turned_N[:, None, None, None], x_TNCHW.flip(-1), x_TNCHW)


@dataclass(frozen=True)
class Affine:
    """Turn by up to `degrees` and slant by up to `shear` degrees either way and enlarge by 1 - `zoom` to 1 + `zoom` about the middle,
    bilinear; what comes in is zero.

    Args:
        degrees: 0..180. zoom: 0 up to, not including, 1. shear: 0 up to, not including, 90.
    """

    degrees: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0

    @torch.no_grad()
    def __call__(self, x_TNCHW: Tensor, generator: torch.Generator) -> Tensor:
        """-> the same shape."""
        steps, n, channels, height, width = x_TNCHW.shape
        draw_DN = torch.rand(3 if self.shear else 2, n, generator=generator) * 2 - 1
        angle_N, scale_N = draw_DN[0] * math.radians(self.degrees), 1 + draw_DN[1] * self.zoom
        cos_N, sin_N = angle_N.cos() / scale_N, angle_N.sin() / scale_N
        # From output to input coordinates, both from -1 to 1 on each axis: hence the sides' ratio where an image is not square.
        theta_N23 = torch.zeros(n, 2, 3)
        theta_N23[:, 0, 0], theta_N23[:, 0, 1] = cos_N, -sin_N * height / width
        theta_N23[:, 1, 0], theta_N23[:, 1, 1] = sin_N * width / height, cos_N
        if self.shear:
            theta_N23[:, 0, 1] += (draw_DN[2] * math.radians(self.shear)).tan() * height / width  # columns slide with the row
        # Steps become channels: one grid a sample moves them all alike.
        x_NCHW = x_TNCHW.transpose(0, 1).reshape(n, steps * channels, height, width)
        grid = F.affine_grid(theta_N23.to(x_NCHW), list(x_NCHW.shape), align_corners=False)
        moved = F.grid_sample(x_NCHW, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return moved.view(n, steps, channels, height, width).transpose(0, 1).contiguous()


@dataclass(frozen=True)
class Elastic:
    """Bend each sample by a smooth random field: control points about `spacing` pixels apart move by N(0, `pixels`^2) along each axis,
    bicubic between them; the image is read bilinearly, and what comes in is zero.

    Args:
        pixels: standard deviation of a control point's move, in pixels. spacing: between control points, in pixels.

    Source: after Simard, Steinkraus, Platt, Best Practices for Convolutional Neural Networks, ICDAR 2003 (there: smoothed noise).
    """

    pixels: float
    spacing: int = 8

    @torch.no_grad()
    def __call__(self, x_TNCHW: Tensor, generator: torch.Generator) -> Tensor:
        """-> the same shape."""
        steps, n, channels, height, width = x_TNCHW.shape
        points = [max(2, 1 + round(side / self.spacing)) for side in (height, width)]
        moves_N2hw = torch.randn(n, 2, *points, generator=generator) * self.pixels
        field_N2HW = F.interpolate(moves_N2hw.to(x_TNCHW), (height, width), mode="bicubic", align_corners=True)
        # grid_sample's coordinates run from -1 to 1 over the image, x before y.
        field_NHW2 = field_N2HW.permute(0, 2, 3, 1) * torch.tensor([2.0 / width, 2.0 / height]).to(x_TNCHW)
        rest = F.affine_grid(torch.eye(2, 3).to(x_TNCHW).expand(n, 2, 3), [n, 1, height, width], align_corners=False)
        x_NCHW = x_TNCHW.transpose(0, 1).reshape(n, steps * channels, height, width)
        moved = F.grid_sample(x_NCHW, rest + field_NHW2, mode="bilinear", padding_mode="zeros", align_corners=False)
        return moved.view(n, steps, channels, height, width).transpose(0, 1).contiguous()


@dataclass(frozen=True)
class Shift:
    """Move each sample by a random whole number of pixels from -`pixels` to `pixels`; what comes in is zero."""

    pixels: int

    def __call__(self, x_TNCHW: Tensor, generator: torch.Generator) -> Tensor:
        """-> the same shape."""
        _, n, _, height, width = x_TNCHW.shape
        moves_N2 = torch.randint(0, 2 * self.pixels + 1, (n, 2), generator=generator).to(x_TNCHW.device)
        padded = F.pad(x_TNCHW, (self.pixels,) * 4)
        rows_NH = moves_N2[:, :1] + torch.arange(height, device=x_TNCHW.device)
        columns_NW = moves_N2[:, 1:] + torch.arange(width, device=x_TNCHW.device)
        sample_N = torch.arange(n, device=x_TNCHW.device)
        # Advanced indexing moves the indexed axes to the front: [N, H, W, T, C].
        moved = padded.permute(1, 3, 4, 0, 2)[sample_N[:, None, None], rows_NH[:, :, None], columns_NW[:, None, :]]
        return moved.permute(3, 0, 4, 1, 2).contiguous()


@dataclass(frozen=True)
class Cutout:
    """Set a square of `pixels` x `pixels` to zero; its middle is any pixel, so that part of it may lie outside.

    Source: DeVries, Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017, arXiv 1708.04552.
    """

    pixels: int

    def __call__(self, x_TNCHW: Tensor, generator: torch.Generator) -> Tensor:
        """-> the same shape."""
        _, n, _, height, width = x_TNCHW.shape
        top_N = torch.randint(0, height, (n,), generator=generator).to(x_TNCHW.device) - self.pixels // 2
        left_N = torch.randint(0, width, (n,), generator=generator).to(x_TNCHW.device) - self.pixels // 2
        row_NH = torch.arange(height, device=x_TNCHW.device) - top_N[:, None]
        column_NW = torch.arange(width, device=x_TNCHW.device) - left_N[:, None]
        inside_NH, inside_NW = (row_NH >= 0) & (row_NH < self.pixels), (column_NW >= 0) & (column_NW < self.pixels)
        return x_TNCHW.masked_fill((inside_NH[:, :, None] & inside_NW[:, None, :])[:, None], 0.0)


def augmented(x_TNCHW: Tensor, changes: Sequence[Augmentation], generator: torch.Generator) -> Tensor:
    """All `changes`, one after the other: of images, or of sequences [T, N, C, 1, 1] as pictures [1, N, 1, C, T]. -> the same shape."""
    sequence = tuple(x_TNCHW.shape[-2:]) == (1, 1)
    if sequence and changes:
        x_TNCHW = x_TNCHW.permute(3, 1, 4, 2, 0).contiguous()
    for change in changes:
        x_TNCHW = change(x_TNCHW, generator)
    return x_TNCHW.permute(4, 1, 3, 0, 2).contiguous() if sequence and changes else x_TNCHW


def augmentations_of(settings: Train) -> list[Augmentation]:
    """Those that params.yaml switches on, in the order in which they are applied."""
    chosen: list[Augmentation] = []
    if settings.flip:
        chosen.append(Flip())
    if settings.rotate_degrees or settings.zoom or settings.shear_degrees:
        chosen.append(Affine(settings.rotate_degrees, settings.zoom, settings.shear_degrees))
    if settings.elastic_pixels:
        chosen.append(Elastic(settings.elastic_pixels))
    if settings.shift_pixels:
        chosen.append(Shift(settings.shift_pixels))
    if settings.cutout:
        chosen.append(Cutout(settings.cutout))
    return chosen
