"""Grids: the levels that a weight may take, in steps. A layer's weight is level times step.

    symmetric  -Q .. Q,          Q = 2^(b-1) - 1   2 bits: -1, 0, 1 (ternary)
    signed     -(Q+1) .. Q                         2 bits: -2 .. 1, as LSQ's paper has it
    device     any levels                          those of a resistive cell, e.g. -3, -1, 1, 3 (four states, none of them 0)

Rounding is to the nearest level, half-way cases of whole numbers to the even one (as torch.round), of device levels to the lower one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from snn5.errors import UserError, unknown


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The levels of a quantised layer.

    Attributes:
        kind: see above. bits: stored width of one weight. levels: in rising order, in steps.
    """

    kind: str
    bits: int
    levels: tuple[float, ...]

    @property
    def low(self) -> float:
        """The lowest level."""
        return self.levels[0]

    @property
    def high(self) -> float:
        """The highest level."""
        return self.levels[-1]

    @property
    def whole(self) -> bool:
        """Whether all levels are whole numbers: what integer hardware needs."""
        return all(level == round(level) for level in self.levels)

    def nearest(self, r: Tensor) -> Tensor:
        """The level nearest to each element of r (in steps)."""
        if self.kind != "device":
            return r.clamp(self.low, self.high).round() + 0.0  # no -0
        levels = torch.tensor(self.levels, dtype=r.dtype, device=r.device)
        return levels[self.codes(r)]

    def codes(self, r: Tensor) -> Tensor:
        """The position of the nearest level among `levels`, 0 .. 2^bits - 1: int64."""
        levels = torch.tensor(self.levels, dtype=r.dtype, device=r.device)
        if self.kind != "device":
            return (r.clamp(self.low, self.high).round() - levels[0]).long()
        return torch.bucketize(r, (levels[1:] + levels[:-1]) / 2)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `grid_from_json` reads them back."""
        return {"kind": self.kind, "bits": self.bits} | ({"levels": list(self.levels)} if self.kind == "device" else {})


def whole_grid(kind: str, bits: int) -> Grid:
    """`symmetric` or `signed` of 2 to 8 bits.

    Raises:
        UserError: an unknown kind, or another width.
    """
    if kind not in ("symmetric", "signed"):
        raise unknown("grid", kind, ("symmetric", "signed"))
    if not 2 <= bits <= 8:
        raise UserError(f"bits={bits}; need 2 to 8 (32 bit weights need no quantisation)")
    high = 2 ** (bits - 1) - 1
    low = -high if kind == "symmetric" else -high - 1
    return Grid(kind=kind, bits=bits, levels=tuple(float(level) for level in range(low, high + 1)))


def device_grid(levels: Sequence[float]) -> Grid:
    """The states of a device, such as the resistances of a multi-level cell; in units of the step, so only their ratios matter.

    Raises:
        UserError: fewer than 2 or more than 256 levels, not in rising order, or all of one sign.
    """
    if not 2 <= len(levels) <= 256 or any(not math.isfinite(level) for level in levels):
        raise UserError(f"levels={list(levels)}; need 2 to 256 finite numbers")
    if any(b <= a for a, b in pairwise(levels)):
        raise UserError(f"levels={list(levels)}; need rising order, none twice")
    if not levels[0] < 0 < levels[-1]:
        raise UserError(f"levels={list(levels)}; need negative and positive ones, as a layer has weights of both signs")
    return Grid(kind="device", bits=math.ceil(math.log2(len(levels))), levels=tuple(float(level) for level in levels))


def grid_from_json(raw: Mapping[str, Any]) -> Grid:
    """The grid that `Grid.to_json` wrote."""
    return device_grid(raw["levels"]) if raw["kind"] == "device" else whole_grid(raw["kind"], int(raw["bits"]))
