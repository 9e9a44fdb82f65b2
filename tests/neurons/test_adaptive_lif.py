"""AdaptiveLIF: LIF at the start, then leak and gain of their own, and a leak that cannot run away."""

import pytest
import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor

from snn5.errors import UserError
from snn5.neurons import AdaptiveLIF


def currents(*shape: int, seed: int = 0) -> Tensor:
    return 3 * torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(keep: float, gain: float, **args: float) -> AdaptiveLIF:
    node = AdaptiveLIF(channels=1, **args).double()
    node.keep.data.fill_(keep)
    node.gain.data.fill_(gain)
    return node


def run(node: AdaptiveLIF, x: Tensor) -> Tensor:
    functional.reset_net(node)
    return node(x)


def test_by_hand() -> None:
    """M = 1/2, N = 1/4: V = .5, 1 (fires: the threshold is included), then from 0: .25, .625."""
    node = made(0.5, 0.25)
    x = torch.tensor([2.0, 3.0, 1.0, 2.0], dtype=torch.float64).view(4, 1, 1)
    assert node(x).flatten().tolist() == [0, 1, 0, 0] and node.v.item() == 0.625


@pytest.mark.parametrize(("tau", "decay_input"), [(1.5, True), (2.0, True), (5.5, True), (2.0, False)])
def test_at_the_start_it_is_spikingjellys_lif(tau: float, decay_input: bool) -> None:
    x, weight = currents(12, 6, 10), currents(12, 6, 10, seed=1)
    node = AdaptiveLIF(channels=10, tau=tau, decay_input=decay_input).double()
    with torch.no_grad():  # 1/tau in double precision, as SpikingJelly has it
        node.keep.fill_(1 - 1 / tau)
        node.gain.fill_(1 / tau if decay_input else 1.0)
    theirs = neuron.LIFNode(
        tau=tau, decay_input=decay_input, v_reset=0.0, surrogate_function=surrogate.ATan(alpha=2.0), detach_reset=True, step_mode="m"
    )
    x_one, x_two = x.clone().requires_grad_(), x.clone().requires_grad_()
    one, two = node(x_one), theirs(x_two)
    assert torch.equal(one, two) and 0.05 < one.mean().item() < 0.95
    assert torch.allclose(node.v, theirs.v, atol=1e-12)
    (one * weight).sum().backward()
    (two * weight).sum().backward()
    assert x_two.grad.abs().max() > 0 and torch.allclose(x_one.grad, x_two.grad, atol=1e-12)


def test_single_precision_differs_from_lif_only_by_rounding() -> None:
    x = currents(8, 20, 30).float()
    node, theirs = AdaptiveLIF(channels=30, tau=3.0), neuron.LIFNode(tau=3.0, v_reset=0.0, step_mode="m")
    assert torch.equal(node(x), theirs(x))
    assert torch.allclose(node.v, theirs.v, atol=1e-6)


def test_two_numbers_per_channel_and_all_learn() -> None:
    node = AdaptiveLIF(channels=7)
    assert sum(p.numel() for p in node.parameters()) == 14
    node(currents(5, 8, 7).float()).sum().backward()
    assert (node.keep.grad != 0).all() and (node.gain.grad != 0).all()


def test_gradients_of_m_and_n_by_hand() -> None:
    """Silent first step: dS2/dM = g'(V2 - 1) H1 and dS2/dN = g'(V2 - 1) (I2 + M I1)."""
    node = made(0.5, 0.4)
    i1, i2 = 1.0, 1.5
    node(torch.tensor([i1, i2], dtype=torch.float64).view(2, 1, 1))[1].sum().backward()
    h1, v2 = 0.4 * i1, 0.5 * 0.4 * i1 + 0.4 * i2
    slope = 1 / (1 + (torch.pi * (v2 - 1)) ** 2)
    assert node.keep.grad.item() == pytest.approx(slope * h1) and node.gain.grad.item() == pytest.approx(slope * (i2 + 0.5 * i1))


def test_the_leak_cannot_run_away_and_can_come_back() -> None:
    x = torch.full((400, 1, 1), -1.0, dtype=torch.float64)
    node = made(1.5, 0.1)
    node(x)
    assert node.v.item() == pytest.approx(-40.0) and node.effective()["M"].item() == 1.0  # a sum, not 1.5^400
    inhibited = torch.tensor([-1.0, 2.0], dtype=torch.float64).view(2, 1, 1)
    run(node, inhibited)[1].sum().backward()
    assert node.keep.grad.item() < 0  # the clamp does not stop the gradient
    below = made(-0.5, 0.1)
    below(x[:3])
    assert below.v.item() == pytest.approx(-0.1) and below.effective()["M"].item() == 0.0


def test_chunks_samples_causality() -> None:
    node, x = AdaptiveLIF(channels=5), currents(6, 4, 5, 3, 3).float()
    whole = run(node, x)
    functional.reset_net(node)
    assert torch.equal(torch.cat([node(x[:2]), node(x[2:3]), node(x[3:])]), whole)
    assert torch.equal(run(node, x[:, [2]]), whole[:, [2]])
    later = x.clone()
    later[4:] = 9.0
    assert torch.equal(run(node, later)[:4], whole[:4])
    assert torch.equal(run(node, x.flatten(3)), whole.flatten(3)) and torch.equal(run(node, x[..., 0, 0]), whole[..., 0, 0])


def test_reset_parameters() -> None:
    node = made(0.9, 0.9, tau=4.0)
    node.reset_parameters()
    assert (node.keep.item(), node.gain.item()) == (0.75, 0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AdaptiveLIF(channels=0), "channels=0; need at least 1"),
        (lambda: AdaptiveLIF(channels=2, tau=1.0), r"tau=1.0; need tau > 1 step"),
        (lambda: AdaptiveLIF(channels=2, v_threshold=0.0), r"v_threshold=0.0; need a positive number"),
        (lambda: AdaptiveLIF(channels=2, surrogate="atn"), "unknown surrogate 'atn'; did you mean atan"),
        (lambda: AdaptiveLIF(channels=2, alpha=-1.0), r"alpha=-1.0; need a positive number"),
        (lambda: AdaptiveLIF(channels=2)(torch.zeros(2, 3, 5)), r"shape \[2, 3, 5\]; need \[T, N, 2, ...\]"),
    ],
)
def test_mistakes(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=message):
        call()
