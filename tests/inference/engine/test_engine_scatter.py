"""Sums made event by event: where an event's weights go, and the exact reference on networks that are added that way."""

from dataclasses import replace

import numpy as np
import pytest

from snn5.errors import UserError
from snn5.hardware import IntegerNetwork, Population, Readout, Synapses
from snn5.inference import engine
from snn5.inference.engine import _table as k
from snn5.inference.engine._reach import axis
from snn5.inference.engine._scatter import scatter_16, scatter_32, scatter_64


def by_hand(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> list[list[tuple[int, int]]]:
    """(output, tap) of each input, inside the image, from the convolution's own definition."""
    return [[(o, t) for o in range(outputs) for t in range(kernel) if o * stride - padding + t == i] for i in range(inputs)]


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (1, 2, 0), (4, 3, 2), (5, 1, 4), (2, 3, 1), (3, 1, 0)])
@pytest.mark.parametrize("inputs", [5, 8])
def test_an_axis_reaches_what_the_convolution_says(inputs: int, kernel: int, stride: int, padding: int) -> None:
    outputs = (inputs + 2 * padding - kernel) // stride + 1
    found, wanted = axis(inputs, outputs, kernel, stride, padding), by_hand(inputs, outputs, kernel, stride, padding)
    assert sorted(found.order) == list(range(kernel))
    for i in range(inputs):
        taps = found.order[found.place[i] : found.place[i] + found.taps[i]]
        reached = [(int(found.first[i]) + j, int(tap)) for j, tap in enumerate(taps)]
        assert [(o, t) for o, t in reached if 0 <= o < outputs] == wanted[i] and found.inside[i] == len(wanted[i])
        assert all(-found.before <= o < outputs + found.behind for o, _ in reached)


def network(seed: int) -> IntegerNetwork:
    """Convolutions of 9 to 64 channels and one of 128 now and then, on images whose rows are whole vectors; some of them hear their own
    channel only; strides, sums of two sources through the same or another kernel, one array of weights at two strides, a dense layer."""
    rng = np.random.default_rng(seed)
    side, channels, steps = int(rng.choice([8, 16])), int(rng.integers(1, 4)), int(rng.integers(2, 6))
    shapes: dict[str, tuple[int, int, int]] = {"input": (channels, side, side)}
    populations: list[Population] = []
    source = "input"
    for i in range(4):
        size, stride = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2])) if shapes[source][1] > 4 else 1
        padding = (size - 1) // 2 if stride == 1 and size != 2 else size // 2
        into, side = shapes[source][0], shapes[source][1]
        made = (side + 2 * padding - size) // stride + 1
        own = bool(populations) and rng.random() < 0.3
        wide = 128 if rng.random() < 0.1 else int(rng.integers(9, 65 if rng.random() < 0.5 else 33))
        shape = (into if own else wide, made, made)
        weight = rng.integers(-30, 31, (shape[0], 1 if own else into, size, size)).astype(np.int32)
        one = Synapses(source=source, kind="conv", weight=weight, stride=stride, padding=padding, groups=into if own else 1)
        twins = [name for name, its in shapes.items() if its == shapes[source] and name not in (source, "input")]
        synapses = (one, *(replace(one, source=name) for name in twins[:1]))
        if stride == 1 and size % 2 and twins and not own:  # another kernel with the same outputs, which may be wider than the first
            other = rng.integers(-9, 10, (shape[0], into, size + 2, size)).astype(np.int32)
            wide = np.pad(other, ((0, 0), (0, 0), (0, 0), (1, 1)))
            synapses = (one, Synapses(source=twins[0], kind="conv", weight=wide, padding=padding + 1))
        if populations and stride == 2 and size == 1 and not own:  # the array of the layer before, if it has the shape; else its own
            before = populations[-1].synapses[0]
            same = before.weight.shape == weight.shape and before.groups == 1
            synapses = (replace(one, weight=before.weight), *synapses[1:]) if same else synapses
        shapes[f"p{i}"] = shape
        bias = rng.integers(-20, 21, shape[0]) if rng.random() < 0.5 else np.zeros(shape[0], np.int64)
        threshold, decay = rng.integers(*((5, 40) if own else (20, 120)), shape[0]), int(rng.choice([0, 700, 2048, 4096]))
        populations.append(Population(name=f"p{i}", shape=shape, synapses=synapses, bias=bias, threshold=threshold, decay=decay))
        source = f"p{i}"
    logits = rng.integers(-99, 100, (5, int(np.prod(shapes[source])))).astype(np.int32)
    readout = Readout(synapses=(Synapses(source=source, kind="dense", weight=logits),), bias=np.arange(5), scale=1.0)
    return IntegerNetwork(populations=tuple(populations), readout=readout, input_shape=shapes["input"], time_steps=steps)


