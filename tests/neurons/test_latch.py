"""TTFSLatch: never more than one spike, by hand, in order, and what its gradient sees."""

import math

import pytest
import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.neurons import TTFSLatch, potential


def currents(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def run(node: nn.Module, x: Tensor) -> Tensor:
    functional.reset_net(node)
    return node(x)


def first(s_TN: Tensor) -> Tensor:
    return torch.where(s_TN.amax(0) > 0, s_TN.argmax(0), len(s_TN))


# --- by hand


def test_by_hand_without_a_ramp() -> None:
    """V = .5, 1 (the threshold itself does not fire), 1.25 (fires), 3; -1, .5, 2 (fires), 9; nothing at all."""
    node = TTFSLatch(ramp=0.0)
    x = torch.tensor([[0.5, -1.0, 0.0], [0.5, 1.5, 0.0], [0.25, 1.5, 0.0], [1.75, 7.0, 0.0]])[:, None]
    assert node(x)[:, 0].T.tolist() == [[0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert node.v[0].tolist() == [3.0, 9.0, 0.0] and node.waiting[0].tolist() == [0.0, 0.0, 1.0]


def test_by_hand_with_a_ramp() -> None:
    """T = 4, V_th = 2: theta = 1.5, 1, .5, 0. A constant potential fires at the first theta below it."""
    node = TTFSLatch(time_steps=4, v_threshold=2.0)
    assert [node.theta(t) for t in range(6)] == [1.5, 1.0, 0.5, 0.0, 0.0, 0.0]
    start = torch.tensor([2.0, 1.2, 1.0, 0.3, 1e-30, 0.0, -0.5])
    x = torch.cat([start[None, None], torch.zeros(3, 1, 7)])
    assert first(node(x))[0].tolist() == [0, 1, 2, 3, 3, 4, 4]
    half = TTFSLatch(time_steps=4, v_threshold=2.0, ramp=0.5)
    assert [half.theta(t) for t in range(4)] == [1.75, 1.5, 1.25, 1.0]


# --- T1: at most one spike


@pytest.mark.parametrize("shape", [(9, 4, 30), (9, 4, 6, 7), (9, 4, 6, 5, 5)])
@pytest.mark.parametrize("ramp", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("scale", [0.3, 1.0, 100.0])
def test_t1_at_most_one_spike(shape: tuple[int, ...], ramp: float, scale: float) -> None:
    s = run(TTFSLatch(time_steps=9, ramp=ramp), currents(*shape, scale=scale))
    assert set(s.unique().tolist()) == {0.0, 1.0} and set(s.sum(0).unique().tolist()) == {0.0, 1.0}


def test_t1_for_as_long_as_nobody_resets() -> None:
    node = TTFSLatch(time_steps=4)
    s = torch.cat([node(currents(4, 3, 20, seed=seed, scale=5.0)) for seed in range(5)])
    assert s.sum(0).max() == 1
    functional.reset_net(node)
    assert (node(currents(4, 3, 20, scale=5.0)).sum(0) + s.sum(0)).max() == 2


@pytest.mark.parametrize("pool", ["average", "maximum", "maximum, then a latch"])
def test_t1_after_pooling(pool: str) -> None:
    """The trap: a maximum over four trains is a train with up to four spikes."""
    s = run(TTFSLatch(time_steps=8), currents(8, 6, 5, 8, 8, scale=0.2)).flatten(0, 1)
    pooled = (nn.AvgPool2d(2) if pool == "average" else nn.MaxPool2d(2))(s).view(8, 6, 5, 4, 4)
    if pool == "maximum, then a latch":
        pooled = run(TTFSLatch(ramp=0.0, v_threshold=0.5), pooled)  # the earliest spike of the four
        assert torch.equal(first(pooled), 8 - nn.MaxPool2d(2)(8 - first(s.view(8, 6, 5, 8, 8)).flatten(0, 1).float()).view(6, 5, 4, 4))
    assert (float(pooled.sum(0).max()) > 1) == (pool == "maximum")


# --- T3: order


@pytest.mark.parametrize("ramp", [0.0, 0.5, 1.0])
def test_t3_a_larger_current_never_fires_later(ramp: float) -> None:
    steady = torch.linspace(-0.5, 1.5, 401).expand(10, 1, 401)
    step = first(run(TTFSLatch(time_steps=10, ramp=ramp), steady))[0]
    assert (step.diff() <= 0).all() and step[-1] == 0 and (step[steady[0, 0] <= 0] == 10).all()


def test_full_ramp_every_positive_potential_fires_and_no_other() -> None:
    start = currents(1, 3, 500)
    x = torch.cat([start, torch.zeros(6, 3, 500)])
    for steps in (7, 7 * 3):  # and later steps add none
        s = run(TTFSLatch(time_steps=7), torch.cat([x, torch.zeros(steps - 7, 3, 500)]))
        assert torch.equal(s.sum(0) > 0, start[0] > 0)


# --- state


@pytest.mark.parametrize("ramp", [0.0, 1.0])
def test_chunks_samples_causality(ramp: float) -> None:
    node, x = TTFSLatch(time_steps=6, ramp=ramp), currents(6, 4, 5, 3, 3, scale=0.8)
    whole = run(node, x)
    functional.reset_net(node)
    assert torch.equal(torch.cat([node(x[:2]), node(x[2:3]), node(x[3:])]), whole) and 0.05 < float(whole.mean()) < 0.5
    assert torch.equal(run(node, x[:, [2]]), whole[:, [2]])
    later = x.clone()
    later[4:] = 9.0
    assert torch.equal(run(node, later)[:4], whole[:4])
    functional.reset_net(node)
    node.step_mode = "s"
    assert torch.equal(torch.stack([node(x[t]) for t in range(6)]), whole)


def test_has_no_parameters_keeps_the_dtype_and_sums_in_single_precision() -> None:
    node = TTFSLatch(ramp=0.0, v_threshold=500.5)
    s = node(torch.ones(501, 1, 1, dtype=torch.bfloat16))  # in bfloat16 the sum would stop at 256
    assert not list(node.parameters()) and s.dtype == torch.bfloat16 and s.argmax(0).item() == 500 and node.v.item() == 501


# --- gradient


def slope(v: float) -> float:
    return 1 / (1 + (math.pi * v) ** 2)


def test_gradient_stops_at_the_spike_and_ignores_the_latch() -> None:
    """V = .4, .9, 1.5 (fires), 2: do[t]/dx[j] = g'(V[t] - 1) for j <= t <= 2, and nothing from o[3] or through m."""
    x = torch.tensor([0.4, 0.5, 0.6, 0.5], dtype=torch.float64).view(4, 1, 1).requires_grad_()
    weight = torch.tensor([1.0, 10.0, 100.0, 1000.0], dtype=torch.float64)
    (TTFSLatch(ramp=0.0)(x).flatten() * weight).sum().backward()
    terms = [w * slope(v - 1) for w, v in ((1, 0.4), (10, 0.9), (100, 1.5))]
    assert x.grad.flatten().tolist() == pytest.approx([sum(terms), sum(terms[1:]), terms[2], 0.0], rel=1e-12)


def test_gradient_with_a_ramp_is_about_the_melted_threshold() -> None:
    x = torch.tensor([0.2, 0.0], dtype=torch.float64).view(2, 1, 1).requires_grad_()
    TTFSLatch(time_steps=2, v_threshold=3.0)(x)[1].sum().backward()
    assert x.grad[1].item() == pytest.approx(slope(0.2))


def test_potential() -> None:
    x = currents(5, 2, 3).double()
    v = potential(x)
    assert torch.allclose(v[-1], x.sum(0)) and torch.equal(v[0], x[0])
    lead = torch.arange(5, 0, -1).double() / 5
    assert torch.allclose(v.mean(0), torch.tensordot(lead, x, dims=1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TTFSLatch(), r"ramp=1.0 needs time_steps"),
        (lambda: TTFSLatch(time_steps=0), "time_steps=0; need at least 1"),
        (lambda: TTFSLatch(time_steps=4, ramp=1.5), r"ramp=1.5; need the share"),
        (lambda: TTFSLatch(time_steps=4, v_threshold=0.0), r"v_threshold=0.0; need a positive number"),
        (lambda: TTFSLatch(time_steps=4, surrogate="Atan"), "unknown surrogate 'Atan'; did you mean atan"),
    ],
)
def test_mistakes(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=message):
        call()
