"""The 2 x 2 x 2 design: what varies in which cell, and the shares by hand."""

import math

import pytest

from snn5.bio.reproducibility import EVERYTHING, SOURCES, Draws, decompose, design
from snn5.errors import UserError


def test_only_what_a_cell_names_varies() -> None:
    cells = design(5, "here")
    assert len(cells) == 7 and {len(draws) for draws in cells.values()} == {5}
    for cell, draws in cells.items():
        for source in SOURCES:
            values = {getattr(own, source) for own in draws}
            assert len(values) == (5 if source in cell.split("+") else 1), (cell, source)
    assert cells["init"][2].init == cells[EVERYTHING][2].init  # one seed for run 2, in all cells
    assert cells[EVERYTHING][0] == Draws.of("here", 0)
    assert len(set(Draws.of("here", 0))) == 3 and Draws.of("here", 0) != Draws.of("there", 0)


def cell(variance: float) -> list[float]:
    """Two accuracies with that variance: m +- d have d^2 * 2."""
    d = math.sqrt(variance / 2)
    return [0.5 - d, 0.5 + d]


def test_sources_that_add_up() -> None:
    own = {"init": 0.04, "noise": 0.01, "order": 0.0}
    found = decompose({name: cell(sum(own[part] for part in name.split("+"))) for name in design(2)})
    assert {source: found[f"{source}/share"] for source in SOURCES} == pytest.approx({"init": 0.8, "noise": 0.2, "order": 0.0}, abs=1e-9)
    # Standard error: variances 0.04, 0.01, 0, 0.05, 0.04, 0.01, 0.05, each of two runs: sqrt(2 sum v^2) / 4 / 0.05.
    assert found["noise/share_se"] == pytest.approx(math.sqrt(2 * (2 * 0.0016 + 2 * 0.0001 + 2 * 0.0025)) / 4 / 0.05)
    assert found["init/sd"] == pytest.approx(0.2) and found[f"{EVERYTHING}/sd"] == pytest.approx(math.sqrt(0.05))


def test_sources_that_need_each_other() -> None:
    """Noise spreads only where the weights vary, too: (0.04 - 0) / 4 twice for noise, (0.02 + 0.06) over four settings for init."""
    variance = {"init": 0.02, "noise": 0.0, "order": 0.0, "init+noise": 0.06, "init+order": 0.02, "noise+order": 0.0, EVERYTHING: 0.06}
    found = decompose({name: cell(value) for name, value in variance.items()})
    assert found["noise/share"] == pytest.approx((0.04 + 0.04) / 4 / 0.06)
    assert found["init/share"] == pytest.approx((0.02 + 0.06 + 0.02 + 0.06) / 4 / 0.06)
    assert found["order/share"] == pytest.approx(0.0, abs=1e-12)


def test_nothing_spreads() -> None:
    found = decompose({name: [0.9, 0.9] for name in design(2)})
    assert set(found.values()) == {0.0}


def test_a_missing_cell() -> None:
    with pytest.raises(UserError, match="need two runs or more in each of"):
        decompose({"init": [0.1, 0.2]})
    with pytest.raises(UserError, match="need two runs or more"):
        decompose({name: [0.1] for name in design(2)})
