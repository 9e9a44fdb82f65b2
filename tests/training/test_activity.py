"""Silent and saturated layers: limits, patience, and the line that says how active a network is."""

import pytest

from snn5.errors import UserError
from snn5.training import check_activity
from snn5.training._activity import Guard, activity_text


@pytest.mark.parametrize(("rate", "said"), [(0.99e-4, "silent"), (0.951, "saturated")])
def test_limits(rate: float, said: str) -> None:
    check_activity({"a": 1e-4, "b": 0.95, "c": 0.3})
    with pytest.raises(UserError, match=f"layer b is {said}"):
        check_activity({"a": 0.5, "b": rate, "c": rate})


def survived(guard: Guard, rates: list[float]) -> int:
    """Epochs until the guard ends it; all of them where it does not."""
    for epoch, rate in enumerate(rates):
        try:
            guard.check(epoch, {"fine": 0.2, "b": rate})
        except UserError:
            return epoch + 1
    return len(rates)


@pytest.mark.parametrize(
    ("patience", "warmup", "rates", "epochs"),
    [
        (3, 1, [0.0] * 9, 3),
        (1, 1, [0.0] * 9, 1),
        (1, 0, [0.2, 0.99, 0.2], 2),
        (3, 0, [0.0, 0.0, 0.2, 0.0, 0.0, 0.2], 6),  # it wakes up: the count starts anew
        (3, 0, [0.0, 0.0, 0.99, 0.2], 3),  # silent, then saturated: it was never well
        (3, 5, [0.0] * 6 + [0.2], 7),  # the last epoch of the warm-up is the first that counts: two bad ones
        (3, 5, [0.0] * 9, 7),
        (0, 0, [0.0] * 9, 9),  # never
    ],
)
def test_patience(patience: int, warmup: int, rates: list[float], epochs: int) -> None:
    assert survived(Guard(patience, warmup), rates) == epochs


def test_different_layers_for_an_epoch_each_are_no_fault() -> None:
    guard = Guard(2, 0)
    for epoch in range(6):
        guard.check(epoch, {"a": 0.0 if epoch % 2 else 0.1, "b": 0.1 if epoch % 2 else 1.0})


def test_the_error_names_layer_rate_and_epochs() -> None:
    guard = Guard(2, 0)
    guard.check(0, {"stem": 0.3, "x": 0.97})
    said = (
        r"layer x is saturated \(0\.98 spikes per neuron and step\); raise its .* \(stopped after epoch 1: so for 2 epochs in a row, guard_"
    )
    with pytest.raises(UserError, match=said):
        guard.check(1, {"stem": 0.3, "x": 0.98})


def test_text() -> None:
    assert activity_text({"a": 0.2, "b": 0.021, "c": 0.31}) == "rate 0.18 (b 0.021 … c 0.31)"
    assert activity_text({}) == ""
