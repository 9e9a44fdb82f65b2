"""Who is wired to whom."""

import math

import pytest
import torch

from snn5.bio._topology import (
    GRID,
    balanced_unit,
    connection_probability,
    draw_mask,
    grid_positions,
    local_probability,
    log_normal,
    on_grid,
    population_signs,
)
from snn5.errors import UserError

ODDS = (0.3, 0.2, 0.4, 0.1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_positions_fill_the_smallest_cube() -> None:
    assert grid_positions(8).tolist() == [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    for n in (1, 27, 28, 300, 1000):
        position = grid_positions(n)
        side = math.ceil(round(n ** (1 / 3), 6))
        assert position.shape == (n, 3) and position.max() <= side - 1
        assert len({tuple(p) for p in position.tolist()}) == n


def test_probability_by_hand() -> None:
    """Two neurons at distance 1, E at 0 and I at 1; C is [pre -> post], the matrix [post, pre]."""
    p = connection_probability(torch.tensor([[0.0, 0, 0], [0, 0, 1]]), torch.tensor([1.0, -1.0]), ODDS, radius=2.0)
    assert p[1, 0].item() == pytest.approx(0.2 * math.exp(-1 / 4))  # E -> I
    assert p[0, 1].item() == pytest.approx(0.4 * math.exp(-1 / 4))  # I -> E
    assert p.diagonal().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("seed", range(3))
def test_in_degree_of_every_neuron(seed: int) -> None:
    """Realised against expected, within four sigma for each neuron: a loop over the wrong index wires only some of them."""
    sign = population_signs(300, 0.8, generator(seed))
    p = connection_probability(grid_positions(300), sign, ODDS, radius=2.0)
    mask = draw_mask(p, generator(seed + 10))
    for axis in (1, 0):  # synapses that a neuron receives, and that it sends
        expected, variance = p.sum(axis), (p * (1 - p)).sum(axis)
        assert ((mask.sum(axis) - expected).abs() <= 4 * variance.sqrt()).all()
    assert not mask.diagonal().any()
    near = (grid_positions(300)[:, None] - grid_positions(300)[None]).norm(dim=2) <= 2
    assert mask[near].float().mean() > 10 * mask[~near].float().mean()


def test_populations_are_exact() -> None:
    sign = population_signs(300, 0.8, generator())
    assert sorted(set(sign.tolist())) == [-1.0, 1.0] and int((sign > 0).sum()) == 240
    assert int((sign[:240] < 0).sum()) > 20  # and mixed
    assert (population_signs(10, 1.0, generator()) == 1).all()


def test_log_normal_moments() -> None:
    z = log_normal((20000,), 0.5, generator()).log()
    assert z.mean().item() == pytest.approx(0.0, abs=0.02) and z.std().item() == pytest.approx(0.5, rel=0.03)


def test_grid_holds_exact_multiples() -> None:
    w = on_grid(log_normal((1000,), 0.5, generator()))
    assert torch.equal(w / GRID, (w / GRID).round()) and w.dtype == torch.float32
    assert on_grid(torch.tensor([GRID * 2.4])).item() == 2 * GRID


def test_balanced_unit_by_hand() -> None:
    p = torch.tensor([[0.0, 0.5, 0.9], [0.25, 0.0, 0.9], [0.25, 0.5, 0.0]])
    assert balanced_unit(p, torch.tensor([1.0, 1.0, -1.0])) == pytest.approx(1 / math.sqrt((0.5 + 0.25 + 0.75) / 3))
    assert balanced_unit(p, -torch.ones(3)) == 0.0


@pytest.mark.parametrize(("odds", "radius"), [((0.3, 0.2, 0.4), 2.0), ((0.3, 0.2, 0.4, 1.1), 2.0), (ODDS, 0.0)])
def test_impossible_odds(odds: tuple[float, ...], radius: float) -> None:
    with pytest.raises(UserError, match=rf"radius={radius}; need four odds"):
        connection_probability(grid_positions(2), torch.ones(2), odds, radius)


def test_patches_of_the_sensor() -> None:
    """Each row holds the expected number of synapses, both channels alike, four fifths of them within two radii of its heaviest pixel."""
    p_nC = local_probability(200, (2, 9, 11), 1.5, 4.0, torch.Generator().manual_seed(0))
    assert p_nC.shape == (200, 198) and torch.allclose(p_nC.sum(1), torch.full((200,), 4.0), atol=1e-4)
    image = p_nC.view(200, 2, 9, 11)
    assert torch.equal(image[:, 0], image[:, 1])
    peak = image[:, 0].flatten(1).argmax(1)
    row, column = torch.meshgrid(torch.arange(9), torch.arange(11), indexing="ij")
    distance = ((row[None] - (peak // 11)[:, None, None]) ** 2 + (column[None] - (peak % 11)[:, None, None]) ** 2).sqrt()
    assert float(((image[:, 0] * (distance <= 3.0)).sum((1, 2)) / image[:, 0].sum((1, 2))).min()) > 0.8
    assert len(peak.unique()) > 50


def test_a_patch_too_small_for_its_synapses_is_full() -> None:
    p_nC = local_probability(20, (1, 5, 5), 0.3, 50.0, torch.Generator().manual_seed(0))
    assert float(p_nC.max()) == 1.0 and float(p_nC.min()) >= 0.0
