"""Surrogates by name: the declared derivative at seven points, and which side of the threshold fires."""

import math
from collections.abc import Callable

import pytest
import torch

from snn5.errors import UserError
from snn5.neurons import SURROGATES, create_surrogate
from snn5.neurons._surrogate import fire_above

POINTS = [-2.0, -0.7, -0.3, 0.0, 0.1, 0.49, 1.3]
SLOPES: dict[str, Callable[[float, float], float]] = {
    "atan": lambda x, a: a / 2 / (1 + (math.pi / 2 * a * x) ** 2),
    "rectangle": lambda x, a: a if abs(x) < 0.5 / a else 0.0,
    "triangle": lambda x, a: max(0.0, a - a * a * abs(x)),
    "sigmoid": lambda x, a: a / (1 + math.exp(-a * x)) / (1 + math.exp(a * x)),
}


@pytest.mark.parametrize("name", sorted(SURROGATES))
@pytest.mark.parametrize("alpha", [None, 0.5, 3.0])
def test_backward_is_the_declared_slope(name: str, alpha: float | None) -> None:
    surrogate = create_surrogate(name, alpha)
    width = SURROGATES[name][1] if alpha is None else alpha
    expected = [SLOPES[name](x, width) for x in POINTS]
    for fire in (surrogate, lambda x: fire_above(x, 0.0, surrogate)):
        x = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
        s = fire(x)
        s.sum().backward()
        assert x.grad.tolist() == pytest.approx(expected, abs=1e-12)
        assert set(s.tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("name", sorted(SURROGATES))
def test_above_is_strict(name: str) -> None:
    v = torch.tensor([0.5, 0.5 + 2**-24, 0.7, -1.0, 0.0])
    v[1] = torch.nextafter(v[0], torch.tensor(1.0))
    assert fire_above(v, 0.5, create_surrogate(name)).tolist() == [0, 1, 1, 0, 0]
    theta = torch.tensor([0.5, 0.5, 0.8, -2.0, 0.0], requires_grad=True)
    s = fire_above(v, theta, create_surrogate(name))
    assert s.tolist() == [0, 1, 0, 1, 0]
    s.sum().backward()
    assert (theta.grad <= 0).all() and theta.grad[0] < 0  # a higher threshold, fewer spikes


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"unknown surrogate 'tringle'; did you mean triangle"):
        create_surrogate("tringle")
    for alpha in (0.0, -1.0, math.nan):
        with pytest.raises(UserError, match=r"need a positive number"):
            create_surrogate("atan", alpha)
