"""The engine against the exact reference, spike for spike, on networks of random shapes."""

from typing import Any

import numpy as np
import pytest

from snn5.errors import UserError
from snn5.hardware import IntegerNetwork, Population, Readout, Synapses, Trace
from snn5.inference import engine

ONE, UNIT = 4096, 64
RANGES = {
    "ternary": (-1, 2, 40),
    "4 bits": (-7, 8, 1),
    "8 bits": (-127, 128, 1),
    "16 bits": (-3000, 3001, 1),
    "32 bits": (-40000, 40001, 1),
}


def weights(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    low, high, factor = RANGES[kind]
    made = (factor * rng.integers(low, high, shape)).astype(np.int32)
    if kind == "32 bits":
        made.flat[rng.integers(made.size)] = 33001
    return made


def connect(
    rng: np.random.Generator, source: str, shape: tuple[int, int, int], kind: str, how: str
) -> tuple[Synapses, tuple[int, int, int]]:
    """Random synapses from a source of this shape, and the shape that they give."""
    c, h, w = shape
    if how == "dense":
        k = int(rng.integers(1, 40))
        return Synapses(source=source, kind="dense", weight=weights(rng, (k, c * h * w), kind)), (k, 1, 1)
    size, stride = int(rng.integers(1, min(4, h, w) + 1)), int(rng.integers(1, 3))
    padding = int(rng.integers(0, size))
    groups = {"conv": 1, "depthwise": c, "groups": next(g for g in (3, 2, 1) if c % g == 0)}[how]
    out = groups * int(rng.integers(1, 1 + max(1, 70 // groups))) if how != "depthwise" else c
    made = (out, (h + 2 * padding - size) // stride + 1, (w + 2 * padding - size) // stride + 1)
    weight = weights(rng, (out, c // groups, size, size), kind)
    return Synapses(source=source, kind="conv", weight=weight, stride=stride, padding=padding, groups=groups), made


def population(rng: np.random.Generator, name: str, shape: tuple[int, int, int], synapses: tuple[Synapses, ...], low: bool) -> Population:
    """Neurons whose threshold is about one or two of the weights that they get."""
    typical = int(max(1, np.median([np.abs(s.weight).max() for s in synapses])))
    decay = int(rng.choice([0, 1, 700, 2048, 2955, 4095, 4096]))
    bias = rng.integers(-typical // 4 - 1, typical // 4 + 2, shape[0]) if rng.random() < 0.6 else np.zeros(shape[0])
    threshold = rng.integers(0, typical * (1 if low else 3) + 1, shape[0])
    values = {"bias": bias.astype(np.int64), "threshold": threshold.astype(np.int64)}
    return Population(name=name, shape=shape, synapses=synapses, decay=decay, once=bool(rng.random() < 0.15), **values)


def network(seed: int) -> IntegerNetwork:
    """Two to five populations with convolutions, groups, dense layers, residual sources and gates."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 5)), int(rng.integers(3, 10)), int(rng.integers(3, 10)))
    shapes, populations = {"input": shape}, []
    source = "input"
    kinds = list(RANGES)[: 3 if seed % 3 else 5]
    for i in range(int(rng.integers(2, 6))):
        how = str(rng.choice(["conv", "conv", "depthwise", "groups", "dense"]))
        first, made = connect(rng, source, shapes[source], str(rng.choice(kinds)), how)
        synapses = [first]
        for other, its in list(shapes.items()):  # a residual source: the same weights where the shapes agree, else its own
            if other == source or rng.random() < 0.5:
                continue
            if its == shapes[source]:
                synapses.append(Synapses(**{**vars(first), "source": other}))
            elif made[1:] == (1, 1):
                size = int(np.prod(its))
                synapses.append(Synapses(source=other, kind="dense", weight=weights(rng, (made[0], size), kinds[0])))
        shapes[f"p{i}"], low = made, bool(rng.random() < 0.5)
        populations.append(population(rng, f"p{i}", made, tuple(synapses), low))
        source = f"p{i}"
    logits = Synapses(source=source, kind="dense", weight=weights(rng, (7, int(np.prod(shapes[source]))), "8 bits"))
    readout = Readout(synapses=(logits,), bias=rng.integers(-50, 50, 7), scale=1.0)
    return IntegerNetwork(populations=tuple(populations), readout=readout, input_shape=shape, time_steps=int(rng.integers(1, 7)))


def given(net: IntegerNetwork, seed: int, n: int) -> np.ndarray:
    """Sparse whole numbers, one step (a static image) or T."""
    rng = np.random.default_rng(seed)
    steps = 1 if rng.random() < 0.5 else net.time_steps
    high = 2 if rng.random() < 0.3 else 5
    x = rng.integers(-1, high, (steps, n, *net.input_shape))
    return x * (rng.random(x.shape) < 0.6)


def differences(found: engine.Answer, wanted: Trace) -> int:
    assert found.spikes.keys() == wanted.spikes.keys()
    logits = int((found.logits_TNK != wanted.logits_TNK).sum())
    return logits + sum(int((found.spikes[name] != spikes).sum()) for name, spikes in wanted.spikes.items())


@pytest.mark.parametrize("start", range(0, 120, 20))
def test_every_spike_is_the_references(start: int) -> None:
    fired = loud = 0
    for seed in range(start, start + 20):
        net = network(seed)
        x = given(net, seed, 6)
        try:
            wanted = net.run(x)
        except UserError:  # of a potential that leaves 24 bits
            loud += 1
            with pytest.raises(UserError, match="leaves 24 bits"):
                engine.compile(net)(x)
            continue
        found = engine.compile(net)(x, record=True)
        assert differences(found, wanted) == 0, f"seed {seed}"
        fired += int(found.spikes_N.sum())
        assert found.spikes_N.sum() == sum(int(s.sum()) for s in wanted.spikes.values())
    assert fired > 1000 and loud < 5


def residual(seed: int = 5) -> IntegerNetwork:
    """Convolutions, a stride, a residual source behind shared weights, a pool of OR gates; 10 classes."""
    rng = np.random.default_rng(seed)

    def conv(source: str, out: int, size: int, stride: int = 1) -> Synapses:
        return Synapses(source=source, kind="conv", weight=weights(rng, (out, size, 3, 3), "8 bits"), stride=stride, padding=1)

    def neurons(name: str, shape: tuple[int, int, int], threshold: int, *synapses: Synapses, decay: int = 1500) -> Population:
        bias = rng.integers(-40, 41, shape[0])
        return Population(
            name=name, shape=shape, synapses=synapses, bias=bias, threshold=np.full(shape[0], threshold, np.int64), decay=decay
        )

    stem, branch = conv("input", 24, 1), conv("stem", 24, 24)
    down = conv("stem", 80, 24, stride=2)
    also = Synapses(**{**vars(down), "source": "branch"})
    gate = Synapses(source="down", kind="conv", weight=np.ones((80, 1, 2, 2), np.int32), stride=2, groups=80)
    either = Population(
        name="or", shape=(80, 2, 2), synapses=(gate,), bias=np.zeros(80, np.int64), threshold=np.zeros(80, np.int64), decay=ONE
    )
    head = Synapses(source="or", kind="dense", weight=weights(rng, (10, 320), "8 bits"))
    return IntegerNetwork(
        populations=(
            neurons("stem", (24, 8, 8), 900, stem),
            neurons("branch", (24, 8, 8), 700, branch),
            neurons("down", (80, 4, 4), 900, down, also, decay=2048),
            either,
        ),
        readout=Readout(synapses=(head,), bias=rng.integers(-99, 100, 10), scale=0.01),
        input_shape=(1, 8, 8),
        time_steps=4,
        cutoff=(400, 300, 200, 100),
    )


IMAGES = np.random.default_rng(1).integers(0, 17, (1, 1000, 1, 8, 8))


def test_a_thousand_samples() -> None:
    net = residual()
    wanted = net.run(IMAGES)
    assert differences(engine.compile(net)(IMAGES, early=False, record=True), wanted) == 0
    assert all(0.01 < s.mean() < 0.9 for s in wanted.spikes.values())


def mutant(reads: str) -> Any:
    def step(v: Any, current: Any, population: Population) -> Any:
        product = v * (ONE - population.decay)
        kept = product >> 12 if reads == "floor" else np.sign(product) * (np.abs(product) >> 12)
        v = kept + UNIT * current
        threshold = UNIT * population.threshold[:, None, None]
        s = (v >= threshold if reads == ">=" else v > threshold).astype(np.int64)
        return (v - s * threshold if reads == "soft reset" else v * (1 - s)), s

    return step


@pytest.mark.parametrize("reads", ["floor", ">=", "soft reset"])
def test_another_neuron_is_noticed(reads: str) -> None:
    found = 0
    for seed in (1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20):  # weights of 8 bits at most: no potential leaves its range
        net = network(seed)
        x = given(net, seed, 4)
        found += differences(engine.compile(net)(x, record=True), net.run(x, step=mutant(reads)))
    assert found > 0


def test_sums_by_hand() -> None:
    """Two events of weights 3 and -2 on one neuron with bias 1: V = 64 (3 - 2 + 1) = 128, no spike over 2; then rtz(128 * 1/2) + 128."""
    weight = np.array([[3, -2]], np.int32)
    neuron = Population(
        name="n",
        shape=(1, 1, 1),
        synapses=(Synapses(source="input", kind="dense", weight=weight),),
        bias=np.array([1]),
        threshold=np.array([2]),
        decay=2048,
    )
    out = Readout(synapses=(Synapses(source="n", kind="dense", weight=np.array([[5], [0]], np.int32)),), bias=np.array([0, 1]), scale=1.0)
    net = IntegerNetwork(populations=(neuron,), readout=out, input_shape=(2, 1, 1), time_steps=3)
    found = engine.compile(net)(np.ones((1, 1, 2, 1, 1), np.int64), record=True)
    assert found.spikes["n"].ravel().tolist() == [0, 1, 0]
    assert found.logits_TNK[:, 0].tolist() == [[0, 1], [5, 1], [0, 1]]
    assert (found.synops_N[0], found.updates_N[0], found.spikes_N[0]) == (2 + 2, 3, 1)  # an image sends its current once
