"""GLIF: its corners bit for bit, SpikingJelly's node where that conforms, and what SpikingJelly's does otherwise."""

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.neurons import GLIF

ON, OFF = 200.0, -200.0  # sigmoids of exactly 1 and 0 in float32


def currents(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 0.5


def glif(channels: int = 6, time_steps: int = 8, **raw: float) -> GLIF:
    """A node whose named raw numbers are set by hand."""
    node = GLIF(channels=channels, time_steps=time_steps)
    with torch.no_grad():
        for name, value in raw.items():
            getattr(node, f"raw_{name}").fill_(value)
    return node


def run(node: nn.Module, x: Tensor) -> Tensor:
    functional.reset_net(node)
    return node(x)


# --- T1: parameters


@pytest.mark.parametrize(("channels", "time_steps"), [(1, 1), (16, 4), (64, 10)])
def test_t1_parameter_count(channels: int, time_steps: int) -> None:
    count = sum(p.numel() for p in GLIF(channels=channels, time_steps=time_steps).parameters())
    assert count == channels * (7 + time_steps)
    shared = GLIF(channels=channels, time_steps=time_steps, per_channel=False)
    assert sum(p.numel() for p in shared.parameters()) == 7 + time_steps


@pytest.mark.parametrize(("time_steps", "overhead"), [(2, 35_136), (4, 42_944), (6, 50_752)])
def test_t1_what_glif_adds_to_the_papers_resnet18(time_steps: int, overhead: int) -> None:
    layers = [64] + [c for c in (64, 128, 256, 512) for _ in range(4)]
    assert sum(p.numel() for c in layers for p in GLIF(channels=c, time_steps=time_steps).parameters()) == overhead


# --- T2: corners, bit for bit


def corner(alpha: float, beta: float, gamma: float, x_TNC: Tensor, **raw: float) -> tuple[GLIF, Tensor, dict[str, Tensor]]:
    node = glif(x_TNC.shape[2], len(x_TNC), alpha=alpha, beta=beta, gamma=gamma, theta=0.3, theta_r=-0.2, **raw)
    node.raw_tau.data.copy_(torch.linspace(-3, 1.7, x_TNC.shape[2]))  # values that 1 - (1 - tau) does not give back exactly
    return node, node(x_TNC).detach(), node.effective()


def check(x_TNC: Tensor, node: GLIF, s_TNC: Tensor, theta: Tensor, step) -> None:  # type: ignore[no-untyped-def]
    u = o = torch.zeros_like(x_TNC[0])
    for x, s in zip(x_TNC, s_TNC, strict=True):
        u = step(u, o, x)
        o = (u > theta).float()
        assert torch.equal(s, o)
    assert torch.equal(node.v, u) and 0.05 < float(s_TNC.mean()) < 0.9


def test_t2_lif_with_hard_reset() -> None:
    x = currents(8, 5, 6)
    node, s, k = corner(ON, OFF, ON, x)
    check(x, node, s, k["theta"], lambda u, o, x: k["tau"] * u * (1 - o) + x)


def test_t2_lif_with_soft_reset() -> None:
    x = currents(8, 5, 6)
    node, s, k = corner(ON, OFF, OFF, x)
    check(x, node, s, k["theta"], lambda u, o, x: k["tau"] * u + x - k["theta_r"] * o)


def test_t2_integrate_and_fire_with_soft_reset() -> None:
    x = currents(8, 5, 6)
    node, s, k = corner(OFF, OFF, OFF, x, leak=OFF)
    check(x, node, s, k["theta"], lambda u, o, x: u + x - k["theta_r"] * o)


def test_t2_linear_leak_with_hard_reset() -> None:
    x = currents(8, 5, 6)
    node, s, k = corner(OFF, OFF, ON, x, leak=-1.3)
    check(x, node, s, k["theta"], lambda u, o, x: u * (1 - o) - k["leak"] + x)


def test_t2_conductance_weighs_the_input_by_the_step() -> None:
    x = 2 * currents(8, 5, 6)
    node = glif(6, 8, alpha=ON, beta=ON, gamma=ON, tau=-0.532)
    node.raw_g.data.copy_(torch.linspace(-2, 2, 8)[:, None].expand(8, 6))
    k, u, o = node.effective(), torch.zeros(5, 6), torch.zeros(5, 6)
    for t, s in enumerate(node(x)):
        u = k["tau"] * u * (1 - o) + k["g"][t] * x[t]
        o = (u > k["theta"]).float()
        assert torch.equal(s, o)


def test_by_hand() -> None:
    """All gates 1/2, tau 1/4, theta 1/2, lambda 1/16, theta_r 1/2, g 1/2: u = 5/8 u (1 - o/2) - 1/32 + 3/4 x - o/4."""
    node = glif(1, 3, alpha=0.0, beta=0.0, gamma=0.0).double()
    u1 = 0.75 * 0.8 - 1 / 32  # fires
    u2 = 0.625 * u1 * 0.5 - 1 / 32 + 0.75 * 0.4 - 0.25  # silent
    u3 = 0.625 * u2 - 1 / 32 + 0.75 * 0.7
    assert u1 > 0.5 > u2
    x, potentials = torch.tensor([0.8, 0.4, 0.7]).double().view(3, 1, 1), []
    spikes = []
    for t in range(3):
        spikes.append(node(x[t : t + 1]).item())
        potentials.append(node.v.item())
    assert potentials == pytest.approx([u1, u2, u3], abs=1e-7) and spikes == [1.0, 0.0, float(u3 > 0.5)]


def test_the_threshold_itself_does_not_fire() -> None:
    node = glif(1, 1, alpha=ON, beta=OFF, gamma=ON, theta=0.0)  # theta = 1/2, u = x
    at, above = torch.tensor([[[0.5]]]), torch.tensor([[[float(np.nextafter(np.float32(0.5), np.float32(1)))]]])
    assert run(node, at).item() == 0.0 and run(node, above).item() == 1.0


# --- parity with SpikingJelly where it conforms


def stock(node: GLIF, surrogate_function: nn.Module) -> nn.Module:
    theirs = neuron.GatedLIFNode(T=node.time_steps, inplane=node.channels, surrogate_function=surrogate_function)
    names = {"alpha": "alpha", "beta": "beta", "gamma": "gamma", "tau": "tau", "v_threshold": "theta", "linear_decay": "leak"}
    with torch.no_grad():
        for name, mine in {**names, "v_subreset": "theta_r"}.items():
            getattr(theirs, name).copy_(getattr(node, f"raw_{mine}"))
        theirs.conduct.copy_(node.raw_g)
    return theirs.double()


@pytest.mark.parametrize("name", ["rectangle", "atan"])
def test_equals_spikingjelly_in_spikes_and_gradients(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    node = GLIF(channels=5, time_steps=6, surrogate=name)
    for parameter in node.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=generator))
    node = node.double()
    theirs = stock(node, surrogate.Rect() if name == "rectangle" else surrogate.ATan(alpha=2.0))
    x_one = currents(6, 4, 5, 3, 3).double().mul_(1.5).requires_grad_()
    x_two, weight = x_one.detach().clone().requires_grad_(), currents(6, 4, 5, 3, 3, seed=2).double()
    one, two = node(x_one), theirs(x_two)
    assert torch.equal(one, two) and 0.1 < one.mean().item() < 0.9
    (one * weight).sum().backward()
    (two * weight).sum().backward()
    assert float(x_two.grad.abs().max()) > 0 and torch.allclose(x_one.grad, x_two.grad, atol=1e-12)
    for mine, other in (("alpha", "alpha"), ("beta", "beta"), ("gamma", "gamma"), ("tau", "tau"), ("theta", "v_threshold")):
        assert torch.allclose(getattr(node, f"raw_{mine}").grad, getattr(theirs, other).grad, atol=1e-12)
    assert torch.allclose(node.raw_leak.grad, theirs.linear_decay.grad, atol=1e-12)
    assert torch.allclose(node.raw_theta_r.grad, theirs.v_subreset.grad, atol=1e-12)
    assert torch.allclose(node.raw_g.grad, theirs.conduct.grad, atol=1e-12)


