"""The recorded regression: its variants differ in what they say, and an entry's figures are means with spreads."""

import pytest

from experiments import prototype
from snn5.bio.prototype import FLAWS, MENDED, MODELS
from snn5.record import Run


def test_variants_say_what_they_change() -> None:
    assert prototype.VARIANTS["published"]["flaws"] == FLAWS and all(FLAWS) and not any(MENDED)
    assert prototype.VARIANTS["theta_frozen"]["flaws"]._replace(adapts_in_test=True) == FLAWS
    assert prototype.VARIANTS["no_stdp"] == {"flaws": FLAWS, "plastic": False}
    assert set(prototype.PUBLISHED) == set(prototype.RERUN) == set(MODELS)


def test_an_entry_by_hand() -> None:
    runs = [Run(metrics={"test/acc": a}, details={"n_test": 60}) for a in (0.8, 0.9)]
    entry = prototype.entry_of(runs)
    assert entry["test/acc"] == pytest.approx(0.85) and entry["test/acc_sd"] == pytest.approx(0.0707107, abs=1e-6)
    assert (entry["n"], entry["seeds"]) == (60, 2)
