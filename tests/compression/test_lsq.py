"""P4.2: the grids, and LSQ's forward and backward by hand."""

import math

import pytest
import torch
from torch import nn

from snn5.compression import Grid, Scheme, device_grid, whole_grid
from snn5.compression._grids import grid_from_json
from snn5.compression._lsq import WeightLSQ, best_steps, first_step, quantised_weights
from snn5.errors import UserError
from snn5.neurons import QuantisedReLU, lsq

DEVICE = device_grid([-3, -1, 1, 3])
GRIDS = [whole_grid("symmetric", 8), whole_grid("symmetric", 4), whole_grid("symmetric", 2), whole_grid("signed", 2), DEVICE]


def test_levels_by_hand() -> None:
    assert whole_grid("symmetric", 2).levels == (-1, 0, 1)
    assert whole_grid("signed", 2).levels == (-2, -1, 0, 1)
    assert (whole_grid("symmetric", 4).low, whole_grid("signed", 4).low, whole_grid("symmetric", 8).high) == (-7, -8, 127)
    assert (DEVICE.bits, device_grid([-1.0, 0.0, 1.0]).bits, device_grid([-1, 1]).bits) == (2, 2, 1)
    assert device_grid([-1.5, 1]).whole is False and DEVICE.whole


def test_nearest_by_hand() -> None:
    r = torch.tensor([-9.0, -2.1, -2.0, -0.4, 0.0, 0.5, 1.5, 2.5, 9.0])
    assert whole_grid("symmetric", 4).nearest(r).tolist() == [-7, -2, -2, 0, 0, 0, 2, 2, 7]  # halves to the even one
    assert DEVICE.nearest(r).tolist() == [-3, -3, -3, -1, -1, 1, 1, 3, 3]  # -2 and 0 are half-way: the lower one
    assert not torch.signbit(whole_grid("symmetric", 4).nearest(torch.tensor([-0.1]))).item()


@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: f"{g.kind}{g.bits}")
def test_codes_and_levels_are_each_others_inverse(grid: Grid) -> None:
    r = 5 * torch.randn(300, generator=torch.Generator().manual_seed(0))
    codes = grid.codes(r)
    assert codes.min() >= 0 and codes.max() < 2**grid.bits
    assert torch.equal(torch.tensor(grid.levels)[codes], grid.nearest(r))
    assert grid_from_json(grid.to_json()) == grid


@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: f"{g.kind}{g.bits}")
def test_a_second_rounding_changes_nothing(grid: Grid) -> None:
    weight, step = torch.randn(5, 40, generator=torch.Generator().manual_seed(0)), torch.rand(5, 1) + 0.01
    once = lsq(weight, step, grid.nearest, low=grid.low, high=grid.high)
    assert torch.equal(lsq(once, step, grid.nearest, low=grid.low, high=grid.high), once)


@pytest.mark.parametrize(
    ("r", "of_w", "of_s"),
    [(-3.4, 0.0, -2.0), (-2.0, 0.0, -2.0), (-0.7, 1.0, -0.3), (0.2, 1.0, -0.2), (0.8, 1.0, 0.2), (1.0, 0.0, 1.0), (5.0, 0.0, 1.0)],
)
def test_gradients_by_hand_in_all_three_regimes(r: float, of_w: float, of_s: float) -> None:
    """Signed 2 bits, -2 .. 1, step 0.5, an incoming gradient of 3 and a share of 0.25."""
    grid = whole_grid("signed", 2)
    weight = torch.tensor([0.5 * r], dtype=torch.float64, requires_grad=True)
    step = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    lsq(weight, step, grid.nearest, low=grid.low, high=grid.high, share=0.25).backward(torch.tensor([3.0], dtype=torch.float64))
    assert weight.grad.item() == pytest.approx(3.0 * of_w)
    assert step.grad.item() == pytest.approx(3.0 * 0.25 * of_s, abs=1e-12)


def test_the_gradient_of_a_step_is_that_of_the_formula_without_rounding() -> None:
    """Spec (b): with the rounding error e = q - r held still, s (r + e) has the slope that LSQ answers: finite difference of that."""
    grid = whole_grid("symmetric", 4)
    weight = torch.tensor([-5.0, -0.31, 0.12, 0.49, 4.0], dtype=torch.float64)
    step = torch.tensor([0.2], dtype=torch.float64, requires_grad=True)
    lsq(weight, step, grid.nearest, low=grid.low, high=grid.high).sum().backward()
    error = grid.nearest(weight / 0.2) - weight / 0.2  # of the three inside
    inside = (weight / 0.2).abs() < 7

    def held(s: float) -> float:
        return float(torch.where(inside, weight + s * error, s * grid.nearest(weight / s)).sum())

    assert step.grad.item() == pytest.approx((held(0.2 + 1e-6) - held(0.2 - 1e-6)) / 2e-6, rel=1e-6)


