"""The compiled step against `step` in torch, over sizes and settings that the vector loops could get wrong."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from snn5.bio import Liquid
from snn5.bio._dynamics import State, step
from snn5.bio._kernel import find
from snn5.config import Liquid as Settings
from snn5.errors import UserError

STEPS = 40


def made(neurons: int, channels: int, **settings: float) -> Liquid:
    own = replace(Settings(neurons=neurons, gain=0.6, drive=4.0), **settings)
    return Liquid(channels, own, input_rate=0.1, generator=torch.Generator().manual_seed(neurons))


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 31, 64])
def test_find_lists_the_places_that_are_not_zero(length: int) -> None:
    rng = np.random.default_rng(length)
    for rate in (0.0, 0.2, 1.0):
        rows = (rng.random((2, length)) < rate).astype(np.uint8) * 255
        places = np.full(64, -1)
        count = find(rows[1], places)  # a row that need not be aligned
        assert places[:count].tolist() == np.flatnonzero(rows[1]).tolist() and (places[count:] == -1).all()


@pytest.mark.parametrize(
    ("neurons", "channels", "settings"),
    [
        (11, 3, {}),
        (131, 9, {"refractory_ms": 0.0}),
        (40, 8, {"delay_ms": 60.0}),  # beyond the window
        (67, 20, {"threshold": 0.001}),
        (200, 5, {"input_synapses": 0.2, "gain": 0.0}),  # most stay asleep: neuron by neuron
    ],
)
def test_the_same_bits_as_step(neurons: int, channels: int, settings: dict[str, float]) -> None:
    pool = made(neurons, channels, **settings)
    x_TNC = (torch.rand(STEPS, 3, channels, generator=torch.Generator().manual_seed(1)) < 0.1).to(torch.uint8)
    x_TNC[:, 2] = 0  # one sample is silence
    found, after = pool.simulate(x_TNC)
    state, constants = pool.silent(3), pool.constants()
    for t in range(STEPS):
        spikes, state = step(x_TNC[t].float() @ pool.weight_in.T, State(*state), constants)
        assert torch.equal(found[t].float(), spikes)
    assert all(torch.equal(a, b) for a, b in zip(after[:4], state[:4], strict=True))
    assert int(found[:, :2].sum()) > 10 and not found[:, 2].any()
    awake = pool.work(x_TNC).updates / (2 * STEPS * neurons)
    assert awake < 0.25 if "input_synapses" in settings else awake > 0.5


def test_a_threshold_at_rest_is_refused() -> None:
    pool = made(20, 4)
    pool.threshold[3] = 0.0
    with pytest.raises(UserError, match=r"lowest threshold is 0\.0; need more than 0"):
        pool.simulate(torch.zeros(2, 1, 4, dtype=torch.uint8))
