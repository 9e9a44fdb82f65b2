"""Means and spreads worked out by hand."""

import math

import pytest

from snn5.record import Run
from snn5.statistics import mean_sd, summarise


@pytest.mark.parametrize(
    ("values", "mean", "sd"),
    [
        ([5.0], 5.0, 0.0),
        ([1.0, 3.0], 2.0, math.sqrt(2.0)),  # (1 + 1) / (2 - 1)
        ([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0], 5.0, math.sqrt(32 / 7)),
        ([0.1] * 10, 0.1, 0.0),
    ],
)
def test_mean_and_sample_deviation(values: list[float], mean: float, sd: float) -> None:
    assert mean_sd(iter(values)) == (pytest.approx(mean), pytest.approx(sd, abs=1e-12))


def test_large_offsets_do_not_swallow_the_spread() -> None:
    assert mean_sd([1e9 + v for v in (4.0, 7.0, 13.0, 16.0)]) == (1e9 + 10, pytest.approx(math.sqrt(30)))


def test_summary_of_three_seeds() -> None:
    runs = [Run(metrics={"test/acc": a, "cost/synops": 10.0}) for a in (0.9, 0.8, 1.0)]
    assert summarise(runs, prefix="x/") == {
        "x/n_seeds": 3.0,
        "x/test/acc": pytest.approx(0.9),
        "x/test/acc_sd": pytest.approx(0.1),
        "x/cost/synops": 10.0,
        "x/cost/synops_sd": 0.0,
    }


def test_only_what_all_runs_have_is_summarised() -> None:
    """A mean over the seeds that happen to have a figure would hide the ones that do not."""
    runs = (Run(metrics=m) for m in ({"a": 1.0, "b": 2.0}, {"a": 3.0}))
    assert summarise(runs) == {"n_seeds": 2.0, "a": 2.0, "a_sd": pytest.approx(math.sqrt(2))}


def test_no_runs() -> None:
    assert summarise([]) == {"n_seeds": 0.0}
