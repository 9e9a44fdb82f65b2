"""The integer network on NEST, spike for spike; and that the comparison notices every mistake it is there to notice."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from spinnaker_networks import NETWORKS, dense, residual, spikes_in

from snn5.errors import UserError
from snn5.hardware import IntegerNetwork, Population, Readout, Synapses
from snn5.hardware._integer_network import ONE, Int
from snn5.hardware.spinnaker import _nest, exact_step, run_nest
from snn5.hardware.spinnaker._nest import time_constant

SAMPLES = 200


def sample(network: IntegerNetwork, *, n: int = SAMPLES, rate: float = 0.3, high: int = 1) -> Int:
    return spikes_in((network.time_steps, n, *network.input_shape), rate=rate, seed=3, high=high)


def differences(network: IntegerNetwork, x: Int) -> int:
    """Spikes and logits in which NEST and the exact reference differ."""
    found, expected = run_nest(network, x), network.run(x, step=exact_step)
    spikes = sum(int((found.spikes[name] != s).sum()) for name, s in expected.spikes.items())
    return spikes + int((found.logits_TNK != expected.logits_TNK).sum())


@pytest.mark.parametrize("name", NETWORKS)
def test_nest_is_the_reference_spike_for_spike(name: str) -> None:
    network = NETWORKS[name]()
    x = sample(network)
    expected, found = network.run(x, step=exact_step), run_nest(network, x)
    for population, spikes in expected.spikes.items():
        assert 0.03 < spikes.mean() < 0.8, f"{population} proves little at a rate of {spikes.mean()}"
        assert np.array_equal(found.spikes[population], spikes), population
    assert np.array_equal(found.logits_TNK, expected.logits_TNK)
    labels = [trace.logits_TNK.sum(0).argmax(-1) for trace in (found, network.run(x))]
    assert (labels[0] == labels[1]).mean() >= 0.99  # of the rounding reference; decays other than 1/2 may differ (below)


def test_at_a_decay_of_one_half_nothing_differs_from_the_rounding_reference() -> None:
    """V has T binary digits after the point at most, and V > theta does not see what rounding towards zero cuts off below 1/64."""
    network = dense()
    x = sample(network)
    rounded, found = network.run(x), run_nest(network, x)
    assert all(np.array_equal(found.spikes[name], s) for name, s in rounded.spikes.items())
    assert np.array_equal(found.logits_TNK, rounded.logits_TNK)


def test_counts_and_signs_of_an_input() -> None:
    """An image shown T times, as whole numbers: a generator's spike weighs as much as its value."""
    network = residual()
    x = sample(network, n=20, rate=0.5, high=3)[:1] - 1
    assert differences(network, x) == 0


def test_neurons_that_fire_once() -> None:
    """Time to first spike: refractory until the sample ends, and ready for the next."""
    network = residual()
    network = replace(network, populations=(replace(network.populations[0], once=True), *network.populations[1:-1], once(network)))
    x = sample(network)
    assert network.run(x).spikes["block.1"].sum(0).max() == 1 and network.run(x).spikes["block.0"].sum(0).max() > 1
    assert differences(network, x) == 0


def once(network: IntegerNetwork) -> Population:
    return replace(network.populations[-1], once=True)


def test_samples_do_not_know_of_each_other() -> None:
    """The clearing between them: the last sample alone spikes as it does behind the others."""
    network = residual()
    x = sample(network, n=7)
    alone, together = run_nest(network, x[:, -1:]), run_nest(network, x)
    assert all(np.array_equal(alone.spikes[name][:, 0], s[:, -1]) for name, s in together.spikes.items())


# --- what must fail


def wrong_tau(population: Population, steps: int) -> dict[str, float]:
    """tau_m = tau: a decay of exp(-1 / 2) = 0.61 where 0.5 is meant."""
    return {**_nest._neuron(tau_m=ONE / max(population.decay, 1))}


def refractory(population: Population, steps: int) -> dict[str, float]:
    """PyNN's default tau_refrac of 0.1 ms, which is one whole step here."""
    return {**_nest._neuron(tau_m=time_constant(population.decay)), "t_ref": 1.0}


MUTANTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "tau_m = tau": ("_parameters", wrong_tau),
    "refractory step": ("_parameters", refractory),
    ">= for >": ("_threshold", lambda theta: theta.astype(np.float64)),
    "missing delay": ("_delay", lambda source, target: 1.0),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mistake_does_not_pass(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, made = MUTANTS[mutant]
    monkeypatch.setattr(_nest, name, made)
    network = residual()
    try:
        assert differences(network, sample(network, n=50)) > 0
    except UserError as error:
        assert mutant in ("missing delay", "refractory step") and "delays do not match" in str(error)


# --- numbers


def test_the_time_constant_gives_the_decay() -> None:
    """Exactly, or a few units in the last place beside it."""
    assert time_constant(2048) == 1 / math.log(2)
    decays = [(math.exp(-1 / time_constant(d)), (ONE - d) / ONE) for d in range(ONE + 1)]
    assert sum(got == meant for got, meant in decays) == 3268
    assert all(abs(got - meant) <= 5 * math.ulp(meant) for got, meant in decays)


def test_one_neuron_by_hand() -> None:
    """theta 10, decay 1/2, currents 8, 6, 1, 20 and 0: V = 8, 10 (not above 10), 6, 23 -> spike -> 0, 0."""
    x = np.array([8, 6, 1, 20, 0]).reshape(5, 1, 1, 1, 1)
    network = one_neuron(threshold=10)
    assert run_nest(network, x).spikes["n"].ravel().tolist() == [0, 0, 0, 1, 0]
    assert run_nest(one_neuron(threshold=9), x).spikes["n"].ravel().tolist() == [0, 1, 0, 1, 0]


def one_neuron(*, threshold: int) -> IntegerNetwork:
    one = np.ones((1, 1), np.int32)
    n = Population(
        name="n",
        shape=(1, 1, 1),
        synapses=(Synapses(source="input", kind="dense", weight=one),),
        bias=np.zeros(1, np.int64),
        threshold=np.array([threshold]),
        decay=2048,
    )
    readout = Readout(synapses=(Synapses(source="n", kind="dense", weight=one),), bias=np.zeros(1, np.int64), scale=1.0)
    return IntegerNetwork(populations=(n,), readout=readout, input_shape=(1, 1, 1), time_steps=5)


def test_a_wrong_input_is_an_error() -> None:
    with pytest.raises(UserError, match=r"input of shape \[2, 1, 20, 1, 1\]; need \[1 or 6, N, 20, 1, 1\]"):
        run_nest(dense(), np.zeros((2, 1, 20, 1, 1), np.int64))