def test_steps_per_channel_and_their_share_by_hand() -> None:
    """4 bits, h = 7; rows with mean 1 and 2 over what is not 0; 4 weights share a step: g = 1/sqrt(28)."""
    weight = nn.Parameter(torch.tensor([[1.0, -1.0, 0.0, 1.0], [4.0, 2.0, -1.0, 1.0]]))
    made = WeightLSQ(whole_grid("symmetric", 4), weight, Scheme())
    assert made.step.tolist() == pytest.approx([2 / math.sqrt(7), 4 / math.sqrt(7)])
    made.step.data = torch.tensor([0.9, 0.9])
    made(weight).sum().backward()
    # row 0: r = +-1.11 -> q = +-1, q - r = -+0.11, and 0: their sum is -0.11; row 1: 4.44 2.22 -1.11 1.11 -> -0.44 - 0.22 + 0.11 - 0.11
    assert made.step.grad.tolist() == pytest.approx([-1 / 9 / math.sqrt(28), -6 / 9 / math.sqrt(28)], abs=1e-6)
    assert first_step(whole_grid("symmetric", 4), weight, Scheme(scale="tensor")).tolist() == pytest.approx([2 * 11 / 7 / math.sqrt(7)])


def test_a_step_stays_positive_and_a_dead_channel_finite() -> None:
    made = WeightLSQ(whole_grid("symmetric", 2), torch.zeros(2, 3), Scheme())
    assert torch.equal(made(torch.zeros(2, 3)), torch.zeros(2, 3))
    made.step.data = torch.tensor([-0.5, 0.0])
    assert (made.positive_step() > 0).all() and made(torch.ones(2, 3))[0].tolist() == [0.5, 0.5, 0.5]


def test_best_steps_beat_the_largest_weight() -> None:
    """Ternary and a normal channel: least squares clips; on a channel that is a grid already it finds the grid."""
    grid, scheme = whole_grid("symmetric", 2), Scheme()
    weight = torch.randn(1, 500, generator=torch.Generator().manual_seed(0))
    step = best_steps(grid, weight, scheme)
    errors = [(grid.nearest(weight / s) * s - weight).square().sum().item() for s in (step.item(), weight.abs().max().item(), 0.3)]
    assert errors[0] < 0.5 * errors[1] and errors[0] < errors[2]
    exact = torch.tensor([[-0.3, 0.0, 0.3, 0.3]])
    assert best_steps(grid, exact, scheme).tolist() == pytest.approx([0.3])


def test_a_layer_shows_its_grid_and_gets_its_weights_back() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    before = model[0].weight.detach().clone()
    with quantised_weights(model, {"0": whole_grid("symmetric", 2)}, Scheme()) as made:
        shown = model[0].weight / made["0"].step[:, None]
        assert torch.allclose(shown, shown.round(), atol=1e-6) and shown.abs().max() <= 1 + 1e-6
        assert [name for name, p in model.named_parameters() if p.ndim > 1] == ["0.parametrizations.weight.original"]
    assert torch.equal(model[0].weight, before) and isinstance(model[0].weight, nn.Parameter)


def test_quantised_relu_by_hand() -> None:
    """2 bits: 0 .. 3 steps of 0.5; gradient passes between 0 and 1.5 only."""
    relu = QuantisedReLU(2)
    relu.step.data.fill_(0.5)
    x = torch.tensor([[[-1.0, 0.2, 0.3, 1.2, 9.0]]], requires_grad=True)
    y = relu(x)
    assert y.flatten().tolist() == [0.0, 0.0, 0.5, 1.0, 1.5]
    y.sum().backward()
    assert x.grad.flatten().tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    # -0.4, 1 - 0.6, 2 - 2.4 and 3 at the top, times 1/sqrt(5 * 3)
    assert relu.step.grad.item() == pytest.approx((-0.4 + 0.4 - 0.4 + 3) / math.sqrt(15))
    relu.start_from(torch.tensor([0.0, 1.0, 3.0]))
    assert relu.step.item() == pytest.approx(4 / math.sqrt(3))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: whole_grid("symmetric", 1), r"bits=1; need 2 to 8"),
        (lambda: whole_grid("symetric", 4), r"unknown grid 'symetric'"),
        (lambda: device_grid([1.0]), r"levels=\[1\.0\]; need 2 to 256"),
        (lambda: device_grid([-1, 1, 1]), r"need rising order, none twice"),
        (lambda: device_grid([0, 1]), r"need negative and positive ones"),
        (lambda: Scheme(grid="device"), r"give levels for grid='device'"),
        (lambda: Scheme(levels=(-1.0, 1.0)), r"give levels for grid='device' and for no other"),
        (lambda: Scheme(scale="row"), r"unknown scale 'row'"),
        (lambda: Scheme(edge_bits=9), r"bits=9; need 2 to 8"),
        (lambda: Scheme(grid="device", levels=(-1, 0, 1)).grids(nn.Sequential(nn.Linear(1, 1)), 4), r"bits=4, but 3 levels take 2"),
        (lambda: Scheme().grids(nn.Sequential(), 4), r"no convolution or linear layer"),
        (lambda: QuantisedReLU(0), r"activation_bits=0; need 1 to 8"),
    ],
)
def test_errors(make, text: str) -> None:
    with pytest.raises(UserError, match=text):
        make()
