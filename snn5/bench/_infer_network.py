"""The network of `snn5 bench infer` that no training made: six convolutions of 64 to 256 channels, whose spike rate is set."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import layer, neuron
from torch import nn

from snn5.bench._network import WIDTHS
from snn5.hardware import IntegerNetwork, Population, Readout, Synapses
from snn5.inference import engine

TAU, HIGHEST, PIXELS = 2.0, 1 << 17, 32
KEEP = round(4096 * (1 - 1 / TAU))


def images(count: int, side: int, seed: int = 0) -> np.ndarray:
    """Random images of 3 channels, whole numbers, [1, N, 3, side, side]."""
    return np.random.default_rng(seed).integers(0, PIXELS, (1, count, 3, side, side))


def six(rate: float, *, widths: Sequence[int] = WIDTHS, side: int = 32, time_steps: int = 4, seed: int = 0) -> IntegerNetwork:
    """Random int8 weights; the threshold of each convolution's neurons is set so that `rate` of them fire in a step, on random images.

    Args:
        rate: spikes per neuron and step, 0 to 1. side: of the images; halved by OR gates after every second convolution.
    """
    rng, x = np.random.default_rng(seed), images(4, side)
    found: list[Population] = []
    source, channels = "input", 3
    for i, width in enumerate(widths, 1):
        weight = np.clip(np.round(rng.normal(0, 32, (width, channels, 3, 3))), -127, 127).astype(np.int32)
        synapses = (Synapses(source=source, kind="conv", weight=weight, padding=1),)
        bias, shape = rng.integers(-20, 20, width), (width, side, side)

        def neurons(threshold: int, name: str, synapses: tuple[Synapses, ...], bias: np.ndarray, shape: tuple[int, int, int]) -> Population:
            level = np.full(shape[0], threshold, np.int64)
            return Population(name=name, shape=shape, synapses=synapses, bias=bias, threshold=level, decay=4096 - KEEP)

        def fires(threshold: int, p: Callable[..., Population] = neurons, a: Any = (f"conv{i}", synapses, bias, shape)) -> float:
            net = _with_readout([*found, p(threshold, *a)], (3, x.shape[-1], x.shape[-1]), time_steps, rng=None)
            return float(engine.compile(net)(x, record=True).spikes[a[0]].mean())

        found.append(neurons(_highest_above(rate, fires), f"conv{i}", synapses, bias, shape))
        source, channels = f"conv{i}", width
        if i % 2 == 0:
            gate = Synapses(source=source, kind="conv", weight=np.ones((width, 1, 2, 2), np.int32), stride=2, groups=width)
            side //= 2
            zero, source = np.zeros(width, np.int64), f"pool{i}"
            found.append(Population(name=source, shape=(width, side, side), synapses=(gate,), bias=zero, threshold=zero, decay=4096))
    return _with_readout(found, (3, x.shape[-1], x.shape[-1]), time_steps, rng=rng)


def _highest_above(rate: float, fires: Callable[[int], float]) -> int:
    """By bisection: about the threshold at which `rate` is reached."""
    low, high = 0, HIGHEST
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        low, high = (middle, high) if fires(middle) > rate else (low, middle)
    return high


def _with_readout(
    populations: list[Population], input_shape: tuple[int, int, int], time_steps: int, rng: np.random.Generator | None
) -> IntegerNetwork:
    last = populations[-1]
    shape = (10, int(np.prod(last.shape)))
    weight = np.zeros(shape, np.int32) if rng is None else rng.integers(-127, 128, shape).astype(np.int32)
    head = Synapses(source=last.name, kind="dense", weight=weight)
    readout = Readout(synapses=(head,), bias=np.zeros(10, np.int64), scale=1.0)
    return IntegerNetwork(populations=tuple(populations), readout=readout, input_shape=input_shape, time_steps=time_steps)


def as_torch(network: IntegerNetwork, *, spiking: bool) -> nn.Module:
    """The same layers and weights with SpikingJelly's neurons (multi-step), or with ReLU: the dense twin, one step.

    The stem's current of a still image is computed once and shown T times, as this project's models do it.
    """
    parts: list[nn.Module] = []
    for p in network.populations:
        one = p.synapses[0]
        if one.groups > 1:
            parts.append(layer.MaxPool2d(2, step_mode="m") if spiking else nn.MaxPool2d(2))
            continue
        out, into = one.weight.shape[:2]
        conv = (layer.Conv2d if spiking else nn.Conv2d)(into, out, 3, padding=1)
        conv.weight.data = torch.from_numpy(one.weight).float()
        conv.bias.data = torch.from_numpy(p.bias).float()
        if spiking:
            conv.step_mode = "m"
            stock = neuron.LIFNode(tau=TAU, decay_input=False, v_threshold=float(p.threshold[0]) + 1 / 128, v_reset=0.0, step_mode="m")
            parts += [conv, *([_Repeat(network.time_steps)] if not parts else []), stock]
        else:
            parts += [conv, nn.ReLU()]
    head = network.readout.synapses[0].weight
    linear = nn.Linear(head.shape[1], head.shape[0], bias=False)
    linear.weight.data = torch.from_numpy(head).float()
    return nn.Sequential(*parts, nn.Flatten(2 if spiking else 1), linear).eval()


class _Repeat(nn.Module):
    """One step, shown T times."""

    def __init__(self, time_steps: int) -> None:
        super().__init__()
        self.time_steps = time_steps

    def forward(self, x_TNCHW: torch.Tensor) -> torch.Tensor:
        """[1, N, C, H, W] -> [T, N, C, H, W]."""
        return x_TNCHW.repeat(self.time_steps, 1, 1, 1, 1)
