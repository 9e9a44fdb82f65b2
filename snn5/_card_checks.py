"""What a checkpoint's file may hold: the right kind of value under each of the card's names, and weights that are numbers."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from snn5.errors import UserError

_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("model", "dataset", "neuron"), (str,)),
    **dict.fromkeys(("model_args", "preprocessing"), (dict,)),
    **dict.fromkeys(("folded", "masks", "transforms"), (list,)),
    **dict.fromkeys(("quantisation", "cutoff"), (dict, type(None))),
    "time_steps": (int,),
    "twin": (bool,),
}


def check_kinds(raw: Mapping[str, Any]) -> None:
    """Each entry of a card is of its kind, lists of names hold text, and T is at least 1. Entries without a kind here are not looked at.

    Raises:
        TypeError: names the first that is not.
    """
    for name, kinds in _KINDS.items():
        value = raw.get(name)
        if name in raw and (not isinstance(value, kinds) or (kinds == (int,) and isinstance(value, bool))):
            raise TypeError(f"{name} is {value!r:.80}, not {' or '.join(kind.__name__ for kind in kinds)}")
    for name in ("folded", "masks"):
        if not all(isinstance(one, str) for one in raw.get(name, [])):
            raise TypeError(f"{name} is {raw[name]!r:.80}, not a list of names")
    if raw.get("time_steps", 1) < 1:
        raise TypeError(f"time_steps is {raw['time_steps']}, not at least 1")


def check_numbers(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """The stored tensors are of the model's kind (real or whole numbers), and the real ones finite.

    Raises:
        UserError: names the first that is not.
    """
    for name, stored in state.items():
        if stored.is_floating_point() != own[name].is_floating_point():
            raise UserError(f"weights {name!r} are {stored.dtype}, the model's {own[name].dtype}; load the checkpoint that SNN5 wrote")
        if stored.is_floating_point() and not stored.isfinite().all():
            raise UserError(
                f"weights {name!r} hold values that are no numbers, or infinite; the training that made them failed: run it again"
            )
