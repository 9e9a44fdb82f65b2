"""Tiny networks in whole numbers, and neurons with one mistake each."""

import numpy as np

from snn5.hardware import IntegerNetwork, Population, Readout, Synapses
from snn5.hardware._integer_network import ONE, UNIT, Int


def dense(source: str, weight: list[list[int]] | np.ndarray) -> Synapses:
    return Synapses(source=source, kind="dense", weight=np.asarray(weight, np.int32))


def neurons(name: str, *synapses: Synapses, threshold: int, decay: int = 2048, bias: int = 0, **more: bool) -> Population:
    size = len(synapses[0].weight)
    numbers = {"bias": np.full(size, bias, np.int64), "threshold": np.full(size, threshold, np.int64)}
    return Population(name=name, shape=(size, 1, 1), synapses=synapses, decay=decay, **numbers, **more)


def network(*populations: Population, inputs: int, steps: int = 6) -> IntegerNetwork:
    """Read out by the last population itself."""
    size = populations[-1].shape[0]
    readout = Readout(synapses=(dense(populations[-1].name, np.eye(size, dtype=np.int32)),), bias=np.zeros(size, np.int64), scale=1.0)
    return IntegerNetwork(populations=populations, readout=readout, input_shape=(inputs, 1, 1), time_steps=steps)


def two_layers(seed: int = 0, *, bias: int = 3) -> IntegerNetwork:
    draw = np.random.default_rng(seed)
    first, second = draw.integers(-40, 60, (12, 8)), draw.integers(-40, 60, (6, 12))
    return network(
        neurons("one", dense("input", first), threshold=60, bias=bias),
        neurons("two", dense("one", second), threshold=70, bias=bias, decay=1365),
        inputs=8,
    )


def skipping(seed: int = 0) -> IntegerNetwork:
    """A residual sum: the last layer sees the first one as well."""
    draw = np.random.default_rng(seed)
    a, b, c = draw.integers(-40, 60, (12, 8)), draw.integers(-40, 60, (12, 12)), draw.integers(-40, 60, (6, 12)).astype(np.int32)
    return network(
        neurons("one", dense("input", a), threshold=60),
        neurons("two", dense("one", b), threshold=60),
        neurons("sum", dense("two", c), dense("one", c), threshold=90),
        inputs=8,
    )


def spikes(seed: int, net: IntegerNetwork, samples: int, rate: float = 0.4) -> Int:
    shape = (net.time_steps, samples, *net.input_shape)
    return (np.random.default_rng(seed).random(shape) < rate).astype(np.int64)


def inclusive(v: Int, current: Int, population: Population) -> tuple[Int, Int]:
    """>= for >."""
    product = v * (ONE - population.decay)
    v = np.sign(product) * (np.abs(product) >> 12) + UNIT * current
    s = (v >= UNIT * population.threshold[:, None, None]).astype(np.int64)
    return v * (1 - s), s


def floors(v: Int, current: Int, population: Population) -> tuple[Int, Int]:
    """Rounding down for rounding to zero."""
    v = (v * (ONE - population.decay) >> 12) + UNIT * current
    s = (v > UNIT * population.threshold[:, None, None]).astype(np.int64)
    return v * (1 - s), s
