"""The reference by hand: decay, rounding, threshold, reset, gates, one spike, read-out, errors."""

import numpy as np
import pytest
from small_networks import dense, network, neurons, skipping, spikes

from snn5.errors import UserError
from snn5.hardware import IntegerNetwork, Population, compare, loihi_step


def one(decay: int = 2048, threshold: int = 10, **more: bool) -> Population:
    return neurons("n", dense("input", [[1]]), threshold=threshold, decay=decay, **more)


def alone(population: Population, x: list[int]) -> list[int]:
    net = network(population, inputs=1, steps=len(x))
    return net.run(np.array(x).reshape(-1, 1, 1, 1, 1)).spikes["n"].ravel().tolist()


@pytest.mark.parametrize(
    ("v", "decay", "expected"), [(-1, 2048, 0), (-3, 2048, -1), (3, 2048, 1), (-5, 0, -5), (999, 4096, 0), (-4095, 1, -4094)]
)
def test_potentials_decay_towards_zero(v: int, decay: int, expected: int) -> None:
    """-1 / 2 is 0; a shift would give -1."""
    after, _ = loihi_step(np.full((1, 1, 1, 1), v), np.zeros((1, 1, 1, 1), np.int64), one(decay, threshold=1000))
    assert after.item() == expected


def test_it_fires_above_the_threshold_only() -> None:
    assert alone(one(threshold=10), [10, 0, 0]) == [0, 0, 0]
    assert alone(one(threshold=10), [11, 0, 0]) == [1, 0, 0]
    assert alone(one(threshold=10), [10, 6, 0]) == [0, 1, 0]  # 5 + 6


def test_a_spike_resets_to_zero() -> None:
    assert alone(one(0, threshold=10), [30, 5, 5, 1]) == [1, 0, 0, 1]


def test_a_gate_forgets_and_if_does_not() -> None:
    assert alone(one(4096, threshold=1), [1, 1, 2, 1]) == [0, 0, 1, 0]
    assert alone(one(0, threshold=2), [1, 1, 1, 1]) == [0, 0, 1, 0]


def test_once_is_once_a_sample() -> None:
    net = network(one(4096, threshold=0, once=True), inputs=1, steps=3)
    x = np.array([[0, 1, 1], [1, 1, 1]]).T.reshape(3, 2, 1, 1, 1)
    assert net.run(x).spikes["n"][:, :, 0, 0, 0].T.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_the_readout_is_a_current() -> None:
    net = network(one(0, threshold=0), inputs=1, steps=2)
    assert net.run(np.ones((1, 1, 1, 1, 1))).logits_TNK.ravel().tolist() == [1, 1]


def test_sources_with_shared_weights_are_the_sum_of_both() -> None:
    """The same network with two arrays of equal weights."""
    net, x = skipping(), spikes(1, skipping(), 20)
    total = net.populations[2]
    parts = tuple(dense(s.source, s.weight.copy()) for s in total.synapses)
    apart = IntegerNetwork(
        populations=(*net.populations[:2], neurons("sum", *parts, threshold=90)),
        readout=net.readout,
        input_shape=net.input_shape,
        time_steps=net.time_steps,
    )
    assert compare(net.run(x), apart.run(x)).equal


def test_errors_carry_the_numbers() -> None:
    net = network(one(), inputs=1, steps=4)
    with pytest.raises(UserError, match=r"shape \[2, 1, 1, 1, 1\]; need \[1 or 4, N, 1, 1, 1\]"):
        net.run(np.zeros((2, 1, 1, 1, 1)))
    with pytest.raises(UserError, match="population n: potential 12800000 leaves 24 bits"):
        net.run(np.full((1, 1, 1, 1, 1), 200_000))
    with pytest.raises(UserError, match="decay 5000; need 0 to 4096"):
        one(5000)
