"""Single synapses against PyTorch's convolution, and the lag of every population."""

from dataclasses import replace

import numpy as np
import pytest
from spinnaker_networks import attention, residual

from snn5.errors import UserError
from snn5.hardware import Synapses
from snn5.hardware.spinnaker import expand, levels


def test_an_asymmetric_kernel_by_hand() -> None:
    """One input row of three, kernel [1 2 3]: out[x] = 1 in[x - 1] + 2 in[x] + 3 in[x + 1], not the mirror image."""
    synapses = Synapses(source="input", kind="conv", weight=np.array([[[[1, 2, 3]]]], np.int32).reshape(1, 1, 1, 3), padding=0)
    listed = expand(synapses, (1, 1, 3), (1, 1, 1))
    assert sorted(zip(listed.pre, listed.post, listed.weight, strict=True)) == [(0, 0, 1), (1, 0, 2), (2, 0, 3)]


@pytest.mark.parametrize(("stride", "padding", "groups", "k"), [(1, 1, 1, 3), (2, 1, 2, 3), (2, 0, 1, 1), (1, 2, 3, 5), (3, 0, 6, 2)])
def test_the_list_adds_up_to_the_convolution(stride: int, padding: int, groups: int, k: int) -> None:
    g = np.random.default_rng(0)
    weight = g.integers(-3, 4, (12, 6 // groups, k, k)).astype(np.int32)
    synapses = Synapses(source="input", kind="conv", weight=weight, stride=stride, padding=padding, groups=groups)
    spikes = g.integers(0, 3, (1, 6, 7, 8))
    expected = synapses.current(spikes)[0]
    listed = expand(synapses, (6, 7, 8), (12, *expected.shape[1:]))
    current = np.zeros(expected.size, np.int64)
    np.add.at(current, listed.post, listed.weight * spikes.ravel()[listed.pre])
    assert np.array_equal(current, expected.ravel())
    assert (listed.weight != 0).all()


def test_dense_synapses() -> None:
    listed = expand(Synapses(source="a", kind="dense", weight=np.array([[0, 5], [-1, 0]], np.int32)), (2, 1, 1), (2, 1, 1))
    assert sorted(zip(listed.pre, listed.post, listed.weight, strict=True)) == [(0, 1, -1), (1, 0, 5)]


def test_levels_are_the_longest_paths() -> None:
    assert levels(residual()) == {"input": 0, "stem": 1, "block.0": 2, "block.1": 3, "readout": 4}
    assert levels(attention()) == {"input": 0, "q": 1, "k": 1, "token": 2, "x": 3, "readout": 4}


def test_a_source_behind_its_target_is_an_error() -> None:
    network = residual()
    with pytest.raises(UserError, match=r"block\.1 gets spikes from block\.0, which does not come before it"):
        levels(replace(network, populations=network.populations[::-1]))
