"""A layer of LIF neurons, alone and behind a linear layer, forward and backward."""

from collections.abc import Callable

import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

from snn5.bench._measure import Side


def stock_neuron() -> nn.Module:
    """SpikingJelly's LIF with this project's settings: the same numbers."""
    return neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan(alpha=2.0), detach_reset=True, step_mode="m")


def given(*shape: int, seed: int = 0) -> Tensor:
    """Currents that make every few neurons fire."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def neuron_alone(make_neuron: Callable[[], nn.Module], shape: tuple[int, ...]) -> Side:
    """Forward and backward of one layer at currents of this shape; the incoming gradient is dense."""
    node, x, g = make_neuron(), given(*shape).requires_grad_(), given(*shape, seed=1)

    def once() -> None:
        functional.reset_net(node)
        torch.autograd.grad(node(x), x, g)

    return once


def behind_linear(make_neuron: Callable[[], nn.Module], shape: tuple[int, ...]) -> Side:
    """The Open Neuromorphic benchmark's net: a linear layer as wide as the input, and a layer of LIF; gradients of the weights."""
    net = nn.Sequential(layer.Linear(shape[-1], shape[-1], step_mode="m"), make_neuron())
    x, wanted = 3 * torch.rand(shape, generator=torch.Generator().manual_seed(0)), list(net.parameters())

    def once() -> None:
        functional.reset_net(net)
        torch.autograd.grad(net(x).sum(), wanted)

    return once
