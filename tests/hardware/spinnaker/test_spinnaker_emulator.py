"""s16.15 by hand, and against the integer reference."""

import math
from dataclasses import replace

import numpy as np
import pytest
from spinnaker_networks import NETWORKS, dense, residual, spikes_in

from snn5.errors import UserError
from snn5.hardware import IntegerNetwork, Population, Readout, Synapses
from snn5.hardware._integer_network import ONE, Int
from snn5.hardware.spinnaker import Cell, calibrate, emulate
from snn5.hardware.spinnaker._cells import constants, ring_shift
from snn5.hardware.spinnaker._fixed import ACCUM, accum, divide, membrane, times

SAMPLES = 200


def sample(network: IntegerNetwork, *, seed: int, n: int = SAMPLES) -> Int:
    return spikes_in((network.time_steps, n, *network.input_shape), rate=0.3, seed=seed)


# --- numbers


def test_products_are_rounded_to_the_nearest() -> None:
    assert times(np.array([3, -3, 1]), np.array([ACCUM // 2, ACCUM // 2, ACCUM // 4])).tolist() == [2, -1, 0]  # 1.5, -1.5 and 0.25
    assert divide(accum(1.0), accum(3.0)) == 10922  # 10922.67


@pytest.mark.parametrize("decay", [2048, 1365, 3000, 45, 4000, 4096, 0])
def test_a_weight_of_one_is_a_jump_of_one(decay: int) -> None:
    """Which takes cm = tau_m (1 - exp(-1 / tau_m)), not PyNN's 1 nF."""
    tau_m, cm = constants(decay)
    one = accum(np.ones(1) * (1.0 if decay else 0.5))
    assert abs(int(membrane(one * 0, one, tau_m, cm)[0]) - int(one[0])) <= 1 + one[0] * 5e-5
    assert abs(int(membrane(one * 0, one, tau_m, 1.0)[0]) - int(one[0])) > 200 or decay == 0
    assert cm == pytest.approx(-tau_m * math.expm1(-1 / tau_m), rel=3e-3)


@pytest.mark.parametrize("decay", [2048, 1365, 3072, 45, 4000, 4096])
def test_what_a_step_leaves_of_a_potential_is_exact(decay: int) -> None:
    tau_m, cm = constants(decay)
    v = membrane(accum(np.array([4096.0])), np.zeros(1, np.int64), tau_m, cm)
    assert v[0] / ACCUM == ONE - decay
    assert tau_m == pytest.approx(-1 / math.log((ONE - decay) / ONE) if decay < ONE else 1 / 16, rel=4e-3)


def test_at_tau_2_the_constants_are_the_formulas() -> None:
    assert constants(2048) == (pytest.approx(1.442695, abs=1e-4), pytest.approx(0.721348, abs=1e-4))


def test_an_integrator_forgets_the_least_that_leaves_room() -> None:
    v = membrane(accum(np.array([1.0])), np.zeros(1, np.int64), *constants(0))
    assert v[0] == ACCUM - 2


@pytest.mark.parametrize(("expected", "shift"), [(0, 0), (0.3, 0), (1, 1), (1.5, 1), (2, 2), (3, 2), (1000, 10), (1024, 11)])
def test_the_shift_is_sPyNNakers(expected: float, shift: int) -> None:
    assert ring_shift(expected) == shift


# --- one neuron


def one_neuron(weights: list[int], threshold: int) -> IntegerNetwork:
    n = Population(
        name="n",
        shape=(1, 1, 1),
        synapses=(Synapses(source="input", kind="dense", weight=np.array([weights], np.int32)),),
        bias=np.zeros(1, np.int64),
        threshold=np.array([threshold]),
        decay=2048,
    )
    readout = Readout(
        synapses=(Synapses(source="n", kind="dense", weight=np.ones((1, 1), np.int32)),), bias=np.zeros(1, np.int64), scale=1.0
    )
    return IntegerNetwork(populations=(n,), readout=readout, input_shape=(len(weights), 1, 1), time_steps=4)


def ones(network: IntegerNetwork) -> Int:
    return np.ones((1, 1, *network.input_shape), np.int64)


def fired(network: IntegerNetwork, **changes: object) -> list[int]:
    cells = calibrate(network, ones(network))
    cells["n"] = replace(cells["n"], **changes)  # type: ignore[arg-type]
    return emulate(network, ones(network), cells).trace.spikes["n"].ravel().tolist()


def test_the_threshold_counts() -> None:
    """V = 8, 12, 14, 15: the chip fires at 12 when v_thresh is 12, the cell is told to fire above it."""
    network = one_neuron([8], 12)
    assert fired(network, v_thresh=np.array([12.0])) == [0, 1, 0, 1]
    assert fired(network) == network.run(ones(network)).spikes["n"].ravel().tolist() == [0, 0, 1, 0]


def test_the_default_tau_refrac_loses_a_step() -> None:
    """0.1 ms are a whole step: V = 20 fires, and the next step hears nothing."""
    network = one_neuron([20], 10)
    assert fired(network) == [1, 1, 1, 1]
    assert fired(network, tau_refrac=0.1) == [1, 0, 1, 0]


def test_a_full_ring_buffer_is_counted() -> None:
    """Six weights of 100 where 30 Hz sources would bring 100: the buffer holds 65535 / 2^(15 - 7) = 256."""
    network = one_neuron([100] * 6, 400)
    cells = calibrate(network, ones(network))
    assert emulate(network, ones(network), cells).saturated == {"n": 0, "readout": 0}
    cells["n"] = replace(cells["n"], expected=(100.0, 0.0))
    found = emulate(network, ones(network), cells)
    assert found.saturated["n"] == network.time_steps
    assert found.trace.spikes["n"].ravel().tolist() == [0, 0, 1, 0]  # V = 256, 384, 448: late, and the reference fires at once
    assert network.run(ones(network)).spikes["n"].ravel().tolist() == [1, 1, 1, 1]


def test_excitation_and_inhibition_do_not_share_a_buffer() -> None:
    """+300 and -300 are 0 at the neuron, and 300 in each buffer, which holds 256."""
    network = one_neuron([150, 150, -150, -150], 10)
    cells = calibrate(network, ones(network))
    assert cells["n"].expected == (450.0, 450.0)
    cells["n"] = replace(cells["n"], expected=(100.0, 100.0))
    assert emulate(network, ones(network), cells).saturated["n"] == 2 * network.time_steps


def test_a_weight_that_does_not_fit_is_an_error() -> None:
    network = one_neuron([300], 10)
    cells = calibrate(network, ones(network))
    cells["n"] = replace(cells["n"], expected=(100.0, 0.0))
    with pytest.raises(UserError, match=r"a weight of 300 steps needs 76800, more than 16 bits; raise Cell\.expected"):
        emulate(network, ones(network), cells)


def test_a_weight_that_calibration_never_saw_fits_all_the_same() -> None:
    network = one_neuron([300], 10)
    assert calibrate(network, ones(network) * 0)["n"].expected == (450.0, 0.0)


def test_a_potential_that_leaves_s16_15_is_counted() -> None:
    network = one_neuron([100], 10)
    cells = calibrate(network, ones(network))
    assert cells["n"].unit == 1.0
    cells["n"] = replace(cells["n"], unit=2.0**10, v_thresh=np.array([1e9]), expected=(2.0**17, 0.0))  # 102400 mV and more
    found = emulate(network, ones(network), cells)
    assert found.overflow["n"] > 0


# --- networks


@pytest.mark.parametrize("name", NETWORKS)
def test_the_chip_agrees_with_the_reference(name: str) -> None:
    """At most 0.5 % of a population's spikes and 1 % of the labels differ; where every decay is 1/2 or 0, none."""
    network = NETWORKS[name]()
    x = sample(network, seed=3)
    expected, found = network.run(x), emulate(network, x, calibrate(network, sample(network, seed=9, n=100)))
    wrong = {p: float((found.trace.spikes[p] != s).mean()) for p, s in expected.spikes.items()}
    assert max(wrong.values()) <= (0.005 if name == "residual" else 0)
    assert (labels(found.trace.logits_TNK) == labels(expected.logits_TNK)).mean() >= 0.99
    assert not any(found.saturated.values()) and not any(found.overflow.values())


def labels(logits_TNK: Int) -> Int:
    return np.asarray(logits_TNK.sum(0).argmax(-1))


def wrong_tau(cell: Cell) -> Cell:
    return replace(cell, tau_m=2.0, cm=2.0 * -math.expm1(-0.5))


def default_refractory(cell: Cell) -> Cell:
    return replace(cell, tau_refrac=0.1)


def guessed_sum(cell: Cell) -> Cell:
    """Two weights' worth, as of sources that rest most of the time."""
    return replace(cell, expected=(63.0, 63.0))


@pytest.mark.parametrize("mistake", [wrong_tau, default_refractory, guessed_sum])
def test_a_mistake_costs_more_than_that(mistake: object) -> None:
    network = dense()
    x = sample(network, seed=3)
    cells = {name: mistake(cell) if name != "readout" else cell for name, cell in calibrate(network, x).items()}  # type: ignore[operator]
    expected, found = network.run(x), emulate(network, x, cells)
    assert max(float((found.trace.spikes[p] != s).mean()) for p, s in expected.spikes.items()) > 0.005


def test_neurons_that_fire_once() -> None:
    network = dense()
    network = replace(network, populations=tuple(replace(p, once=True) for p in network.populations))
    x = sample(network, seed=3)
    expected, found = network.run(x), emulate(network, x, calibrate(network, x))
    assert all(np.array_equal(found.trace.spikes[p], s) for p, s in expected.spikes.items())
    assert expected.spikes["deep"].sum(0).max() == 1


def test_counts_come_as_binary_digits() -> None:
    network = residual()
    x = sample(network, seed=3)[:1] * 5
    expected, found = network.run(x), emulate(network, x, calibrate(network, x))
    assert all(float((found.trace.spikes[p] != s).mean()) <= 0.005 for p, s in expected.spikes.items())
    assert found.saturated["stem"] == 0


def test_an_input_below_0_is_an_error() -> None:
    network = residual()
    with pytest.raises(UserError, match="an input of -2; SpiNNaker's sources send spikes"):
        calibrate(network, sample(network, seed=3) * -2)
