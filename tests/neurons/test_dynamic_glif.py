"""DynamicGLIF: GLIF when its weights are zero, plain loops when they are not, causal and per sample."""

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional
from torch import Tensor

from snn5.errors import UserError
from snn5.neurons import GLIF, DynamicGLIF
from snn5.neurons._dynamic_glif import MODULATED, modulate

SHAPES = pytest.mark.parametrize("shape", [(6, 7, 5), (6, 4, 5, 9), (6, 4, 5, 3, 3)])


def currents(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 0.5


def dynamic(scale: float = 1.0, channels: int = 5, time_steps: int = 6) -> DynamicGLIF:
    node = DynamicGLIF(channels=channels, time_steps=time_steps)
    node.modulation.data.copy_(scale * torch.randn(node.modulation.shape, generator=torch.Generator().manual_seed(1)))
    node.raw_g.data.copy_(torch.linspace(-3, 3, time_steps)[:, None].expand(time_steps, channels))
    return node


def run(node: GLIF, x: Tensor) -> Tensor:
    functional.reset_net(node)
    return node(x)


@pytest.mark.parametrize(("channels", "time_steps"), [(1, 1), (16, 4), (64, 10)])
def test_parameter_count(channels: int, time_steps: int) -> None:
    node = DynamicGLIF(channels=channels, time_steps=time_steps)
    assert sum(p.numel() for p in node.parameters()) == channels * (7 + time_steps + 10)


@SHAPES
def test_zero_weights_are_glif(shape: tuple[int, ...]) -> None:
    x, weight = currents(*shape), currents(*shape, seed=3)
    node, plain = DynamicGLIF(channels=5, time_steps=6), GLIF(channels=5, time_steps=6)
    gradients = []
    for each in (node, plain):
        for number, (raw, draw) in enumerate(zip(each.raw(), currents(7, 5, seed=4), strict=True)):
            raw.data.add_(draw * (number + 1) / 4)
        x_one = x.clone().requires_grad_()
        out = run(each, x_one)
        (out * weight).sum().backward()
        gradients.append([x_one.grad, *(raw.grad for raw in each.raw())])
        if each is node:
            expected, v = out, node.v
    torch.testing.assert_close(plain.v, v, rtol=1e-5, atol=1e-6)  # the kernels take another exponential
    assert torch.equal(out, expected) and 0.05 < out.mean().item() < 0.9
    for mine, theirs in zip(*gradients, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-4, atol=1e-5)  # summed in another order


@SHAPES
def test_from_zero_every_weight_learns(shape: tuple[int, ...]) -> None:
    node = DynamicGLIF(channels=5, time_steps=6)
    run(node, currents(*shape)).sum().backward()
    for name, parameter in node.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    assert (node.modulation.grad != 0).all()


@SHAPES
def test_is_the_loop(shape: tuple[int, ...]) -> None:
    """The docstring's equations in numpy, one sample and channel at a time."""
    node, x = dynamic().double(), currents(*shape).double()
    found, v = run(node, x).detach().numpy(), node.v.detach().numpy()
    raw = {name: getattr(node, f"raw_{name}").detach().numpy() for name in (*MODULATED, "leak", "theta_r")}
    w, raw_g = node.modulation.detach().numpy(), node.raw_g.detach().numpy()

    def sigmoid(z: float) -> float:
        return 1 / (1 + np.exp(-z))

    for n in range(shape[1]):
        for c in range(shape[2]):
            u = o = np.zeros(shape[3:])
            for t in range(shape[0]):
                i = x[t, n, c].numpy()
                m, r = i.mean(), o.mean()
                moved = (sigmoid(raw[name][c] + w[c, k, 0] * m + w[c, k, 1] * r) for k, name in enumerate(MODULATED))
                alpha, beta, gamma, tau, theta = moved
                leak, theta_r, g = sigmoid(raw["leak"][c]), sigmoid(raw["theta_r"][c]), sigmoid(raw_g[t, c])
                u = (
                    (1 - alpha * (1 - tau)) * u * (1 - gamma * o)
                    - (1 - alpha) * leak
                    + i * (1 - beta * (1 - g))
                    - (1 - gamma) * theta_r * o
                )
                o = (u > theta).astype(float)
                assert (found[t, n, c] == o).all()
            np.testing.assert_allclose(v[n, c], u, atol=1e-12)
    assert 0.05 < found.mean() < 0.9


def test_gates_follow_the_input() -> None:
    """Unlike GLIF's: from rest, the potential is not the same straight line of the current for every current."""
    node = dynamic(time_steps=1).double()
    x = torch.linspace(-2, 2, 9).double().view(1, 9, 1).expand(1, 9, 5)
    node(x)
    slopes = node.v.diff(dim=0)
    assert ((slopes.amax(0) - slopes.amin(0)) > 1e-3).all()


def test_spikes_can_raise_the_threshold() -> None:
    """W_r of theta above 0 is an adapting threshold: the same current, fewer spikes, the first ones alike."""
    x = torch.full((6, 1, 5), 0.9)
    node = DynamicGLIF(channels=5, time_steps=6)
    before = run(node, x)
    node.modulation.data[:, MODULATED.index("theta"), 1] = 3.0
    after = run(node, x)
    assert torch.equal(before[0], after[0]) and after.sum().item() < 0.8 * before.sum().item()


def test_modulate_by_hand() -> None:
    raw = GLIF(channels=2, time_steps=1).raw()
    w = torch.zeros(2, 5, 2)
    w[0, 3, 0], w[1, 4, 1] = 2.0, -4.0  # tau of channel 0 by the current, theta of channel 1 by the spikes
    x, o = torch.tensor([[[1.0, 2.0], [5.0, 7.0]]]), torch.tensor([[[1.0, 1.0], [0.0, 1.0]]])
    moved = modulate(raw, w, x, o)
    assert torch.allclose(moved.tau - raw.tau, torch.tensor([[3.0, 0.0]])) and torch.allclose(
        moved.theta - raw.theta, torch.tensor([[0.0, -2.0]])
    )
    assert torch.equal(moved.alpha, raw.alpha[None]) and moved.leak is raw.leak and moved.theta_r is raw.theta_r


@SHAPES
def test_samples_do_not_mix_the_future_does_not_show_and_steps_are_the_whole(shape: tuple[int, ...]) -> None:
    node, x = dynamic(), currents(*shape)
    whole, v = run(node, x), node.v
    for n in range(shape[1]):
        assert torch.equal(run(node, x[:, [n]]), whole[:, [n]])
    later = x.clone()
    later[4:] = 5.0
    assert torch.equal(run(node, later)[:4], whole[:4]) and not torch.equal(run(node, later)[4:], whole[4:])
    functional.reset_net(node)
    assert torch.equal(torch.cat([node(x[:2]), node(x[2:3]), node(x[3:])]), whole) and torch.equal(node.v, v)


def test_reset_parameters_is_glif_again() -> None:
    node = dynamic()
    node.reset_parameters(torch.Generator().manual_seed(5))
    plain = GLIF(channels=5, time_steps=6)
    plain.reset_parameters(torch.Generator().manual_seed(5))
    assert all(map(torch.equal, node.raw(), plain.raw())) and not node.modulation.any()


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"DynamicGLIF got a current of shape \[2, 3, 5\]; need \[T, N, 4, ...\]"):
        DynamicGLIF(channels=4, time_steps=4)(torch.zeros(2, 3, 5))
    with pytest.raises(UserError, match=r"DynamicGLIF was made for T=1 steps, has done 0 and got 2 more"):
        DynamicGLIF(channels=4, time_steps=1)(torch.zeros(2, 3, 4))