def test_spikingjelly_forgets_the_spike_between_calls_and_this_does_not() -> None:
    node = glif(3, 8, theta=-1.0).double()
    x = 2 * currents(8, 6, 3, 2, 2).double()
    theirs, halves = stock(node, surrogate.Rect()), GLIF(channels=3, time_steps=4).double()
    for mine, other in zip(halves.raw(), node.raw(), strict=True):
        mine.data.copy_(other)
    short = stock(halves, surrogate.Rect())
    whole = theirs(x)
    assert not torch.equal(torch.cat([short(x[:4]), short(x[4:])]), whole)
    assert torch.equal(torch.cat([node(x[:4]), node(x[4:])]), whole)


# --- T3, T4, T5, T6


def test_t3_stays_within_bounds_after_1000_steps_of_an_optimiser() -> None:
    node = GLIF(channels=3, time_steps=2)
    optimiser = torch.optim.Adam(node.parameters(), lr=1e-2)
    x = currents(2, 8, 3)
    before = node.effective()
    for _ in range(1000):
        optimiser.zero_grad()
        run(node, x).mean().backward()
        optimiser.step()
    for name, value in node.effective().items():
        assert float(value.min()) > 0 and float(value.max()) < 1, name
    assert float((node.effective()["theta"] - before["theta"]).abs().min()) > 0.05  # it did learn


