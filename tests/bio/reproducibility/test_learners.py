"""R0 of both tracks, and that each source of randomness reaches what it should and nothing else."""

from typing import Any

import pytest
import small_learners
import torch

from snn5.bio.reproducibility import MANNERS, Draws, Manner, Outcome, SpikingMLP, same_bits
from snn5.errors import UserError

DRAWS = Draws.of("test", 0)
EACH = pytest.mark.parametrize("track", ["bio", "sg"])


def learner(track: str, code: str = "poisson") -> Any:
    return getattr(small_learners, track)(code)


@EACH
def test_the_same_seed_gives_the_same_bits_in_every_manner(track: str) -> None:
    learn = learner(track)
    first = learn(DRAWS, Manner())
    differs = same_bits(first, {name: learn(DRAWS, manner) for name, manner in MANNERS.items()})
    assert differs == {name: [] for name in MANNERS}
    assert first.accuracy >= 0.9  # it learns


@EACH
@pytest.mark.parametrize("source", Draws._fields)
def test_another_seed_gives_other_bits(track: str, source: str) -> None:
    learn = learner(track)
    first, other = learn(DRAWS), learn(DRAWS._replace(**{source: 1}))
    changed = {part for part, value in first.sha256.items() if other.sha256[part] != value} - {"predictions"}
    expected = {
        ("bio", "init"): {"wiring", "spikes", "readout"},
        ("bio", "noise"): {"wiring", "spikes", "readout"},  # input weights are scaled by the rate of the inputs
        ("bio", "order"): {"readout"},
        ("sg", "init"): {"first", "weights"},
        ("sg", "noise"): {"weights"},
        ("sg", "order"): {"weights"},
    }
    assert changed == expected[track, source]


@EACH
def test_a_deterministic_code_takes_the_noise_away(track: str) -> None:
    learn = learner(track, "regular")
    assert learn(DRAWS).sha256 == learn(DRAWS._replace(noise=1)).sha256
    assert learn(DRAWS).sha256 != learn(DRAWS._replace(order=1)).sha256


def test_what_differs_is_named() -> None:
    labels = torch.zeros(2).long()
    first = Outcome(labels, labels, 1.0, {"weights": "a", "predictions": "b"})
    assert same_bits(first, {"again": first, "late": first._replace(sha256={"weights": "x", "predictions": "b"})}) == {
        "again": [],
        "late": ["weights"],
    }
    with pytest.raises(UserError, match="at least one run beside the first"):
        same_bits(first, {})
    with pytest.raises(UserError, match=r"run 'other' hashed \['spikes'\], the first \['predictions', 'weights'\]"):
        same_bits(first, {"other": first._replace(sha256={"spikes": "a"})})


def test_spiking_mlp_by_hand() -> None:
    """One hidden IF neuron, weight 0.6, threshold 1: inputs 1, 1, 1 fire it at the second step; logit = 2 s + 1."""
    net = SpikingMLP([1, 1, 1], neuron="if", time_steps=3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for linear, weight, bias in zip(net.linears, (0.6, 2.0), (0.0, 1.0), strict=True):
            linear.weight.fill_(weight)
            linear.bias.fill_(bias)
        for _ in range(2):  # each call starts from rest
            assert net(torch.ones(3, 1, 1, 1, 1)).flatten().tolist() == [1.0, 3.0, 1.0]
