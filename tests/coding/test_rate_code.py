"""The rate code: exact counts, even spacing, seeded draws."""

import pytest
import torch
from spikingjelly.activation_based import encoding

from snn5.coding import rate
from snn5.errors import UserError


def test_regular_spikes_by_hand() -> None:
    x = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0])
    # t x + 1/2 passes a whole number: at t = 2 for 1/4; at 1 and 3 for 1/2; at 1, 2 (exactly 2.0) and 4 for 3/4
    expected = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 0, 1, 1], [0, 0, 1, 0, 1], [0, 0, 0, 1, 1]], dtype=torch.float32)
    assert torch.equal(rate(x, 4), expected)


@pytest.mark.parametrize("steps", [1, 7, 16, 100, 1024])
def test_counts_are_exact_and_spikes_evenly_spaced(steps: int) -> None:
    x = torch.cat([torch.rand(500, generator=torch.Generator().manual_seed(steps)), torch.arange(17) / 16])
    s = rate(x, steps)
    assert s.shape == (steps, 517) and set(s.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(s.sum(0).double(), (steps * x.double() + 0.5).floor())
    so_far, due = s.double().cumsum(0), torch.arange(1, steps + 1)[:, None] * x.double()
    assert (so_far - due).abs().max() <= 0.5 + 1e-9  # never more than half a spike ahead or behind


def test_shape_and_dtype_follow_x() -> None:
    s = rate(torch.rand(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), 5)
    assert s.shape == (5, 2, 3, 4) and s.dtype == torch.float64


def test_bernoulli_is_spikingjellys_poisson_encoder_with_its_own_generator() -> None:
    x = torch.rand(8, 9, generator=torch.Generator().manual_seed(1))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = encoding.PoissonEncoder()(x.expand(20, 8, 9))
    assert torch.equal(rate(x, 20, generator=torch.Generator().manual_seed(3)), theirs)


def test_bernoulli_draws() -> None:
    x = torch.tensor([0.0, 0.3, 1.0])
    before = torch.get_rng_state()
    s = rate(x, 10_000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)  # the global generator is not used
    assert s[:, 0].sum() == 0 and s[:, 2].sum() == 10_000
    assert abs(float(s[:, 1].mean()) - 0.3) < 5 * (0.3 * 0.7 / 10_000) ** 0.5
    assert not torch.equal(s, rate(x, 10_000, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize(
    ("x", "steps", "message"),
    [
        (torch.tensor([0, 1]), 4, "needs floating-point intensities, got torch.int64"),
        (torch.tensor([0.5, 1.5]), 4, r"in \[0, 1\], got 0.5 to 1.5; divide by the split's scale"),
        (torch.tensor([-0.5, 0.5]), 4, r"got -0.5 to 0.5"),
        (torch.tensor([float("nan")]), 4, r"got nan to nan"),
        (torch.tensor([0.5]), 0, "time_steps=0; need at least 1"),
    ],
)
def test_mistakes(x: torch.Tensor, steps: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        rate(x, steps)
