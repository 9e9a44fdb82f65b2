"""NIR: the round trip, the format's numbers, and a reader that is not ours."""

import sys
from dataclasses import fields, replace
from pathlib import Path

import nir
import numpy as np
import pytest

from snn5.errors import UserError
from snn5.hardware import IntegerNetwork, Population, Synapses
from snn5.hardware.nir import export, from_graph, load, run_spikingjelly, to_graph
from snn5.hardware.spinnaker import exact_step

sys.path.insert(0, str(Path(__file__).parents[1] / "spinnaker"))
from spinnaker_networks import NETWORKS, attention, dense, residual, spikes_in

EACH = pytest.mark.parametrize("name", NETWORKS)


def same(a: object, b: object) -> bool:
    """Equal field by field, arrays with their types."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))  # type: ignore[arg-type]
    return a == b


def one_threshold(network: IntegerNetwork) -> IntegerNetwork:
    """As a network that is ported with one scale for a layer has it."""

    def change(p: Population) -> Population:
        return replace(p, threshold=np.full_like(p.threshold, p.threshold.min()))

    return replace(network, populations=tuple(map(change, network.populations)))


@EACH
@pytest.mark.parametrize("inclusive", [False, True])
def test_the_round_trip_is_exact(name: str, inclusive: bool, tmp_path: Path) -> None:
    network = replace(NETWORKS[name](), cutoff=(3, 2, 2, 1, 1, 0), exact=True)
    assert same(load(export(network, tmp_path / "a.nir", inclusive=inclusive)), network)
    assert same(from_graph(to_graph(network)), network)
    assert not same(replace(network, time_steps=7), network)


def test_every_decay_comes_back() -> None:
    network = dense()
    for decay in range(0, 4097, 17):
        changed = replace(network, populations=tuple(replace(p, decay=decay) for p in network.populations))
        assert [p.decay for p in from_graph(to_graph(changed)).populations] == [decay, decay]


def two_ways_out() -> IntegerNetwork:
    """The read-out listens to both populations, as behind a block with a shortcut."""
    network = dense()
    more = Synapses(source="hidden", kind="dense", weight=np.arange(150, dtype=np.int32).reshape(5, 30))
    return replace(network, readout=replace(network.readout, synapses=(*network.readout.synapses, more)))


READABLE = {"dense": dense, "residual": residual, "two ways out": two_ways_out}


@pytest.mark.parametrize("name", READABLE)
def test_spikingjelly_reads_the_same_network(name: str, tmp_path: Path) -> None:
    """Its importer, its neurons: every logit of 200 samples, a whole number made of the last layer's spikes, is the reference's."""
    network = one_threshold(READABLE[name]())
    x = spikes_in((network.time_steps, 200, *network.input_shape), rate=0.3, seed=3, high=2)
    expected = network.run(x, step=exact_step).logits_TNK
    found = run_spikingjelly(export(network, tmp_path / "a.nir", inclusive=True), x, network.time_steps)
    assert np.array_equal(found, expected)
    assert len(np.unique(expected)) > 100


def test_at_the_threshold_of_nir_spikingjelly_fires_too_early(tmp_path: Path) -> None:
    """Why there is `inclusive`: NIR fires above its threshold."""
    network = one_threshold(residual())
    x = spikes_in((network.time_steps, 200, *network.input_shape), rate=0.3, seed=3, high=2)
    found = run_spikingjelly(export(network, tmp_path / "a.nir"), x, network.time_steps)
    assert not np.array_equal(found, network.run(x, step=exact_step).logits_TNK)


def test_the_numbers_in_the_file(tmp_path: Path) -> None:
    """d = 1024: tau = 4 dt, r = 4; the threshold as it is; edges of both sources of the shortcut meet in its population."""
    network = residual()
    network = replace(network, populations=(replace(network.populations[0], decay=1024), *network.populations[1:]))
    graph = nir.read(str(export(network, tmp_path / "a.nir")))
    stem = graph.nodes["p_stem"]
    assert np.unique(stem.tau) == [4e-4] and np.unique(stem.r) == [4.0] and stem.v_threshold.shape == (4, 6, 6)
    assert stem.v_threshold[:, 0, 0].tolist() == network.populations[0].threshold.tolist()
    assert {source for source, target in graph.edges if target == "p_block_1"} == {"p_block_1_w0", "p_block_1_w1"}
    assert isinstance(graph.nodes["p_block_1"], nir.IF)
    assert isinstance(to_graph(attention()).nodes["p_x"], nir.Threshold)


def test_a_grouped_convolution_is_written_out() -> None:
    graph = to_graph(residual())
    weight = graph.nodes["p_block_0_w0"].weight
    assert weight.shape == (4, 4, 3, 3) and not weight[:2, 2:].any() and not weight[2:, :2].any() and weight[:2, :2].any()


def test_what_nir_or_its_reader_cannot_say(tmp_path: Path) -> None:
    network = dense()
    once = replace(network, populations=tuple(replace(p, once=True) for p in network.populations))
    with pytest.raises(UserError, match="population hidden fires once"):
        to_graph(once)
    x = np.zeros((1, 1, 20, 1, 1), np.int64)
    with pytest.raises(UserError, match=r"SpikingJelly cannot read a\.nir: nir\.LIF\.v_threshold must be uniform"):
        run_spikingjelly(export(network, tmp_path / "a.nir"), x, 6)
    with pytest.raises(UserError, match=r"SpikingJelly cannot read b\.nir: .*Threshold"):
        run_spikingjelly(export(one_threshold(attention()), tmp_path / "b.nir"), np.zeros((1, 1, 3, 3, 3), np.int64), 6)


def test_a_file_of_others_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.nir").write_bytes(b"no")
    with pytest.raises(UserError, match=r"a\.nir is no NIR file"):
        load(tmp_path / "a.nir")
    graph = to_graph(dense())
    graph.metadata = {}
    with pytest.raises(UserError, match="only what snn5 exported can be read back"):
        from_graph(graph)


def test_synapses_are_compared() -> None:
    """The comparison itself: one weight that differs is seen."""
    a = Synapses(source="input", kind="dense", weight=np.array([[1, 2]], np.int32))
    assert same(a, replace(a)) and not same(a, replace(a, weight=np.array([[1, 3]], np.int32)))
