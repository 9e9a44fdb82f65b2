"""Counts in bins and low-pass traces."""

import math

import pytest
import torch

from snn5.bio import bin_counts, traces
from snn5.bio._features import features, window_counts
from snn5.config import Liquid as Settings
from snn5.errors import UserError

RASTER = torch.tensor([[[1, 0]], [[1, 0]], [[0, 1]], [[0, 0]], [[1, 1]], [[0, 1]]], dtype=torch.uint8)  # T = 6, one sample, two neurons


def test_counts_by_hand() -> None:
    assert bin_counts(RASTER, 1).tolist() == [[3, 3]]
    assert bin_counts(RASTER, 3).tolist() == [[2, 0, 0, 1, 1, 2]]
    assert bin_counts(RASTER, 4).tolist() == [[2, 0, 0, 1, 1, 1, 0, 1]]  # 2, 2, 1 and 1 steps
    assert bin_counts(RASTER.float(), 3).tolist() == bin_counts(RASTER, 3).tolist()


@pytest.mark.parametrize("most", [1, 3, 127, 128, 255])
def test_window_counts_are_sums_whatever_the_largest_count(most: int) -> None:
    """300 steps are more than one piece, and the last piece is shorter."""
    x = torch.randint(0, most + 1, (300, 4, 5), generator=torch.Generator().manual_seed(most), dtype=torch.uint8)
    x[0, 0, 0] = most
    x[:, 1, 1] = most
    assert torch.equal(window_counts(x), x.long().sum(0).int())


def test_window_counts_hold_more_than_a_byte() -> None:
    assert window_counts(torch.full((300, 2), 255, dtype=torch.uint8)).tolist() == [76500, 76500]
    assert window_counts(torch.full((300, 1), 0.5)).tolist() == [150.0]


def test_traces_by_hand() -> None:
    d = math.exp(-2.0 / 30.0)
    expected = [1 + d, 0.0, (1 + d) * d**2, d, (1 + d) * d**4 + d, d**3 + d + 1]
    torch.testing.assert_close(traces(RASTER, 3, tau_ms=30.0, dt_ms=2.0), torch.tensor([expected]))


def test_trace_decays_exactly_over_a_gap() -> None:
    raster = torch.zeros(101, 1, 1)
    raster[0] = 1
    assert traces(raster, 1, tau_ms=20.0, dt_ms=1.0).item() == pytest.approx(math.exp(-5), rel=1e-5)  # (1 - 1/20)^100 = 0.0059 is 12 % less


def test_settings_choose() -> None:
    assert torch.equal(features(Settings(bins=3))(RASTER), bin_counts(RASTER, 3))
    assert torch.equal(features(Settings(bins=3), bins=1)(RASTER), bin_counts(RASTER, 1))
    assert torch.equal(features(Settings(bins=3, trace_ms=30.0, dt_ms=2.0))(RASTER), traces(RASTER, 3, 30.0, 2.0))


@pytest.mark.parametrize("bins", [0, 7])
def test_wrong_number_of_bins(bins: int) -> None:
    with pytest.raises(UserError, match=f"bins={bins} for 6 steps"):
        bin_counts(RASTER, bins)
