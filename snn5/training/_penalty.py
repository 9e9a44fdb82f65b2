"""A loss on what a network does while it is trained, laid on it from outside (regularisers of activity, say)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from torch import Tensor, nn


class Penalty(Protocol):
    """A loss on what a model does in its forward pass."""

    def watching(self) -> AbstractContextManager[Any]:
        """Hook the model; unhook at the end."""
        ...

    def value(self) -> Tensor:
        """Of the last pass: scalar, differentiable."""
        ...


class Regulariser(Protocol):
    """Settings of a penalty: a frozen dataclass, whose fields go into the checkpoint's history."""

    def on(self, model: nn.Module) -> Penalty:
        """The penalty on `model`."""
        ...


@contextmanager
def penalised(model: nn.Module, regulariser: Regulariser | None, strength: float) -> Iterator[Callable[[int], Tensor] | None]:
    """`fit`'s extra_loss: strength times the penalty of the last pass of `model`. None, and no hook, where there is nothing to pay."""
    if regulariser is None or strength == 0:
        yield None
        return
    penalty = regulariser.on(model)
    with penalty.watching():
        yield lambda _step: strength * penalty.value()
