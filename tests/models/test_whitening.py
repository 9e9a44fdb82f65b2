"""The whitening layer: filters by hand, white outputs, a weight that is no parameter."""

import pytest
import torch
from torch import Tensor

from snn5.errors import UserError
from snn5.models import initialise
from snn5.models._whitening import FixedConv2d, whitening


def pixels(*values: tuple[float, float]) -> Tensor:
    """An image a pixel, two channels."""
    return torch.tensor(values, dtype=torch.float32).reshape(len(values), 2, 1, 1)


def test_two_channels_by_hand() -> None:
    """Variances 4 and 1, uncorrelated, any mean: filters (1/2, 0) and (0, 1)."""
    x = pixels((7, 4), (7, 2), (3, 4), (3, 2))
    assert torch.allclose(whitening(x, 1, eps=0.0).flatten(1), torch.tensor([[0.5, 0.0], [0.0, 1.0]]))
    assert torch.allclose(whitening(x, 1, eps=5.0).flatten(1), torch.tensor([[1 / 3, 0.0], [0.0, 6**-0.5]]))  # 4 + 5 and 1 + 5


def test_correlated_channels_by_hand() -> None:
    """(u + v, u - v) with variances 4 of u and 1 of v: C = [[5, 3], [3, 5]], eigenvalues 8 and 2, the diagonals for vectors."""
    x = pixels((3, 1), (1, 3), (-1, -3), (-3, -1))
    found = whitening(x, 1, eps=0.0).flatten(1)
    assert torch.allclose(found[0], torch.full((2,), 0.25), atol=1e-6)  # (1, 1) / sqrt(2) / sqrt(8)
    assert torch.allclose(found[1].abs(), torch.full((2,), 0.5), atol=1e-6) and found[1].sum().abs() < 1e-6
    assert all(row[row.abs().argmax()] > 0 for row in found)


def test_patches_come_out_white() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.nn.functional.avg_pool2d(torch.rand(60, 3, 24, 24, generator=generator), 3, 1)  # neighbours are alike
    layer = FixedConv2d(3, 12, 2)
    layer.weight.copy_(whitening(x, 2, eps=0.0, chunk=7))
    out = layer(x[None])[0].transpose(0, 1).flatten(1)
    assert torch.allclose(torch.cov(out), torch.eye(12), atol=1e-3)


def test_the_weight_is_kept_but_never_trained() -> None:
    layer = FixedConv2d(3, 12, 2, padding=1)
    assert list(layer.parameters()) == [] and list(layer.state_dict()) == ["weight"]
    assert layer(torch.zeros(2, 1, 3, 4, 4)).shape == (2, 1, 12, 5, 5)
    before = layer.weight.clone()
    initialise(layer, torch.Generator().manual_seed(0))
    assert not torch.equal(layer.weight, before)  # drawn anew as any other


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 3, 1, 4)])
def test_no_patch_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"images of shape .* have no patches of 2 x 2 pixels"):
        whitening(torch.zeros(shape), 2)