def scattered(ready: engine.Engine) -> list[str]:
    return [name for name, p in zip(ready.program.names, ready.program.tables[0], strict=True) if p[k.SCATTERED]]


def test_every_spike_is_the_references() -> None:
    """Still images and moving ones in turn on one engine, whole and step by step; counted, too."""
    used = strides = fired = 0
    kinds: set[tuple[int, bool]] = set()
    for seed in range(40):
        net = network(seed)
        ready, rng = engine.compile(net), np.random.default_rng(seed)
        used += len(scattered(ready))
        kinds |= {(-(-p.shape[0] // 16) * 16, p.synapses[0].groups > 1) for p in net.populations if p.name in scattered(ready)}
        strides += sum(p.synapses[0].stride > 1 for p in net.populations if p.name in scattered(ready))
        for steps in (1, net.time_steps, 1):
            x = rng.integers(-2, 6, (steps, 3, *net.input_shape)) * (rng.random((steps, 3, *net.input_shape)) < 0.4)
            wanted, found = net.run(x), ready(x, record=True)
            assert all((found.spikes[name] == spikes).all() for name, spikes in wanted.spikes.items()), f"seed {seed}"
            assert (found.logits_TNK == wanted.logits_TNK).all()
            assert found.synops_N.tolist() == operations(net, x, found)
            fired += int(found.spikes_N.sum())
            if steps == 1:
                continue
            sums = []
            ready.start()
            for frame in x[:, 0]:
                sums.append(ready.push(frame).logits_K)
            assert (np.array(sums) == wanted.logits_TNK[:, 0]).all()
    assert used > 60 and strides > 5 and fired > 100_000, (used, strides, fired)
    assert kinds >= {(16, False), (32, False), (48, False), (64, False), (16, True), (32, True), (48, True), (64, True)}, kinds


def test_functions_compiled_apart_have_names_of_their_own() -> None:
    """Numba's symbols are a name and a number that each process counts anew (see `snn5._compiled.named`)."""
    assert len({one.py_func.__qualname__ for one in (scatter_16, scatter_32, scatter_64)}) == 3


def test_what_vectors_read_begins_at_a_line_of_the_cache() -> None:
    program = engine.compile(network(0)).program
    flat = [one for one in (*program.tables[2:7], *program.state()) if one.dtype.kind == "i" and one.ndim == 1]
    assert len(flat) == 17 and all(one.ctypes.data % 64 == 0 for one in flat)


def operations(net: IntegerNetwork, x: np.ndarray, found: engine.Answer) -> list[int]:
    """Events times what they reach, from the recorded spikes; an image sends its current once."""
    total = np.zeros(x.shape[1], np.int64)
    nodes: list[Population | Readout] = [*net.populations, net.readout]
    for node in nodes:
        height, width = getattr(node, "shape", (0, 1, 1))[1:]
        for s in node.synapses:
            events = (x != 0) if s.source == "input" else found.spikes[s.source]
            count = events.sum(0, dtype=np.int64)
            if s.kind == "dense":
                total += count.reshape(len(total), -1).sum(1) * len(s.weight)
                continue
            rows, columns = (
                np.array([len(hits) for hits in by_hand(n, out, size, s.stride, s.padding)])
                for n, out, size in zip(events.shape[-2:], (height, width), s.weight.shape[2:], strict=True)
            )
            total += (count.sum(1) * rows[:, None] * columns).sum((1, 2)) * len(s.weight) // s.groups
    return total.tolist()


def one_layer(weight: int, fan_in: int) -> IntegerNetwork:
    """A population all of whose 16-bit sums are weight * fan_in when all spikes come, behind one that fires wherever the input is 1."""
    eye = np.eye(fan_in, dtype=np.int32)[:, :, None, None]
    first = Synapses(source="input", kind="conv", weight=eye)
    second = Synapses(source="a", kind="conv", weight=np.full((16, fan_in, 1, 1), weight, np.int32))
    a = Population(
        name="a", shape=(fan_in, 4, 4), synapses=(first,), bias=np.zeros(fan_in, np.int64), threshold=np.zeros(fan_in, np.int64), decay=4096
    )
    b = Population(name="b", shape=(16, 4, 4), synapses=(second,), bias=np.zeros(16, np.int64), threshold=np.full(16, 32000), decay=4096)
    logits = Synapses(source="b", kind="dense", weight=np.ones((2, 256), np.int32))
    readout = Readout(synapses=(logits,), bias=np.zeros(2, np.int64), scale=1.0)
    return IntegerNetwork(populations=(a, b), readout=readout, input_shape=(fan_in, 4, 4), time_steps=2)


@pytest.mark.parametrize(("fan_in", "small"), [(258, True), (259, False)])
def test_sums_at_the_edge_of_16_bits(fan_in: int, small: bool) -> None:
    """127 * 258 = 32766 still fits; one more sender does not, and other code adds those."""
    net = one_layer(127, fan_in)
    ready = engine.compile(net)
    assert ("b" in scattered(ready)) == small
    x = np.ones((2, 1, fan_in, 4, 4), np.int64)
    assert (ready(x, record=True).spikes["b"] == net.run(x).spikes["b"]).all() and net.run(x).spikes["b"].all()


def test_after_a_potential_left_its_range_the_engine_is_as_new() -> None:
    weight = np.full((16, 1, 3, 3), 120, np.int32)
    first = Synapses(source="input", kind="conv", weight=weight, padding=1)
    second = Synapses(source="a", kind="conv", weight=np.full((16, 16, 3, 3), 100, np.int32), padding=1)
    zero = np.zeros(16, np.int64)
    a = Population(name="a", shape=(16, 4, 4), synapses=(first,), bias=zero, threshold=np.full(16, 500), decay=0)
    b = Population(name="b", shape=(16, 4, 4), synapses=(second,), bias=zero, threshold=np.full(16, 131071), decay=0)
    logits = Synapses(source="b", kind="dense", weight=np.ones((2, 256), np.int32))
    readout = Readout(synapses=(logits,), bias=np.zeros(2, np.int64), scale=1.0)
    net = IntegerNetwork(populations=(a, b), readout=readout, input_shape=(1, 4, 4), time_steps=12)
    ready, quiet = engine.compile(net), np.zeros((12, 1, 1, 4, 4), np.int64)
    assert scattered(ready) == ["a", "b"]
    with pytest.raises(UserError, match="population b: a potential leaves 24 bits"):
        ready(quiet + 9)
    ready.start()
    with pytest.raises(UserError, match="population b: a potential leaves 24 bits"):
        for frame in quiet[:, 0] + 9:
            ready.push(frame)
    with pytest.raises(UserError, match="the stream is over"):
        ready.push(quiet[0, 0])
    quiet[3, 0, 0, 1, 2] = 7
    assert (ready(quiet, record=True).spikes["a"] == net.run(quiet).spikes["a"]).all()
    assert ready(quiet).spikes_N == sum(s.sum() for s in net.run(quiet).spikes.values()) > 0


def test_one_array_of_weights_at_two_strides_and_two_kernels_in_one_population() -> None:
    """What lies where depends on the stride; what the margin must hold on the widest kernel, also if it comes second."""
    rng = np.random.default_rng(0)
    weight, wide = rng.integers(-20, 21, (16, 16, 3, 3)).astype(np.int32), rng.integers(-9, 10, (16, 16, 7, 5)).astype(np.int32)
    first = Synapses(source="input", kind="conv", weight=rng.integers(-9, 10, (16, 2, 3, 3)).astype(np.int32), padding=1)
    layers = {
        "a": ((16, 6, 8), (first,)),
        "b": ((16, 6, 8), (Synapses(source="a", kind="conv", weight=weight, padding=1),)),
        "c": ((16, 3, 4), (Synapses(source="b", kind="conv", weight=weight, stride=2, padding=1),)),
        "d": (
            (16, 3, 4),
            (
                Synapses(source="c", kind="conv", weight=weight, padding=1),
                Synapses(source="b", kind="conv", weight=np.pad(wide, ((0, 0), (0, 0), (0, 0), (1, 1))), stride=2, padding=3),
            ),
        ),
    }
    populations = tuple(
        Population(name=name, shape=shape, synapses=synapses, bias=np.full(16, 3), threshold=np.full(16, 30), decay=700)
        for name, (shape, synapses) in layers.items()
    )
    logits = Synapses(source="d", kind="dense", weight=rng.integers(-99, 100, (3, 192)).astype(np.int32))
    readout = Readout(synapses=(logits,), bias=np.arange(3), scale=1.0)
    net = IntegerNetwork(populations=populations, readout=readout, input_shape=(2, 6, 8), time_steps=4, cutoff=(2000, 1500, 1000, 0))
    x = rng.integers(0, 4, (4, 9, 2, 6, 8))
    ready, wanted = engine.compile(net, threads=2), net.run(x)
    found = ready(x, early=False, record=True)
    assert scattered(ready) == ["a", "b", "c", "d"]
    assert all((found.spikes[name] == spikes).all() and 0.02 < spikes.mean() < 0.9 for name, spikes in wanted.spikes.items())
    assert (found.logits_TNK == wanted.logits_TNK).all() and found.synops_N.tolist() == operations(net, x, found)
    early = ready(x)
    assert (early.step_N < 4).any() and all((early.logits_TNK[:t, i] == wanted.logits_TNK[:t, i]).all() for i, t in enumerate(early.step_N))


def test_a_population_without_synapses_has_its_bias() -> None:
    p = Population(name="a", shape=(16, 4, 4), synapses=(), bias=np.full(16, 3), threshold=np.full(16, 2), decay=0)
    logits = Synapses(source="a", kind="dense", weight=np.ones((2, 256), np.int32))
    readout = Readout(synapses=(logits,), bias=np.zeros(2, np.int64), scale=1.0)
    net = IntegerNetwork(populations=(p,), readout=readout, input_shape=(1, 4, 4), time_steps=2)
    x = np.ones((1, 1, 1, 4, 4), np.int64)
    assert engine.compile(net)(x).logits_TNK.tolist() == net.run(x).logits_TNK.tolist() == [[[256, 256]], [[256, 256]]]


def test_the_largest_input_counts_all_that_comes_from_the_input() -> None:
    """Three bundles of weight 100: a sum of 32 bits holds a third of the input that one of them could take."""
    one, zero = Synapses(source="input", kind="conv", weight=np.full((16, 1, 1, 1), 100, np.int32)), np.zeros(16, np.int64)
    limits = []
    for synapses in ((one,), (one, replace(one, weight=one.weight.copy()), replace(one, weight=one.weight.copy()))):
        p = Population(name="a", shape=(16, 4, 4), synapses=synapses, bias=zero, threshold=zero + 20, decay=0)
        logits = Synapses(source="a", kind="dense", weight=np.ones((2, 256), np.int32))
        readout = Readout(synapses=(logits,), bias=np.zeros(2, np.int64), scale=1.0)
        net = IntegerNetwork(populations=(p,), readout=readout, input_shape=(1, 4, 4), time_steps=2)
        limits.append(engine.compile(net).program.input_limit)
    assert limits[1] == limits[0] // 3
    with pytest.raises(UserError, match="a sum could leave 32 bits"):
        engine.compile(net)(np.full((1, 1, 1, 4, 4), 223696))


@pytest.mark.parametrize("value", [-(2**31), 2**31 - 1])
def test_the_ends_of_int32_are_too_large(value: int) -> None:
    x = np.zeros((1, 1, 258, 4, 4), np.int32)
    x[0, 0, 3, 1, 1] = value
    with pytest.raises(UserError, match="a sum could leave 32 bits"):
        engine.compile(one_layer(1, 258))(x)


def test_a_dense_layer_that_does_not_fit_its_source_is_named() -> None:
    net = one_layer(1, 16)
    with pytest.raises(UserError, match=r"read-out: weights \[2, 145\] on b \[16, 4, 4\] give \[2, 1, 1\]"):
        engine.compile(
            replace(net, readout=replace(net.readout, synapses=(Synapses(source="b", kind="dense", weight=np.ones((2, 145), np.int32)),)))
        )


@pytest.mark.parametrize("channels", [16, 64, 128, 256])
def test_a_pool_is_a_logical_or(channels: int) -> None:
    """Of whatever width: behind neurons that fire where the input is 1."""
    eye, ones = np.eye(channels, dtype=np.int32)[:, :, None, None], np.ones((channels, 1, 2, 2), np.int32)
    zero = np.zeros(channels, np.int64)
    rows = {
        "a": ((channels, 8, 8), Synapses(source="input", kind="conv", weight=eye)),
        "b": ((channels, 4, 4), Synapses(source="a", kind="conv", weight=ones, stride=2, groups=channels)),
    }
    populations = tuple(
        Population(name=name, shape=shape, synapses=(one,), bias=zero, threshold=zero, decay=4096) for name, (shape, one) in rows.items()
    )
    logits = Synapses(source="b", kind="dense", weight=np.ones((2, 16 * channels), np.int32))
    readout = Readout(synapses=(logits,), bias=np.zeros(2, np.int64), scale=1.0)
    net = IntegerNetwork(populations=populations, readout=readout, input_shape=(channels, 8, 8), time_steps=3)
    x = (np.random.default_rng(0).random((3, 2, channels, 8, 8)) < 0.2).astype(np.int64)
    ready = engine.compile(net)
    found = ready(x, record=True)
    wanted = x.reshape(3, 2, channels, 4, 2, 4, 2).max((4, 6))
    assert "b" in scattered(ready) and (found.spikes["b"] == wanted).all() and 0.3 < wanted.mean() < 0.9
    assert found.synops_N.tolist() == operations(net, x, found)


def test_channels_that_hear_a_group_are_no_pool() -> None:
    """Two inputs for each output: other code adds those."""
    rng = np.random.default_rng(1)
    first = Synapses(source="input", kind="conv", weight=rng.integers(-9, 20, (32, 2, 1, 1)).astype(np.int32))
    second = Synapses(source="a", kind="conv", weight=rng.integers(1, 9, (16, 2, 2, 2)).astype(np.int32), stride=2, groups=16)
    a = Population(name="a", shape=(32, 8, 8), synapses=(first,), bias=np.zeros(32, np.int64), threshold=np.full(32, 9), decay=4096)
    b = Population(name="b", shape=(16, 4, 4), synapses=(second,), bias=np.zeros(16, np.int64), threshold=np.full(16, 20), decay=700)
    logits = Synapses(source="b", kind="dense", weight=np.ones((2, 256), np.int32))
    readout = Readout(synapses=(logits,), bias=np.zeros(2, np.int64), scale=1.0)
    net = IntegerNetwork(populations=(a, b), readout=readout, input_shape=(2, 8, 8), time_steps=3)
    x = rng.integers(0, 3, (3, 2, 2, 8, 8))
    ready, wanted = engine.compile(net), net.run(x)
    found = ready(x, record=True)
    assert scattered(ready) == ["a"] and 0.05 < wanted.spikes["b"].mean() < 0.95
    assert all((found.spikes[name] == spikes).all() for name, spikes in wanted.spikes.items())


def test_a_batch_ends_a_stream() -> None:
    """Its potentials are the batch's now."""
    net = network(3)
    ready, x = engine.compile(net), np.ones((net.time_steps, 1, *net.input_shape), np.int64)
    ready.start()
    ready.push(x[0, 0])
    ready(x)
    with pytest.raises(UserError, match="the stream is over"):
        ready.push(x[1, 0])


def test_events_have_room_for_the_vectors_that_list_them() -> None:
    """The last event's vectors of 64 must end before the next population's events begin."""
    program = engine.compile(network(3)).program
    pops = program.tables[0]
    ends = pops[:, k.EVENT_AT] + pops[:, k.CHANNELS] * pops[:, k.HEIGHT] * pops[:, k.WIDTH] + 63
    assert (ends[:-1] <= pops[1:, k.EVENT_AT]).all() and ends[-2] <= program.sizes["event"]
