"""The PyNN program: its function on NEST, its place on a virtual board, and what is said where there is no place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from spinnaker_networks import dense, residual, spikes_in

from snn5.errors import UserError
from snn5.hardware.spinnaker import Board, calibrate, events_per_step, levels, map_virtual, run_pynn
from snn5.hardware.spinnaker._mapping import _placements, read_proof
from snn5.hardware.spinnaker._pynn import _last_words, write_program


def test_the_program_that_a_board_gets_is_the_reference_on_nest() -> None:
    """Biases from the clock, binary digits of the input, delays, signs by receptor: 4 samples, one run after the other."""
    network = dense()
    x = spikes_in((network.time_steps, 4, *network.input_shape), rate=0.3, seed=3, high=3)
    expected, found = network.run(x), run_pynn(network, x, calibrate(network, x))
    assert all(np.array_equal(found.spikes[name], s) for name, s in expected.spikes.items())
    assert np.array_equal(found.logits_TNK, expected.logits_TNK)
    assert expected.spikes["deep"].any()


def test_the_program_in_numbers(tmp_path: Path) -> None:
    """Every synapse appears once for each binary digit of its source, with the delay that its levels ask for."""
    network = residual()
    x = spikes_in((network.time_steps, 2, *network.input_shape), rate=0.5, seed=3, high=3)
    write_program(network, x, calibrate(network, x), tmp_path, neurons_per_core=256)
    arrays = np.load(tmp_path / "arrays.npz")
    text = (tmp_path / "network.json").read_text()
    assert '"input", "size": 144' in text  # 2 x 6 x 6 pixels, two digits
    delays = np.concatenate([arrays[key] for key in arrays if key.startswith("delay")])
    assert set(delays.tolist()) == {1.0, 2.0} and levels(network)["block.1"] - levels(network)["stem"] == 2
    assert all((arrays[key] > 0).all() for key in arrays if key.startswith("weight"))
    sent = sum(len(arrays[f"time:input:{n}"]) for n in range(2))
    assert sent == sum(int(value).bit_count() for value in x.ravel())


def test_a_virtual_board_places_every_neuron() -> None:
    """92 or so neurons to a core: 144 stem neurons need two, and so on; every core but the read-out's has a key."""
    mapping = map_virtual(residual(), neurons_per_core=100)
    own = {"stem": 2, "block.0": 2, "block.1": 1, "readout": 1, "input": 1, "clock": 1}
    assert mapping.cores_by_population == own
    assert (mapping.neurons, mapping.cores, mapping.source_cores, mapping.chips) == (352, 8, 2, 1)
    assert mapping.keys == 7 and 0 < mapping.routing_entries_max <= 1023
    assert 0 < mapping.sdram_bytes_max <= mapping.sdram_bytes < 123_000_000
    assert mapping.metrics()["cores"] == 8.0


def test_events_are_the_spikes_times_their_synapses() -> None:
    """Counted the other way round, by the sums that weights of 1 would give; whole numbers divided once, so equal to the bit."""
    network = residual()
    trace = network.run(spikes_in((network.time_steps, 7, *network.input_shape), rate=0.5, seed=3, high=3))
    found = events_per_step(network, trace)
    runs = network.time_steps * 7
    for name, synapses in [*((p.name, p.synapses) for p in network.populations), ("readout", network.readout.synapses)]:
        arriving = [
            replace(one, weight=(one.weight != 0).astype(np.int32)).current(trace.spikes[one.source].reshape(runs, *shape).astype(np.int64))
            for one in synapses
            if one.source != "input"
            for shape in [trace.spikes[one.source].shape[2:]]
        ]
        assert found[name] == sum(int(a.sum()) for a in arriving) / runs
    assert found["stem"] == 0.0 and min(found[name] for name in ("block.0", "block.1", "readout")) > 0


def test_too_large_before_sPyNNaker_is_asked() -> None:
    with pytest.raises(UserError, match="352 neurons and 6311 synapses need at least 72 cores of 5 neurons; 4 chips have 64"):
        map_virtual(residual(), width=2, height=2, neurons_per_core=5)


def test_too_large_for_sPyNNaker() -> None:
    """The neurons alone would fit; the sources do not."""
    with pytest.raises(
        UserError, match=r"could not map the network \(352 neurons.*4 chips have 64\): the PyNN program failed on spiNNaker: "
    ):
        map_virtual(residual(), width=2, height=2, neurons_per_core=6)


def test_a_virtual_board_runs_nothing() -> None:
    network = dense()
    x = spikes_in((network.time_steps, 1, *network.input_shape), rate=0.3, seed=3)
    with pytest.raises(UserError, match="a virtual board runs nothing; set machine_name or spalloc_server"):
        run_pynn(network, x, calibrate(network, x), backend="spiNNaker")


def test_a_real_board_needs_its_address_only() -> None:
    assert "machine_name = 192.168.240.253\nversion = 5\n" in Board(machine_name="192.168.240.253").settings()
    assert "spalloc_server = https://example.org/spalloc/\n" in Board(spalloc_server="https://example.org/spalloc/").settings()
    assert "virtual_board = True\nversion = 5\nwidth = 8\nheight = 8\n" in Board().settings()


def test_proof_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did not finish"):
        read_proof(tmp_path)
    run = tmp_path / "reports" / "x"
    run.mkdir(parents=True)
    (run / "finished").write_text("")
    with pytest.raises(UserError, match=r"left no placement_by_vertex_using_graph\.rpt"):
        read_proof(tmp_path)


def test_a_part_without_a_place_is_an_error() -> None:
    text = "**** Vertex: 'a'\nMachine Vertices:\n  Slice (0:9) on core (0, 0, 3) a(0:9)\n  Slice (10:19) a(10:19)\n"
    with pytest.raises(UserError, match="placed 1 of the 2 parts of a"):
        _placements(text)


def test_last_words() -> None:
    text = 'talk\nTraceback (most recent call last):\n  File "x"\n    y()\nValueError: no room\n\n!WARNING: 5 messages\n'
    assert _last_words(text) == "ValueError: no room"
    assert _last_words("killed") == "killed" and _last_words("") == ""
