"""Forms composed of layers answer what torch answers layer by layer."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from snn5.hardware._form import Form, NotLinear, Term, convolve, source
from snn5.hardware._trace_model import pool


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def conv(weight: Tensor, *, stride: int = 1, padding: int = 0, groups: int = 1) -> Term:
    return Term(source="", weight=weight, stride=stride, padding=padding, groups=groups)


def value(form: Form, x_NCHW: Tensor) -> Tensor:
    parts = [F.conv2d(x_NCHW, t.weight, stride=t.stride, padding=t.padding, groups=t.groups) for t in form.terms]
    return torch.stack(parts).sum(0) + form.bias[:, None, None]


X = draw(2, 4, 8, 8, seed=1)
START = source("input", (4, 8, 8))


def test_a_convolution_of_scaled_spikes() -> None:
    w, b, factor = draw(6, 2, 3, 3), draw(6, seed=2), draw(4, seed=3)
    made = convolve(START.scaled(factor), conv(w, stride=2, padding=1, groups=2), b)
    expected = F.conv2d(X * factor[:, None, None], w, b, stride=2, padding=1, groups=2)
    torch.testing.assert_close(value(made, X), expected)
    assert made.shape == tuple(expected.shape[1:])


def test_a_pool_between_two_convolutions_and_a_sum() -> None:
    """conv3x3, mean over 2x2, conv1x1 twice with biases: one convolution of the source; and a second path beside it."""
    w1, w2, b1, b2 = draw(5, 4, 3, 3), draw(3, 5, 1, 1, seed=2), draw(5, seed=3), draw(3, seed=4)
    first = convolve(START, conv(w1, padding=1), b1)
    pooled = convolve(first, pool(5, (2, 2), 0.25, stride=2))
    beside = convolve(START, conv(draw(3, 4, 1, 1, seed=5), stride=2))
    made = convolve(pooled, conv(w2), b2) + beside
    expected = F.conv2d(F.avg_pool2d(F.conv2d(X, w1, b1, padding=1), 2), w2, b2) + F.conv2d(X, draw(3, 4, 1, 1, seed=5), stride=2)
    torch.testing.assert_close(value(made, X), expected)


def test_padding_behind_a_pool_that_tiles_the_image() -> None:
    w = draw(3, 4, 3, 3)
    made = convolve(convolve(START, pool(4, (2, 2), 1.0, stride=2)), conv(w, padding=1))
    torch.testing.assert_close(value(made, X), F.conv2d(F.avg_pool2d(X, 2, divisor_override=1), w, padding=1))


def test_padding_behind_another_convolution_is_refused() -> None:
    with pytest.raises(NotLinear, match="no single convolution does that"):
        convolve(convolve(START, conv(draw(4, 4, 3, 3), padding=1)), conv(draw(4, 4, 3, 3), padding=1))


def test_padding_of_a_bias_is_refused() -> None:
    with pytest.raises(NotLinear, match="pixels at the edge have another bias"):
        convolve(START.scaled(torch.ones(4).double(), torch.ones(4).double()), conv(draw(4, 4, 3, 3), padding=1))


def test_steps_follow_uniform_factors_only() -> None:
    w = torch.tensor([[[[2.0]]], [[[-6.0]]]], dtype=torch.float64).expand(2, 4, 1, 1) * 0.5
    stepped = Term(source="", weight=w, step=torch.full((2,), 0.5, dtype=torch.float64))
    (uniform,) = convolve(START.scaled(torch.full((4,), 0.25).double()), stepped).terms
    assert uniform.step is not None and uniform.step.tolist() == [0.125, 0.125]
    (uneven,) = convolve(START.scaled(torch.arange(1.0, 5.0).double()), stepped).terms
    assert uneven.step is None
