"""Lava against the reference, layer by layer; and what is nearly right must not pass (t1 to t7 of the spec of P5.2)."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_networks import dense, floors, inclusive, network, neurons, skipping, spikes, two_layers

from snn5.errors import UserError
from snn5.hardware import IntegerNetwork, Synapses, compare, lava, lava_importable

with lava_importable():
    pytest.importorskip("lava.proc.lif.process")


def test_two_layers_with_bias_are_equal_over_many_samples() -> None:
    """t1: resets between samples, bias in a pipeline that fills, streams side by side."""
    net = two_layers()
    x = spikes(1, net, 40)
    parity = compare(net.run(x), lava.run(net, x))
    assert parity.equal and parity.spikes > 500
    assert parity.labels == 40
    assert lava.run(net, x[:, :3]).peak == net.run(x[:, :3]).peak


def test_mistaken_references_differ() -> None:
    """t6: a threshold that is reached fires, a skip does not wait. (Rounding down has its own test.)"""
    net = skipping()
    x = spikes(2, net, 20)
    ran = lava.run(net, x)
    assert compare(net.run(x), ran).equal
    assert not compare(net.run(x, step=inclusive), ran).equal
    hasty = lava.run(net, x, how=lava.plan(net, equalise=False))
    found = compare(net.run(x), hasty)
    assert not found.equal
    assert found.differing["one"] == found.differing["two"] == 0
    assert found.differing["sum"] > 0 and "sum" in found.first


def test_rounding_down_differs() -> None:
    """t6: -4 weights decay to -127/64, then to -63.004/64: towards zero that is -63, and 64 (1 + 2) - 63 is above 2 x 64 by one."""
    net = network(neurons("n", dense("input", [[-4, 3]]), threshold=2, decay=2064), inputs=2, steps=3)
    x = np.array([[1, 0], [0, 0], [0, 1]]).reshape(3, 1, 2, 1, 1)
    ran = lava.run(net, x)
    assert ran.spikes["n"].ravel().tolist() == [0, 0, 1]
    assert compare(net.run(x), ran).equal
    assert net.run(x, step=floors).spikes["n"].ravel().tolist() == [0, 0, 0]


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_reset_at_another_step_differs(shift: int) -> None:
    """t4: a population of depth l is reset l steps after the sample began."""
    net = two_layers()
    x = spikes(3, net, 12)
    how = lava.plan(net)
    late = replace(how, depth=how.depth | {"two": how.depth["two"] + shift})
    assert not compare(net.run(x), lava.run(net, x, how=late)).equal


def test_odd_weights_stay_and_plain_lava_drops_them() -> None:
    """t2: both-signed synapses lose their lowest bit, so they are doubled and the sum is shifted back."""
    weight = np.array([[3, -3, 1, 127], [-1, 127, -127, 5]], np.int32)
    net = network(neurons("n", dense("input", weight), threshold=1000, decay=4096), inputs=4, steps=1)
    exact = IntegerNetwork(
        populations=net.populations,
        readout=replace(net.readout, synapses=(dense("input", weight),)),
        input_shape=net.input_shape,
        time_steps=1,
    )
    x = np.eye(4, dtype=np.int64).reshape(1, 4, 4, 1, 1)
    assert lava.run(exact, x).logits_TNK[0].tolist() == weight.T.tolist()
    assert stock_dense(weight) == [[2, -4, 0, 126], [-2, 126, -128, 4]]


def stock_dense(weight: np.ndarray) -> list[list[int]]:
    """What Lava's Dense makes of one spike at each input."""
    with lava_importable():
        from lava.utils.weightutils import SignMode, clip_weights, truncate_weights
    mode = SignMode.MIXED
    return truncate_weights(clip_weights(weight, mode, num_bits=8), mode, 8).tolist()


def test_negative_potentials_round_to_zero_and_ties_do_not_fire() -> None:
    """t3, t5: -1/64 of a weight decays to 0; a potential at the threshold stays silent."""
    single = network(neurons("n", dense("input", [[1]]), threshold=2, decay=4095), inputs=1, steps=4)
    for x in ([2, 0, 3, 2], [1, 2, 2, 0]):
        trace = lava.run(single, np.array(x).reshape(4, 1, 1, 1, 1))
        assert trace.spikes["n"].ravel().tolist() == [int(value > 2) for value in x]


def test_convolutions_gates_and_delays_beside_our_own_records() -> None:
    """Two sources of a gate at different depths; a convolution with stride; one spike a sample."""
    draw = np.random.default_rng(5)
    kernel = draw.integers(-30, 40, (3, 2, 3, 3)).astype(np.int32)
    ones = np.ones((3, 1, 1, 1), np.int32)
    conv = Synapses(source="input", kind="conv", weight=kernel, stride=2, padding=1)
    same: dict[str, Any] = {"kind": "conv", "weight": ones, "groups": 3}

    def at(name: str, *synapses: Synapses, threshold: int, decay: int, once: bool = False) -> Any:
        numbers = {"bias": np.array([4, 0, -4]), "threshold": np.array([threshold, threshold + 1, threshold + 2])}
        return replace(
            neurons(name, dense("input", [[1]] * 3), threshold=1), synapses=synapses, shape=(3, 3, 3), decay=decay, once=once, **numbers
        )

    first = at("conv", conv, threshold=30, decay=1000)
    second = at("again", Synapses(source="conv", **same), threshold=0, decay=0, once=True)
    gate = replace(
        at("and", Synapses(source="conv", **same), Synapses(source="again", **same), threshold=1, decay=4096), bias=np.zeros(3, np.int64)
    )
    readout = replace(two_layers().readout, synapses=(dense("and", draw.integers(-9, 9, (6, 27))),))
    net = IntegerNetwork(populations=(first, second, gate), readout=readout, input_shape=(2, 5, 5), time_steps=5)
    x = spikes(6, net, 20)
    parity = compare(net.run(x), lava.run(net, x))
    assert parity.equal and parity.spikes > 100


def test_static_input_is_shown_in_every_step() -> None:
    net = two_layers()
    x = np.random.default_rng(7).integers(0, 17, (1, 5, 8, 1, 1))
    assert compare(net.run(x), lava.run(net, x)).equal


def test_errors() -> None:
    net = two_layers()
    with pytest.raises(UserError, match="input from 0 to 256; need 0 to 255"):
        lava.run(net, np.full((1, 1, 8, 1, 1), 256) * np.arange(8).astype(bool).reshape(1, 1, 8, 1, 1))
    wide = network(neurons("n", dense("input", [[128]]), threshold=2), inputs=1)
    with pytest.raises(UserError, match="population n: weight 128; Loihi's synapses have 8 bits"):
        lava.plan(wide)
    loud = network(neurons("n", dense("input", [[127] * 2]), threshold=2, decay=4096), inputs=2, steps=1)
    with pytest.raises(UserError, match="a current of 64770 leaves Loihi's 16 bits"):
        lava.run(loud, np.full((1, 1, 2, 1, 1), 255))


def test_resources_by_hand() -> None:
    found = lava.resources(skipping())
    total = found["total"]
    assert (found["one"].neurons, found["one"].cores, found["sum"].delay) == (12, 1, 1)
    assert total.neurons == 12 + 12 + 6 + 6 and total.cores == 4 and total.chips == 1
    assert found["readout"].synapses == 6
