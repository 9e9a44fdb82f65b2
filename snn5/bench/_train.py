"""`snn5 bench train`: the rows, in the order in which they are measured."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from snn5.bench import _stock
from snn5.bench._measure import Row, in_turn, row
from snn5.bench._memory import peak
from snn5.bench._network import WIDTHS, step
from snn5.bench._neurons import behind_linear, given, neuron_alone, stock_neuron
from snn5.neurons import LIF
from snn5.reproducible import keep_memory
from snn5.training import computes_bf16

STOCK, STOCK_LOW, STOCK_PROCESS = "SpikingJelly", "SpikingJelly bf16", "SpikingJelly, own process"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Shapes [T, N, ...] and how often each side is measured."""

    neurons: tuple[tuple[int, ...], ...] = ((4, 32, 65536), (16, 16, 32768))
    linear: tuple[int, ...] = (500, 16, 512)
    images: tuple[int, ...] = (4, 32, 3, 32, 32)
    widths: tuple[int, ...] = WIDTHS
    repeats: int = 11
    processes: int = 3
    steps: int = 5


QUICK = Sizes(neurons=((4, 8, 32768), (16, 4, 16384)), linear=(100, 16, 512), images=(4, 8, 3, 32, 32), repeats=5, processes=1, steps=3)


def train(*, quick: bool = False, sizes: Sizes | None = None, say: Callable[[str], None] | None = None) -> list[Row]:
    """Measure everything; several minutes on two cores, `quick` (smaller shapes, fewer repeats) one.

    The network is measured in bf16 where `precision: auto` trains in it, else (bf16 is emulated there) in FP32 with channels last.
    glibc keeps freed memory from here on in this process, for both sides (`keep_memory`, as in every training of this project).

    Args:
        quick: smaller.
        sizes: other shapes.
        say: is told what is measured now.
    """
    sizes = sizes or (QUICK if quick else Sizes())
    tell = say or (lambda _: None)
    keep_memory()
    found: list[Row] = []
    for part in (_neurons, _linear, _network, _memory):
        tell((part.__doc__ or "").rstrip("."))
        found += part(sizes)
    if not computes_bf16(torch.device("cpu")):
        tell("No bf16 figures: no instructions for it were found here, where `precision: auto` takes fp32")
    return found


def _neurons(sizes: Sizes) -> Iterator[Row]:
    """LIF alone, forward and backward."""
    for shape in sizes.neurons:
        name = f"LIF {_text(shape)}"
        ours = neuron_alone(LIF, shape)
        times = in_turn({"theirs": neuron_alone(stock_neuron, shape), "ours": ours}, sizes.repeats)
        yield row(name, STOCK, times["theirs"], times["ours"], 5.0)
        alone, fresh = [], []
        for _ in range(sizes.processes):
            fresh.append(statistics.median(_stock.times(shape, sizes.repeats)))
            alone.append(statistics.median(in_turn({"ours": ours}, sizes.repeats)["ours"]))
        yield row(name, STOCK_PROCESS, fresh, alone, 12.0)


def _linear(sizes: Sizes) -> Iterator[Row]:
    """A linear layer and LIF, forward and backward."""
    sides = {"theirs": behind_linear(stock_neuron, sizes.linear), "ours": behind_linear(LIF, sizes.linear)}
    times = in_turn(sides, sizes.repeats)
    yield row(f"Linear + LIF {_text(sizes.linear)}", STOCK, times["theirs"], times["ours"], 1.8)


def _network(sizes: Sizes) -> Iterator[Row]:
    """A training step of a convolutional network."""
    x_TNCHW = given(*sizes.images)
    low = computes_bf16(torch.device("cpu"))
    sides = {name: step(name == "ours", x_TNCHW, low=False, widths=sizes.widths) for name in ("stock", "ours")}
    if low:
        sides |= {f"{name} bf16": step(name == "ours", x_TNCHW, low=True, widths=sizes.widths) for name in ("stock", "ours")}
    fast = "ours bf16" if low else "ours fp32"
    sides[f"{fast}, channels last"] = step(True, x_TNCHW, low=low, channels_last=True, widths=sizes.widths)
    times = in_turn(sides, sizes.steps)
    name = f"conv net {_text(sizes.images)}"
    yield row(f"{name}, fp32", STOCK, times["stock"], times["ours"], 1.0)
    best = min((key for key in sides if key.startswith(fast)), key=lambda key: statistics.median(times[key]))
    for key in sides:
        if key.startswith(fast):
            goals = (2.5, 1.3) if low and key == best else (1.0, 1.0)
            label = f"{name}, {key.removeprefix('ours ')}"
            yield row(label, STOCK, times["stock"], times[key], goals[0])
            if low:
                yield row(label, STOCK_LOW, times["stock bf16"], times[key], goals[1])


def _memory(sizes: Sizes) -> Iterator[Row]:
    """Peak memory of LIF, forward and backward."""
    for shape in sizes.neurons:
        theirs, ours = (peak(neuron_alone(make, shape)) for make in (stock_neuron, LIF))
        yield row(f"peak memory, LIF {_text(shape)}", STOCK, [theirs], [ours], 2.0, "MiB")


def _text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
