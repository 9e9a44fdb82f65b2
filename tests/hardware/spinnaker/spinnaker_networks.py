"""Integer networks of each kind, built by hand, with weights that keep every population between silence and saturation."""

import numpy as np
from numpy.typing import NDArray

from snn5.hardware import IntegerNetwork, Population, Readout, Synapses
from snn5.hardware._integer_network import Int

STEPS = 6


def spikes_in(shape: tuple[int, ...], *, rate: float, seed: int, high: int = 1) -> Int:
    """Counts from 0 to `high`."""
    generator = np.random.default_rng(seed)
    return generator.integers(1, high + 1, shape) * (generator.random(shape) < rate)


def draw(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int32]:
    return generator.integers(-60, 66, shape).astype(np.int32)


def dense(*, decay: int = 2048, seed: int = 0) -> IntegerNetwork:
    """20 -> 30 -> 25 -> 5."""
    g = np.random.default_rng(seed)

    def population(name: str, source: str, n: int, k: int) -> Population:
        synapses = (Synapses(source=source, kind="dense", weight=draw(g, (k, n))),)
        return Population(
            name=name, shape=(k, 1, 1), synapses=synapses, bias=g.integers(0, 40, k), threshold=g.integers(60, 100, k), decay=decay
        )

    hidden = population("hidden", "input", 20, 30), population("deep", "hidden", 30, 25)
    readout = Readout(synapses=(Synapses(source="deep", kind="dense", weight=draw(g, (5, 25))),), bias=g.integers(-9, 9, 5), scale=0.01)
    return IntegerNetwork(populations=hidden, readout=readout, input_shape=(20, 1, 1), time_steps=STEPS)


def residual(*, seed: int = 1) -> IntegerNetwork:
    """A stem, two grouped or strided convolutions, and a shortcut over both; another decay in each population."""
    g = np.random.default_rng(seed)

    def conv(source: str, c_out: int, c_in: int, k: int = 3, groups: int = 1, stride: int = 1) -> Synapses:
        weight = draw(g, (c_out, c_in // groups, k, k))
        return Synapses(source=source, kind="conv", weight=weight, padding=k // 2, stride=stride, groups=groups)

    def population(name: str, shape: tuple[int, int, int], decay: int, *synapses: Synapses) -> Population:
        c = shape[0]
        return Population(
            name=name, shape=shape, synapses=synapses, bias=g.integers(-20, 30, c), threshold=g.integers(90, 140, c), decay=decay
        )

    populations = (
        population("stem", (4, 6, 6), 2048, conv("input", 4, 2)),
        population("block.0", (4, 6, 6), 1365, conv("stem", 4, 4, groups=2)),
        population("block.1", (6, 3, 3), 0, conv("block.0", 6, 4, stride=2), conv("stem", 6, 4, k=1, stride=2)),
    )
    synapses = (Synapses(source="block.1", kind="dense", weight=draw(g, (10, 54))),)
    readout = Readout(synapses=synapses, bias=g.integers(-9, 9, 10), scale=0.01)
    return IntegerNetwork(populations=populations, readout=readout, input_shape=(2, 6, 6), time_steps=STEPS)


def attention(*, seed: int = 2) -> IntegerNetwork:
    """Q-K token attention: a token's Q spikes decide in an AND whether its K spikes pass. 8 channels, 3 x 3 tokens."""
    g = np.random.default_rng(seed)

    def to(source: str, weight: NDArray[np.int32]) -> Synapses:
        return Synapses(source=source, kind="conv", weight=weight[:, :, None, None])

    def lif(name: str, source: str, c_in: int) -> Population:
        synapses = (to(source, draw(g, (8, c_in))),)
        return Population(
            name=name, shape=(8, 3, 3), synapses=synapses, bias=g.integers(0, 40, 8), threshold=g.integers(60, 90, 8), decay=2048
        )

    both = (to("token", np.full((8, 1), 10, np.int32)), to("k", 10 * np.eye(8, dtype=np.int32)))
    populations = (
        lif("q", "input", 3),
        lif("k", "input", 3),
        Population(
            name="token",
            shape=(1, 3, 3),
            synapses=(to("q", np.full((1, 8), 20, np.int32)),),
            bias=np.zeros(1, np.int64),
            threshold=np.array([30]),
            decay=2048,
        ),
        Population(name="x", shape=(8, 3, 3), synapses=both, bias=np.zeros(8, np.int64), threshold=np.full(8, 15), decay=4096),
    )
    readout = Readout(synapses=(Synapses(source="x", kind="dense", weight=draw(g, (4, 72))),), bias=np.zeros(4, np.int64), scale=1.0)
    return IntegerNetwork(populations=populations, readout=readout, input_shape=(3, 3, 3), time_steps=STEPS)


NETWORKS = {"dense": dense, "residual": residual, "attention": attention}