@pytest.mark.parametrize("shape", [(6, 9, 5), (6, 4, 5, 7), (6, 4, 5, 3, 3)])
@pytest.mark.parametrize("per_channel", [True, False])
def test_t4_t6_every_parameter_gets_a_gradient(shape: tuple[int, ...], per_channel: bool) -> None:
    node = GLIF(channels=5, time_steps=6, per_channel=per_channel)
    node(currents(*shape)).sum().backward()
    for name, parameter in node.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and (parameter.grad != 0).any(), name


def test_t5_the_gates_do_not_depend_on_the_input() -> None:
    """From rest the first potential is a straight line of the current, the same one for every sample."""
    node = glif(4, 1).double()
    x = torch.linspace(-2, 2, 9).double().view(1, 9, 1).expand(1, 9, 4)
    node(x)
    assert torch.allclose(node.v.diff(dim=0), node.v.diff(dim=0)[:1].expand(8, 4), atol=1e-12) and (node.v[1] > node.v[0]).all()


def test_t6_gradient_by_hand_goes_through_the_reset() -> None:
    """Hard-reset LIF: u2 = tau u1 (1 - o1) + x2, so do2/dx1 = r(u2) (tau (1 - o1) - tau u1 r(u1)) with r = 1[|u - theta| < 1/2]."""
    node = glif(1, 2, alpha=ON, beta=OFF, gamma=ON, theta=0.0).double()
    tau = node.effective()["tau"].item()
    for x1, expected in ((0.7, -tau * 0.7), (0.3, tau * (1 - 0.3)), (1.2, 0.0)):  # fires in the window; silent in it; fires outside
        x = torch.tensor([x1, 0.4], dtype=torch.float64).view(2, 1, 1).requires_grad_()
        run(node, x)[1].sum().backward()
        assert x.grad.flatten().tolist() == pytest.approx([expected, 1.0], abs=1e-9)


# --- T7 and state


def test_t7_chunks_and_single_steps_are_the_whole() -> None:
    node, x = GLIF(channels=5, time_steps=7), 2 * currents(7, 3, 5, 2, 2)
    node.raw_g.data.copy_(torch.linspace(-3, 3, 7)[:, None].expand(7, 5))  # so that a wrong step index shows
    whole, v = run(node, x), node.v
    functional.reset_net(node)
    assert torch.equal(torch.cat([node(x[:3]), node(x[3:4]), node(x[4:])]), whole) and torch.equal(node.v, v)
    functional.reset_net(node)
    assert torch.equal(torch.cat([node(x[t : t + 1]) for t in range(7)]), whole)
    functional.reset_net(node)
    node.step_mode = "s"
    assert torch.equal(torch.stack([node(x[t]) for t in range(7)]), whole)
    assert not torch.equal(run(GLIF(channels=5, time_steps=7), x), whole)


def test_samples_do_not_mix_and_the_future_does_not_show() -> None:
    node, x = GLIF(channels=5, time_steps=6), 2 * currents(6, 8, 5)
    whole = run(node, x)
    assert torch.equal(run(node, x[:, [3]]), whole[:, [3]])
    later = x.clone()
    later[4:] = 5.0
    assert torch.equal(run(node, later)[:4], whole[:4])


def test_rank_and_dtype_follow_the_input() -> None:
    node, x = GLIF(channels=5, time_steps=6), 2 * currents(6, 4, 5, 3, 3)
    whole = run(node, x)
    assert torch.equal(run(node, x.flatten(3)), whole.flatten(3))
    assert torch.equal(run(node, x[..., 1, 1]), whole[..., 1, 1])
    for dtype in (torch.bfloat16, torch.float64):
        assert run(node, x.to(dtype)).dtype == dtype


def test_more_steps_than_g_has_numbers() -> None:
    node, x = GLIF(channels=2, time_steps=4), currents(3, 1, 2)
    node(x)
    with pytest.raises(UserError, match=r"T=4 steps, has done 3 and got 3 more; reset it between sequences"):
        node(x)
    functional.reset_net(node)
    assert node(x).shape == x.shape
