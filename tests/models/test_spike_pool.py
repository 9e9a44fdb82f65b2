"""The OR of spikes: its truth table, its gradient, and what it leaves out."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from snn5.models._spike_pool import OrPool2d


def window(*spikes: float) -> Tensor:
    return torch.tensor(spikes).reshape(1, 1, 1, 2, 2).requires_grad_()


@pytest.mark.parametrize(
    ("spikes", "answer", "slope"),
    [
        ((0, 0, 0, 0), 0.0, 1.0),  # any of them could make it 1
        ((0, 1, 0, 0), 1.0, 1.0),
        ((1, 0, 0, 1), 1.0, 0.0),  # no single one changes it
        ((1, 1, 1, 1), 1.0, 0.0),
    ],
)
def test_a_window_by_hand(spikes: tuple[float, ...], answer: float, slope: float) -> None:
    s = window(*map(float, spikes))
    out = OrPool2d(2)(s)
    out.sum().backward()
    assert out.item() == answer
    assert s.grad is not None and s.grad.flatten().tolist() == [slope] * 4


def test_it_is_the_maximum_of_spikes_and_leaves_odd_borders_out() -> None:
    s_TNCHW = torch.bernoulli(torch.full((3, 2, 4, 7, 7), 0.3), generator=torch.Generator().manual_seed(0))
    out = OrPool2d(2)(s_TNCHW)
    assert out.shape == (3, 2, 4, 3, 3)
    assert torch.equal(out, F.max_pool2d(s_TNCHW.flatten(0, 1), 2).unflatten(0, (3, 2)))
    assert repr(OrPool2d(2)) == "OrPool2d(2)"
