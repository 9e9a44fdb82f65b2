"""What the PLIF paper rests on, beyond the neuron by itself: tau from any start, one number a layer, its gradient, where it goes."""

import math

import pytest
import torch
from spikingjelly.activation_based import functional, neuron
from torch import Tensor

from snn5.models import create_model
from snn5.neurons import PLIF


def currents(*shape: int, seed: int = 0) -> Tensor:
    return 3 * torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("tau", [1.5, 2.0, 16.0])
def test_w0_from_any_start(tau: float) -> None:
    assert PLIF(tau=tau).w.item() == pytest.approx(-math.log(tau - 1), abs=1e-6)


def test_exactly_one_number_more_per_layer_than_lif() -> None:
    shape = {"in_channels": 2, "num_classes": 10, "image_size": 8, "time_steps": 2}
    lif, plif = (create_model("sew_resnet8", neuron=name, width=4, **shape) for name in ("lif", "plif"))
    layers = [m for m in plif.modules() if isinstance(m, neuron.ParametricLIFNode)]
    extra = sum(p.numel() for p in plif.parameters()) - sum(p.numel() for p in lif.parameters())
    assert extra == len(layers) == 9  # stem, 2 a block, 1 in each of two shortcuts


@pytest.mark.parametrize("v", [-0.4, 0.0, 0.3])
def test_gradient_of_one_step_from_any_potential(v: float) -> None:
    """dH/dw = sigma(w) (1 - sigma(w)) (X - V)."""
    node, x = PLIF(tau=3.0).double(), 0.9
    node.v = torch.tensor([[v]], dtype=torch.float64)
    node(torch.tensor([[[x]]], dtype=torch.float64))
    node.v.sum().backward()  # silent, so V = H
    share = torch.sigmoid(node.w).item()
    assert node.w.grad.item() == pytest.approx(share * (1 - share) * (x - v), rel=1e-12)


def test_gradient_is_that_of_the_smooth_neuron_where_nothing_fires() -> None:
    """With the surrogate's primitive in place of the step and no reset, S is differentiable: w.grad equals a finite difference."""

    def smooth(w: float, x_T: list[float]) -> float:
        v, total = 0.0, 0.0
        for x in x_T:
            v += (x - v) / (1 + math.exp(-w))
            total += math.atan(math.pi * (v - 1)) / math.pi + 0.5
        return total

    x_T, node = [0.8, 0.2, 0.9, 0.7, 0.95], PLIF(tau=2.5).double()
    out = node(torch.tensor(x_T, dtype=torch.float64).view(5, 1, 1))
    assert out.sum().item() == 0
    out.sum().backward()
    w, step = node.w.item(), 1e-6
    assert node.w.grad.item() == pytest.approx((smooth(w + step, x_T) - smooth(w - step, x_T)) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_gradient_is_the_sum_over_chunks_of_the_batch(size: int) -> None:
    """SpikingJelly's issue 151: the gradient of w was summed within a block of threads only."""
    x = currents(5, 400, 6)
    whole, parts = PLIF().double(), PLIF().double()
    (whole(x) * x).sum().backward()
    for chunk in x.split(size, dim=1):
        functional.reset_net(parts)
        (parts(chunk) * chunk).sum().backward()
    assert whole.w.grad.item() == pytest.approx(parts.w.grad.item(), rel=1e-9) and abs(whole.w.grad.item()) > 1


def test_tau_stays_above_1_through_training_and_two_starts_meet() -> None:
    """A teacher with tau = 4: from tau = 2 and from tau = 16 the student finds it."""
    x, found = currents(12, 64, 8), []
    with torch.no_grad():
        target = PLIF(tau=4.0, v_threshold=0.9).double()(x).mean(0)
    for tau in (2.0, 16.0):
        node = PLIF(tau=tau, v_threshold=0.9).double()
        optimiser = torch.optim.Adam(node.parameters(), lr=0.05)
        for _ in range(120):
            functional.reset_net(node)
            optimiser.zero_grad()
            (node(x).mean(0) - target).square().sum().backward()
            optimiser.step()
            assert 1 / torch.sigmoid(node.w).item() > 1
        found.append(1 / torch.sigmoid(node.w).item())
    assert found == pytest.approx([4.0, 4.0], rel=0.1)
