"""A penalty from outside: weighed, watched, gone afterwards; and a training without one is as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from snn5.training import penalised


class Squared:
    """The mean square of a model's last output."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.last = model, torch.zeros(())

    @contextmanager
    def watching(self) -> Iterator[None]:
        handle = self.model.register_forward_hook(lambda _m, _x, y: setattr(self, "last", y))
        try:
            yield
        finally:
            handle.remove()

    def value(self) -> Tensor:
        return self.last.square().mean()


@dataclass(frozen=True)
class Square:
    def on(self, model: nn.Module) -> Squared:
        return Squared(model)


def test_strength_times_the_penalty_of_the_last_pass() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    with penalised(model, Square(), 0.5) as extra:
        assert extra is not None
        model(torch.tensor([[3.0]]))
        assert extra(0).item() == pytest.approx(0.5 * 36)
        model(torch.tensor([[1.0]]))
        extra(1).backward()
    assert model.weight.grad.item() == pytest.approx(0.5 * 2 * 2.0)
    assert not model._forward_hooks


@pytest.mark.parametrize(("regulariser", "strength"), [(None, 1.0), (Square(), 0.0)])
def test_nothing_to_pay_nothing_to_watch(regulariser: Square | None, strength: float) -> None:
    model = nn.Linear(1, 1)
    with penalised(model, regulariser, strength) as extra:
        assert extra is None and not model._forward_hooks
