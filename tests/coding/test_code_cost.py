"""Counting, by hand."""

import pytest
import torch

from snn5.coding._cost import count
from snn5.coding._raster import raster
from snn5.errors import UserError

# T = 3, N = 2 samples, 2 inputs and 3 hidden neurons
INPUTS = torch.tensor([[[1, 0], [0, 0]], [[1, 1], [0, 0]], [[1, 0], [0, 1]]], dtype=torch.float32)
HIDDEN = torch.tensor([[[0, 0, 1], [1, 0, 0]], [[0, 0, 1], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]]], dtype=torch.float32)


def test_spikes_and_synops() -> None:
    cost = count([INPUTS, HIDDEN], [3, 10])
    assert cost.spikes == [2.5, 2.0]  # (4 + 1) / 2 samples; (2 + 2) / 2
    assert cost.synops == [7.5, 20.0]
    assert cost.most == 3
    metrics = cost.metrics(time_steps=3, windows=2, updates=39)
    assert metrics == {
        "cost/synops": 27.5,
        "cost/synops_input": 7.5,
        "cost/synops_hidden": 20.0,
        "cost/input_spikes": 2.5,
        "cost/spikes_per_input": 1.25,
        "cost/hidden_spikes": 2.0,
        "cost/spikes_per_neuron": 2 / 3,
        "cost/spike_rate": 2 / 9,
        "cost/spikes_per_neuron_max": 3.0,
        "cost/neuron_updates": 39.0,
        "cost/latency_steps": 6.0,
    }
    assert cost.details()["spikes_per_neuron"] == [1.25, 2 / 3]


def test_silence_costs_nothing() -> None:
    assert sum(count([torch.zeros_like(INPUTS), torch.zeros_like(HIDDEN)], [3, 10]).synops) == 0


def test_fan_outs_must_fit() -> None:
    with pytest.raises(UserError, match="2 spike trains and 1 fan-outs"):
        count([INPUTS, HIDDEN], [3])


def test_raster() -> None:
    drawn = raster([INPUTS, HIDDEN], serial=True, most=2)
    assert drawn[0] == {"layer": "input", "start": 0, "rows": ["111", "010"]}
    assert drawn[1] == {"layer": "hidden1", "start": 3, "rows": ["000", "000"]}
    assert raster([INPUTS, HIDDEN], serial=False, sample=1)[1] == {"layer": "hidden1", "start": 0, "rows": ["101", "000", "000"]}
