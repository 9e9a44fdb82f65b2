"""A whole training step of a convolutional network of six layers: stock SpikingJelly's, and the same with this project's neurons."""

from collections.abc import Callable
from typing import Any

import torch
from spikingjelly.activation_based import functional, layer
from torch import Tensor, nn

from snn5.bench._measure import Side
from snn5.bench._neurons import stock_neuron
from snn5.neurons import LIF

WIDTHS = (64, 64, 128, 128, 256, 256)


def network(make_neuron: Callable[[], nn.Module], widths: tuple[int, ...] = WIDTHS, classes: int = 10) -> nn.Module:
    """Convolution, batch norm, neuron for every width, a 2 x 2 pooling after every second; then a linear read-out. Multi-step."""
    parts: list[nn.Module] = []
    channels = 3
    for i, width in enumerate(widths, 1):
        parts += [layer.Conv2d(channels, width, 3, padding=1, bias=False), layer.BatchNorm2d(width), make_neuron()]
        if i % 2 == 0:
            parts.append(layer.AvgPool2d(2))
        channels = width
    net = nn.Sequential(*parts, layer.AdaptiveAvgPool2d(1), layer.Flatten(), layer.Linear(channels, classes))
    functional.set_step_mode(net, "m")
    return net


def step(ours: bool, x_TNCHW: Tensor, *, low: bool, channels_last: bool = False, widths: tuple[int, ...] = WIDTHS) -> Side:
    """A training step to call: forward, loss, backward, optimiser.

    Args:
        ours: this project's neurons; False: SpikingJelly's.
        x_TNCHW: the batch, the same in every step.
        low: under bfloat16 autocast.
        channels_last: memory of images and weights with the channels innermost.
    """
    net: Any = network(LIF if ours else stock_neuron, widths)
    if channels_last:
        net = net.to(memory_format=torch.channels_last)
        x_TNCHW = x_TNCHW.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, x_TNCHW.shape[:2])
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01)
    y_N = torch.arange(x_TNCHW.shape[1]) % 10

    def once() -> None:
        functional.reset_net(net)
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            logits_NK = net(x_TNCHW).float().mean(0)
        optimiser.zero_grad()
        nn.functional.cross_entropy(logits_NK, y_N).backward()
        optimiser.step()

    return once
