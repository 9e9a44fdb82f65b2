"""A quantised checkpoint's weights as what they are: levels and steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from snn5.checkpoint import Checkpoint
from snn5.compression._grids import Grid, grid_from_json
from snn5.compression._lsq import aligned
from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True)
class IntegerWeight:
    """One layer's weights: weight = level x step, bit for bit.

    Attributes:
        level: whole numbers in the weight's shape, int16. step: float32, [C_out] or [1]. bits: width of a level.
    """

    level: Tensor
    step: Tensor
    bits: int

    def floats(self) -> Tensor:
        """level x step."""
        return self.level.to(self.step.dtype) * aligned(self.step, self.level)


def integer_weights(checkpoint: Checkpoint) -> dict[str, IntegerWeight]:
    """Levels and steps of every quantised layer, by its name.

    Raises:
        UserError: not quantised; a layer's levels are no whole numbers; or weights are off their grid (trained on after quantisation).
    """
    found = {}
    for name, grid in grids_of(checkpoint).items():
        if not grid.whole:
            raise UserError(
                f"layer {name}: levels {list(grid.levels)} are no whole numbers; give the device's levels as multiples of one unit"
            )
        step = checkpoint.state[f"{name}.weight_step"]
        level = levels_of(checkpoint, name, grid).round().to(torch.int16)
        found[name] = IntegerWeight(level=level, step=step, bits=grid.bits)
    return found


def grids_of(checkpoint: Checkpoint) -> dict[str, Grid]:
    """The grid of every quantised layer, by its name.

    Raises:
        UserError: not quantised.
    """
    raw: Mapping[str, Any] = (checkpoint.card.quantisation or {}).get("grids", {})
    if not raw:
        raise UserError(f"this {checkpoint.card.model} checkpoint is not quantised; make it so with snn5.compression.quantize")
    return {name: grid_from_json(one) for name, one in raw.items()}


def levels_of(checkpoint: Checkpoint, name: str, grid: Grid) -> Tensor:
    """A layer's weights in steps, levels of `grid` exactly.

    Raises:
        UserError: some weight is no level times its step.
    """
    weight, step = checkpoint.state[f"{name}.weight"], checkpoint.state[f"{name}.weight_step"]
    level = grid.nearest(weight / aligned(step, weight))
    if not torch.equal(level * aligned(step, weight), weight):
        raise UserError(f"layer {name} has weights off its grid of {grid.bits} bits; quantise last, or again from the float checkpoint")
    return level
