"""What holds for every code at every T: nothing for nothing, brighter is never later, and none of SpikingJelly's traps."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from spikingjelly.activation_based import encoding

from snn5.coding import burst, first_spike, rate, ttfs


def bernoulli(x: torch.Tensor, steps: int) -> torch.Tensor:
    return rate(x, steps, generator=torch.Generator().manual_seed(0))


CODES: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "rate": rate,
    "bernoulli": bernoulli,
    "ttfs": ttfs,
    "ttfs, eps": partial(ttfs, eps=0.0),
    "burst": burst,
    "burst of 2, eps": partial(burst, length=2, eps=0.1),
}
EVERY = pytest.mark.parametrize("name", sorted(CODES))
STEPS = pytest.mark.parametrize("steps", [3, 4, 16, 90, 100, 257])


@EVERY
@STEPS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zero_is_silent_and_one_spikes_at_once(name: str, steps: int, dtype: torch.dtype) -> None:
    s = CODES[name](torch.tensor([0.0, 1.0], dtype=dtype).repeat(50), steps)
    assert s.dtype == dtype and s.shape == (steps, 100)
    assert s[:, ::2].sum() == 0 and (s[0, 1::2] == 1).all()


@pytest.mark.parametrize("name", sorted(set(CODES) - {"bernoulli"}))  # chance does so in the mean only, below
@STEPS
def test_brighter_spikes_no_later(name: str, steps: int) -> None:
    x = torch.linspace(0, 1, 1001)
    s = CODES[name](x, steps)
    assert set(s.unique().tolist()) == {0.0, 1.0}
    assert (first_spike(s).diff() <= 0).all()
    if name == "rate":
        assert (s.sum(0).diff() >= 0).all()  # and no fewer


def test_brighter_spikes_earlier_in_the_mean_of_chance() -> None:
    x = torch.tensor([0.1, 0.3, 0.6, 0.9]).repeat_interleave(2000)
    mean = first_spike(bernoulli(x, 20)).double().view(4, 2000).mean(1)
    assert (mean.diff() < -0.3).all()


@pytest.mark.parametrize("steps", [2, 8, 33])
def test_first_spike_by_hand(steps: int) -> None:
    s = torch.zeros(steps, 4)
    s[0, 0] = s[1, 1] = s[steps - 1, 2] = s[steps - 1, 1] = 1
    assert first_spike(s).tolist() == [0, 1, steps - 1, steps]


def test_the_traps_are_spikingjellys() -> None:
    nothing = torch.zeros(3)
    theirs = encoding.LatencyEncoder(8, step_mode="s")
    assert sum(float(theirs(nothing).sum()) for _ in range(8)) == 3  # a spike for x = 0 ...
    assert ttfs(nothing, 8).sum() == burst(nothing, 8).sum() == 0
    with pytest.raises(RuntimeError):  # ... and its log mode overflows
        encoding.LatencyEncoder(100, enc_function="log", step_mode="s")(torch.tensor([0.0, 0.5, 1.0]))
    assert first_spike(ttfs(torch.tensor([0.0, 0.5, 1.0]), 100)).tolist() == [100, 50, 0]
