"""What one-shot pruning did, layer by layer."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PrunedLayer:
    """One layer.

    Attributes:
        name: of the module. inputs: d. weights, nonzeros: in all, and left.
        error: sum_j fold_j^2 |z' w'_j - z w_j|^2 / sum_j fold_j^2 |z w_j|^2 over the calibration samples, how much of its membrane's second
            moment changed; 0 for a layer whose membrane never moves. z' is z, or what the pruned network itself gives the layer.
    """

    name: str
    inputs: int
    weights: int
    nonzeros: int
    error: float


@dataclass(frozen=True, kw_only=True)
class PruneReport:
    """All layers in the order they are run, and the names of those that were left dense."""

    layers: tuple[PrunedLayer, ...]
    left_dense: tuple[str, ...]

    @property
    def weights(self) -> int:
        """Weights of the pruned layers."""
        return sum(layer.weights for layer in self.layers)

    @property
    def nonzeros(self) -> int:
        """Those that are left."""
        return sum(layer.nonzeros for layer in self.layers)

    @property
    def sparsity(self) -> float:
        """The share that is zero."""
        return 1 - self.nonzeros / self.weights

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"layers": [asdict(layer) for layer in self.layers], "left_dense": list(self.left_dense), "sparsity": self.sparsity}
