"""tdBN: a batch norm that starts as wide as the neurons behind it need."""

from typing import Any

import pytest
import torch
from model_checks import noise
from spikingjelly.activation_based import layer
from torch import nn

from snn5.models._threshold_norm import ThresholdNorm, conv_threshold_norm, firing_current
from snn5.neurons import create_neuron


@pytest.mark.parametrize(
    ("neuron", "neuron_args", "expected"),
    [
        ("glif", None, 0.5),
        ("dynamic_glif", {}, 0.5),
        ("glif", {"tau": 0.9}, 0.5),  # GLIF's tau is a share that stays, not a time constant
        ("plif", None, 2.0),
        ("adaptive_lif", {"tau": 4.0}, 4.0),
        ("lif", {"v_threshold": 0.5}, 1.0),
        ("lif", {"decay_input": False, "tau": 4.0}, 1.0),
        ("relu", {"v_threshold": 0.5}, 1.0),
    ],
)
def test_firing_current(neuron: str, neuron_args: dict[str, Any] | None, expected: float) -> None:
    assert firing_current(neuron, neuron_args) == expected


@pytest.mark.parametrize(
    ("neuron", "neuron_args"),
    [
        ("plif", {}),
        ("lif", {"tau": 4.0, "v_threshold": 0.3}),
        ("lif", {"decay_input": False}),
        ("adaptive_lif", {"tau": 3.0}),
    ],
)
def test_it_is_the_current_that_fires_at_once(neuron: str, neuron_args: dict[str, Any]) -> None:
    """A little more and the first step spikes, a little less and it does not."""
    current = firing_current(neuron, neuron_args)
    for factor, spikes in ((1.01, 1.0), (0.99, 0.0)):
        made = create_neuron(neuron, channels=2, time_steps=1, **neuron_args)
        assert (made(torch.full((1, 3, 2, 4, 4), factor * current)) == spikes).all()


def test_it_is_batch_norm_times_its_scale() -> None:
    own, plain, x_TNCHW = ThresholdNorm(4, 0.5), layer.BatchNorm2d(4, step_mode="m"), noise(3, 5, 4, 6, 6)
    torch.testing.assert_close(own(x_TNCHW), 0.5 * plain(x_TNCHW))
    nn.init.constant_(own.weight, 9.0)
    own.reset_parameters()
    assert own.weight.tolist() == [0.5] * 4 and own.running_mean.tolist() == [0.0] * 4


def test_conv_threshold_norm_keeps_the_size() -> None:
    made = conv_threshold_norm(2, 3, kernel=3, stride=2, scale=0.7)
    assert made(noise(1, 2, 2, 9, 9)).shape == (1, 2, 3, 5, 5)
    assert made[0].bias is None and made[1].weight.tolist() == pytest.approx([0.7] * 3)
