"""Latency codes: one spike or one burst, the earlier the brighter."""

import pytest
import torch
from spikingjelly.activation_based import encoding

from snn5.coding import burst, decode_ttfs, ttfs
from snn5.errors import UserError


def intensities(n: int = 1000, seed: int = 0) -> torch.Tensor:
    return torch.cat([torch.rand(n, generator=torch.Generator().manual_seed(seed)), torch.tensor([0.0, 1.0])])


def first(s_TN: torch.Tensor) -> torch.Tensor:
    """Step of the first spike; T where there is none."""
    return torch.where(s_TN.sum(0) > 0, s_TN.argmax(0), len(s_TN))


def test_ttfs_by_hand() -> None:
    x = torch.tensor([0.0, 0.1, 0.125, 0.25, 0.6, 0.75, 1.0])
    # levels floor(4 x + 1/2) = 0 0 1 1 2 3 4, steps 4 - level
    assert first(ttfs(x, 4)).tolist() == [4, 4, 3, 3, 2, 1, 0]


@pytest.mark.parametrize("steps", [1, 2, 16, 100, 1024])
def test_ttfs_has_at_most_one_spike_and_is_monotone(steps: int) -> None:
    x = intensities().sort().values
    s = ttfs(x, steps)
    assert s.shape == (steps, len(x)) and set(s.unique().tolist()) <= {0.0, 1.0}
    assert s.sum(0).max() == 1
    assert (first(s).diff() <= 0).all()  # brighter is never later
    assert first(s)[0] == steps and first(s)[-1] == 0


@pytest.mark.parametrize("steps", [4, 16, 100])
def test_ttfs_round_trip(steps: int) -> None:
    x = intensities().double()
    assert (decode_ttfs(ttfs(x, steps)) - x).abs().max() <= 0.5 / steps + 1e-12
    levels = torch.arange(steps + 1, dtype=torch.float64) / steps
    assert torch.equal(decode_ttfs(ttfs(levels, steps)), levels)  # a digit's 17 grey levels at T = 16


def test_ttfs_is_spikingjellys_latency_encoder_without_the_spike_for_nothing() -> None:
    x = intensities()
    theirs = encoding.LatencyEncoder(21, step_mode="s")
    s = torch.stack([theirs(x) for _ in range(21)])
    assert torch.equal(s.sum(0), torch.ones_like(x))  # the trap: even x = 0 spikes
    assert torch.equal(ttfs(x, 20), s[:20])


def test_eps() -> None:
    x = torch.tensor([0.0, 0.01, 0.2, 0.21, 1.0])
    assert first(ttfs(x, 4, eps=0.0)).tolist() == [4, 3, 3, 3, 0]  # above eps: at the latest step rather than not at all
    assert first(ttfs(x, 4, eps=0.2)).tolist() == [4, 4, 4, 3, 0]


@pytest.mark.parametrize(("steps", "length"), [(8, 3), (3, 3), (16, 2), (100, 5)])
def test_burst_is_whole_or_absent(steps: int, length: int) -> None:
    x = intensities().sort().values
    s = burst(x, steps, length=length)
    assert s.shape == (steps, len(x)) and set(s.sum(0).tolist()) == {0.0, float(length)}
    edges = torch.cat([torch.zeros(1, len(x)), s, torch.zeros(1, len(x))]).diff(dim=0)
    assert torch.equal(edges.clamp(min=0).sum(0), (s.sum(0) > 0).float())  # one rise: spikes in a row
    assert (first(s).diff() <= 0).all() and first(s)[-1] == 0


def test_burst_by_hand() -> None:
    # 3 levels fit a burst of 2 into 4 steps: 0.2 -> level 1 (the last place), 0.5 -> 2, 1.0 -> 3
    s = burst(torch.tensor([0.1, 0.2, 0.5, 1.0]), 4, length=2)
    assert s.T.tolist() == [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0]]


def test_burst_of_one_is_ttfs() -> None:
    x = intensities().view(6, 167)
    assert torch.equal(burst(x, 12, length=1), ttfs(x, 12))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ttfs(torch.tensor([2.0]), 4), r"in \[0, 1\], got 2 to 2"),
        (lambda: ttfs(torch.tensor([0.5]), 0), "time_steps=0; need at least 1"),
        (lambda: ttfs(torch.tensor([0.5]), 4, eps=1.0), "eps=1.0; need a value from 0 to below 1"),
        (lambda: burst(torch.tensor([0.5]), 4, length=5), "time_steps=4; need at least 5"),
        (lambda: burst(torch.tensor([0.5]), 4, length=0), "length=0; a burst needs at least one spike"),
    ],
)
def test_mistakes(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=message):
        call()
