"""Synapses one by one give the convolution's currents."""

import numpy as np
import pytest

from snn5.hardware import Synapses
from snn5.hardware._matrix import matrix


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "groups", "side"), [(3, 1, 1, 1, 5), (3, 2, 1, 1, 6), (1, 2, 0, 2, 5), (2, 2, 0, 4, 6), (5, 3, 2, 2, 7)]
)
def test_convolutions(kernel: int, stride: int, padding: int, groups: int, side: int) -> None:
    draw = np.random.default_rng(0)
    weight = draw.integers(-9, 9, (8, 4 // groups, kernel, kernel)).astype(np.int32)
    one = Synapses(source="input", kind="conv", weight=weight, stride=stride, padding=padding, groups=groups)
    x = draw.integers(0, 4, (3, 4, side, side))
    expected = one.current(x)
    made = matrix(one, (4, side, side), (8, *expected.shape[2:]))
    assert np.array_equal(x.reshape(3, -1) @ made.toarray().T.astype(np.int64), expected.reshape(3, -1))


def test_dense() -> None:
    weight = np.array([[1, 0, -2], [0, 0, 3]], np.int32)
    assert matrix(Synapses(source="input", kind="dense", weight=weight), (3, 1, 1), (2, 1, 1)).toarray().tolist() == weight.tolist()
