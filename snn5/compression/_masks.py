"""Pruned weights stay pruned: whatever trains a pruned network afterwards gives their zeros no gradient.

A checkpoint's card names the pruned tensors (`masks`); their zeros are the mask. A zero weight without a gradient stays zero, bit for bit,
under SGD, AdamW and an average of the weights: momentum, second moment and decay of it are all zero.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

from snn5.errors import UserError


@contextmanager
def keep_zeros(model: nn.Module, names: Sequence[str]) -> Iterator[None]:
    """While it is open, no gradient reaches the zeros of `model`'s parameters `names` (as a card's `masks` lists them).

    Raises:
        UserError: a name that is no parameter of `model`.
    """
    with ExitStack() as stack:
        for name in names:
            try:
                weight = model.get_parameter(name)
            except AttributeError as error:
                raise UserError(
                    f"mask {name!r} is no parameter of this {type(model).__name__}; load the checkpoint whose card names it"
                ) from error
            stack.callback(weight.register_hook(_times((weight.detach() != 0).to(weight))).remove)
        yield


def _times(mask: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda gradient: gradient * mask
