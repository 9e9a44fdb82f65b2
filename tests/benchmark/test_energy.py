import pytest

from snn5.benchmark import FP16, FP32, INT8, INT32, EnergyModel, LayerOperations, Memory, NeuronOperations, Operations, integer
from snn5.errors import UserError


def one_layer(*, macs: float = 0.0, acs: float = 0.0, weights: int = 100, size: int = 10) -> LayerOperations:
    sizes = {"inputs_nonzero": 3.0, "outputs": 20.0, "input_size": size, "output_size": size, "weights": weights}
    return LayerOperations(kind="binary", dense=1000.0, padded=1100.0, macs=macs, acs=acs, any_weight=0.0, **sizes)


def test_published_energy_of_spikingformer_8_512() -> None:
    """0.347329512 GMAC and 6.51754094 GAC: 7.4635 mJ in its log."""
    assert FP32.energy_pj(macs=0.347329512e9, acs=6.51754094e9) * 1e-9 == pytest.approx(7.4635, abs=5e-5)


def test_horowitz_constants() -> None:
    pairs = [(a.mac_pj, a.ac_pj) for a in (FP32, FP16, INT32, INT8)]
    assert pairs == [pytest.approx(p) for p in ((4.6, 0.9), (1.5, 0.4), (3.2, 0.1), (0.23, 0.03))]
    assert FP32.ac_pj / FP32.mac_pj == pytest.approx(0.1957, abs=1e-4)
    assert INT8.ac_pj / INT8.mac_pj == pytest.approx(0.130, abs=1e-3)


def test_integer_widths() -> None:
    assert integer(8, 8) == INT8
    # half the width: half an adder, a quarter of a multiplier
    assert (integer(4, 4).mac_pj, integer(4, 4).ac_pj) == (pytest.approx(0.2 / 4 + 0.015), pytest.approx(0.015))
    with pytest.raises(UserError, match="weight_bits=0; need 1 to 32"):
        integer(0)


def test_arithmetic_of_a_network() -> None:
    operations = Operations(layers={"a": one_layer(macs=100.0), "b": one_layer(acs=200.0)})
    model = EnergyModel(weight_bits={"a": 32, "b": 4})
    assert model.fp32_pj(operations) == pytest.approx(100 * 4.6 + 200 * 0.9)
    assert model.fp32_pj(operations, dense=True) == pytest.approx(2000 * 4.6)
    assert model.int_pj(operations) == pytest.approx(100 * 0.23 + 200 * 0.015)
    assert model.int_pj(operations, dense=True) == pytest.approx(1000 * 0.23 + 1000 * (0.1 + 0.015))


def test_memory_prices() -> None:
    """10, 20 and 100 pJ per 64 bit word up to 8 kB, 32 kB and 1 MB; DRAM beyond."""
    memory = Memory()
    assert [memory.access_pj(bits=64, size_bytes=kb * 1024) for kb in (1, 8, 9, 32, 33, 1024, 1025)] == [10, 10, 20, 20, 100, 100, 1300]
    assert memory.access_pj(bits=16, size_bytes=1) == 2.5


def test_energy_with_memory_by_hand() -> None:
    """All memories below 8 kB: 5 pJ per 32 bit access, 2.5 pJ per address of 16 bits."""
    floats, spiking = Operations(layers={"a": one_layer(macs=7.0)}), Operations(layers={"a": one_layer(acs=7.0)})
    model = EnergyModel(weight_bits={})
    assert model.memory_pj(floats) == pytest.approx(7 * (4.6 + 5 + 5) + 20 * 5)  # weight and activation per MAC, one write per output
    assert model.memory_pj(spiking) == pytest.approx(7 * (0.9 + 5 + 2 * 5) + 2 * 3 * 2.5)  # weight, potential in and out, addresses
    assert model.memory_pj(spiking, dense=True) == pytest.approx(1000 * (4.6 + 5 + 5) + 20 * 5)
    with_neurons = Operations(layers=spiking.layers, neurons={"n": NeuronOperations(updates=11.0, spikes=1.0, neurons=10)})
    assert model.memory_pj(with_neurons) - model.memory_pj(spiking) == pytest.approx(11 * (4.6 + 2 * 5))


def test_memory_follows_size_and_width() -> None:
    small, large = Operations(layers={"a": one_layer(acs=7.0)}), Operations(layers={"a": one_layer(acs=7.0, weights=10**6)})
    wide, narrow = EnergyModel(weight_bits={"a": 32}), EnergyModel(weight_bits={"a": 4})
    assert wide.memory_pj(large) - wide.memory_pj(small) == pytest.approx(7 * (1300 - 10) / 2)  # 4 MB lie in DRAM
    assert narrow.memory_pj(large) < wide.memory_pj(large) / 30  # 0.5 MB fit into SRAM


def test_a_silent_spike_layer_moves_nothing() -> None:
    silent = Operations(layers={"a": one_layer()})
    model = EnergyModel(weight_bits={})
    assert model.memory_pj(silent) == pytest.approx(2 * 3 * 2.5)  # three spikes that meet no weight are written and read as addresses
    assert model.memory_pj(silent, dense=True) == pytest.approx(1000 * (4.6 + 5 + 5) + 20 * 5)
