"""Is the liquid alive, and is it any good."""

import math

import pytest
import torch

from snn5.bio import (
    EASY,
    Liquid,
    bin_counts,
    branching,
    cv_isi,
    draw,
    effective_rank,
    guard,
    observe,
    population_rates,
    prototypes,
    separation,
)
from snn5.config import Liquid as Settings
from snn5.errors import UserError


def test_rates_by_hand() -> None:
    counts = torch.tensor([[2, 4, 6], [0, 2, 2]])
    rates = population_rates(counts, torch.tensor([1.0, 1.0, -1.0]), steps=10)
    assert rates == {"excitatory": pytest.approx(0.2), "inhibitory": pytest.approx(0.4)}
    assert list(population_rates(counts, torch.ones(3), steps=10)) == ["excitatory"]


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"excitatory": 0.1, "inhibitory": 9e-5}, r"inhibitory population is silent: 9e-05 .* raise p8\.drive"),
        ({"excitatory": 0.0, "inhibitory": 0.1}, "excitatory population is silent: 0 "),
        ({"excitatory": math.nan}, "excitatory population is silent: nan"),
        ({"excitatory": 0.1, "inhibitory": 0.6}, r"inhibitory population runs away: 0\.6 .* lower p8\.gain"),
    ],
)
def test_guard(rates: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        guard(rates)


def test_guard_lets_living_networks_pass() -> None:
    guard({"excitatory": 1e-4, "inhibitory": 0.5})


def test_separation_by_hand() -> None:
    """Distances on a line: within 2 and 2, between 10, 12, 8, 10."""
    x = torch.tensor([[0.0], [2.0], [10.0], [12.0]])
    y = torch.tensor([0, 0, 1, 1])
    assert separation(x, y) == pytest.approx(5.0)
    assert separation(7 * x + 3, y) == pytest.approx(5.0)
    assert separation(torch.tensor([[0.0], [0.0], [1.0]]), torch.tensor([0, 0, 1])) == math.inf
    with pytest.raises(UserError, match="two classes"):
        separation(x, torch.zeros(4))
    with pytest.raises(UserError, match="the liquid is silent"):
        separation(torch.ones(4, 2), y)
    with pytest.raises(UserError, match="the liquid is silent"):
        separation(torch.full((4, 300), 0.1), y)  # traces, not counts
    assert separation(torch.tensor([[0.1], [0.1], [0.3]]), torch.tensor([0, 0, 1])) == math.inf


def test_effective_rank_by_hand() -> None:
    assert effective_rank(torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])) == pytest.approx(2.0)
    assert effective_rank(torch.arange(5.0)[:, None] * torch.tensor([[1.0, 2.0, 3.0]])) == pytest.approx(1.0)
    stretched = torch.tensor([[3.0, 0], [-3, 0], [0, 1], [0, -1]])  # singular values 3 : 1
    assert effective_rank(stretched) == pytest.approx(math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25))))
    with pytest.raises(UserError, match=r"rank 0.*the liquid is silent"):
        effective_rank(torch.full((5, 3), 0.1))


def test_branching_by_hand() -> None:
    raster = torch.zeros(5, 1, 8, dtype=torch.uint8)
    for t, n in enumerate((2, 4, 0, 1, 1)):  # ratios 2, 0, (none), 1
        raster[t, 0, :n] = 1
    assert branching(raster) == pytest.approx(1.0)
    assert branching(raster[:4]) == pytest.approx(1.0) and branching(raster[:2]) == pytest.approx(2.0)
    with pytest.raises(UserError, match="no spikes"):
        branching(raster * 0)


def test_cv_isi_by_hand() -> None:
    """A clock has 0; intervals 1 and 3 have mean 2 and sd 1; a train of two spikes does not count."""
    raster = torch.zeros(20, 1, 3, dtype=torch.uint8)
    raster[::4, 0, 0] = 1
    assert cv_isi(raster) == 0.0
    raster[[2, 3, 6], 0, 1] = 1
    raster[[1, 9], 0, 2] = 1
    assert cv_isi(raster) == pytest.approx(0.25)
    with pytest.raises(UserError, match="three times"):
        cv_isi(raster[:, :, 2:])


def test_cv_isi_of_independent_spikes() -> None:
    raster = torch.rand(5000, 2, 20, generator=torch.Generator().manual_seed(0)) < 0.05
    assert cv_isi(raster.to(torch.uint8)) == pytest.approx(math.sqrt(1 - 0.05), rel=0.03)  # geometric intervals


def test_a_liquid_separates_what_input_counts_do_not() -> None:
    generator = torch.Generator().manual_seed(0)
    x_TNC, y_N = draw(EASY, prototypes(EASY, generator), 120, dt_ms=1.0, generator=generator)
    pool = Liquid(40, Settings(neurons=150), input_rate=float(x_TNC.float().mean()), generator=generator)
    seen = observe(pool, x_TNC, lambda spikes_TNn: bin_counts(spikes_TNn, 5))
    assert separation(seen.inputs_NC, y_N) == pytest.approx(1.0, abs=0.02)
    assert separation(seen.features_Np, y_N) > 1.1
    assert effective_rank(seen.features_Np) > effective_rank(seen.inputs_NC) + 20


def test_a_silent_liquid_is_an_error() -> None:
    pool = Liquid(4, Settings(neurons=20, drive=0.0), input_rate=0.1, generator=torch.Generator().manual_seed(0))
    seen = observe(pool, torch.ones(10, 3, 4, dtype=torch.uint8), lambda spikes_TNn: bin_counts(spikes_TNn, 1))
    with pytest.raises(UserError, match="excitatory population is silent"):
        guard(population_rates(seen.spikes_Nn, pool.sign, seen.steps))
    with pytest.raises(UserError, match="rank 0"):
        effective_rank(seen.features_Np)
