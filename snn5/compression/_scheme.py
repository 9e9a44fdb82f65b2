"""Which layer gets which grid, and how many of its weights share a step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from snn5.compression._grids import Grid, device_grid, whole_grid
from snn5.errors import UserError, unknown

GRIDS, SCALES = ("symmetric", "signed", "device"), ("channel", "tensor")


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How a network is quantised.

    The first layer (which sees the image) and the last one (the classifier) keep `edge_bits` on a symmetric grid; their bits are counted
    like all others. Biases stay 32 bit.

    Attributes:
        grid: of all other layers: `symmetric` (2 bits of it are ternary), `signed` or `device`.
        levels: of a device, see `device_grid`.
        scale: `channel`, a step for each output channel, or `tensor`, one for the layer (what one LIF population of Loihi can have).
        edge_bits: 2 to 8.
        power_of_two: steps are powers of two, so that hardware shifts where it would multiply.
        membrane_bits: with it (2 to 16), potentials are whole numbers of steps and biases, too (see `_membrane`); for scale='tensor' and
            power_of_two=True.

    Raises:
        UserError: an unknown word, levels without a device or a device without levels, membrane_bits without what it needs.
    """

    grid: str = "symmetric"
    levels: tuple[float, ...] | None = None
    scale: str = "channel"
    edge_bits: int = 8
    power_of_two: bool = False
    membrane_bits: int | None = None

    def __post_init__(self) -> None:
        if self.grid not in GRIDS:
            raise unknown("grid", self.grid, GRIDS)
        if self.scale not in SCALES:
            raise unknown("scale", self.scale, SCALES)
        if (self.levels is None) == (self.grid == "device"):
            raise UserError(f"grid={self.grid!r} with levels={self.levels}; give levels for grid='device' and for no other")
        if self.levels is not None:
            device_grid(self.levels)
        whole_grid("symmetric", self.edge_bits)
        if self.membrane_bits is not None and not (self.scale == "tensor" and self.power_of_two):
            raise UserError(
                f"membrane_bits={self.membrane_bits} with scale={self.scale!r}, power_of_two={self.power_of_two}: one power of "
                "two must serve a layer and its neurons; pass scale='tensor', power_of_two=True"
            )
        if self.membrane_bits is not None and self.levels is not None and not device_grid(self.levels).whole:
            raise UserError(f"membrane_bits={self.membrane_bits} with levels={self.levels}; need whole numbers")

    def grids(self, model: nn.Module, bits: int) -> dict[str, Grid]:
        """The grid of each layer of `model` that has weights, by its name.

        Args:
            bits: of all but the first and the last layer; a device's levels must fit into them.

        Raises:
            UserError: bits out of range, or fewer than the device's levels need.
        """
        inner, edge = self._inner(bits), whole_grid("symmetric", self.edge_bits)
        names = layers_of(model)
        edges = {names[0], names[-1]} | {name for name in names if name.startswith(("stem", "head"))}
        return {name: edge if name in edges else inner for name in names}

    def _inner(self, bits: int) -> Grid:
        if self.levels is None:
            return whole_grid(self.grid, bits)
        grid = device_grid(self.levels)
        if grid.bits != bits:
            raise UserError(f"bits={bits}, but {len(self.levels)} levels take {grid.bits}; pass bits={grid.bits}")
        return grid

    def reduced(self, weight: Tensor) -> tuple[int, ...]:
        """The axes of `weight` over which a step is shared."""
        return tuple(range(1 if self.scale == "channel" else 0, weight.ndim))

    def to_json(self, grids: dict[str, Grid]) -> dict[str, Any]:
        """A card's `quantisation`: `bits` and `grids` by layer, `scale`, and by layer the name of the tensor that holds its `steps`."""
        return {
            "scale": self.scale,
            "bits": {name: grid.bits for name, grid in grids.items()},
            "grids": {name: grid.to_json() for name, grid in grids.items()},
            "steps": {name: f"{name}.weight_step" for name in grids},
        }


def layers_of(model: nn.Module) -> Sequence[str]:
    """Names of the convolutions and linear layers, in the order in which the model holds them.

    Raises:
        UserError: there is none.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear)]
    if not names:
        raise UserError(f"{type(model).__name__} has no convolution or linear layer to quantise")
    return names
