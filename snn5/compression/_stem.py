"""A stem of two convolutions with nothing between them becomes the one convolution that it is (see snn5/models/_airnet.py).

The network answers the same up to rounding; its stem costs fewer multiplications and has fewer weights.
"""

from collections.abc import Callable
from typing import Any

from snn5.checkpoint import Checkpoint, Transform
from snn5.errors import UserError


def join_stem(checkpoint: Checkpoint, *, parents: dict[str, str] | None = None) -> Checkpoint:
    """The same network with a joined stem; one that has it already is answered as it is.

    Raises:
        UserError: a model without such a stem, or one whose norms are folded, or that is pruned or quantised.
    """
    card = checkpoint.card
    if card.folded or card.masks or card.quantisation is not None:
        raise UserError("this checkpoint is folded, pruned or quantised; join the stem of the float one that its card names as parent")
    model = checkpoint.build()
    joined_state: Callable[[], dict[str, Any]] | None = getattr(model, "joined_state", None)
    if joined_state is None:
        raise UserError(f"{card.model!r} has no stem of two convolutions; join_stem is for spiking_airnet")
    if getattr(model, "joined", False):
        return checkpoint
    made = checkpoint.after(Transform(name="join_stem", parents=parents or {}), model_args={**card.model_args, "joined": True}, cutoff=None)
    return Checkpoint(card=made.card, state={name: value.clone() for name, value in joined_state().items()})
