"""When a figure counts as worse: by hand, kind by kind."""

import math

import pytest
from scipy.stats import hypergeom

from snn5.gates import Metric
from snn5.gates._kinds import KINDS, better, chance, worse


def exact(*values: float) -> Metric:
    return Metric(kind="exact", values=values)


def right(*values: float, n: int = 450) -> Metric:
    return Metric(kind="accuracy", values=values, n=n)


def cost(*values: float) -> Metric:
    return Metric(kind="cost", values=values)


def rate(*values: float) -> Metric:
    return Metric(kind="rate", values=values)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_fails_in_every_kind(kind: str, value: float) -> None:
    old = Metric(kind=kind, values=(1.0, 1.0), n=450)
    assert "is no finite number" in str(worse(old, Metric(kind=kind, values=(1.0, value), n=450)))
    assert "is no finite number" in str(worse(old, Metric(kind=kind, values=(), n=450)))
    assert worse(old, old) is None


def test_a_metric_of_another_kind_fails() -> None:
    assert "of kind 'cost', its baseline of 'exact'" in str(worse(exact(1.0), cost(1.0)))


def test_exact_means_exact() -> None:
    assert worse(exact(46464.0), exact(46464.0)) is None
    assert worse(exact(46464.0), exact(46465.0)) == "must stay 46464"
    assert worse(exact(0.1 + 0.2), exact(0.3)) is None  # 1e-16: another order of summation
    assert worse(exact(0.0), exact(1e-300)) is not None
    assert worse(exact(1.0), exact(1.0, 1.0)) is not None


def test_the_chance_of_an_accuracy_is_the_hypergeometric_tail() -> None:
    """3 of 4 right, then 1 of 4: of 8 answers 4 right; P(the first 4 hold 3 or more) = (C(4,3) C(4,1) + 1) / C(8,4) = 17/70."""
    assert chance(right(3, n=4), right(1, n=4)) == pytest.approx(17 / 70)
    assert chance(right(440), right(420)) == pytest.approx(hypergeom.sf(439, 900, 860, 450))


def test_accuracy_fails_beyond_chance_and_spread_only() -> None:
    assert worse(right(441), right(436)) is None  # 98.0 to 96.9 %: p = 0.2
    assert "points below 98.00 %" in str(worse(right(441), right(420)))  # to 93.3 %: p = 5e-4
    many = right(441, 441, 441)
    assert worse(many, right(430, 430, 430)) is not None  # 2.4 points over 1350 answers
    assert worse(many, right(441, 441, 400)) is None  # as many lost by one seed of three: their spread explains it
    assert worse(right(441), right(450)) is None and better(right(400), right(441)) and not better(right(441), right(443))


def test_a_small_but_certain_drop_passes() -> None:
    """0.4 points of a million: surely there, and surely no reason to stop."""
    old, new = right(900_000, n=1_000_000), right(896_000, n=1_000_000)
    assert chance(old, new) < 1e-10 and worse(old, new) is None
    assert worse(old, right(894_000, n=1_000_000)) is not None


@pytest.mark.parametrize("new", [right(451), right(-1), right(200, n=225), right(0, n=0)])
def test_accuracies_that_are_none_or_not_comparable_fail(new: Metric) -> None:
    assert worse(right(441), new) is not None


def test_cost_fails_above_two_percent_and_three_standard_errors() -> None:
    assert worse(cost(100.0), cost(102.0)) is None
    assert worse(cost(100.0), cost(102.1)) == "2.1 % above 100"
    assert worse(cost(100.0), cost(50.0)) is None and better(cost(100.0), cost(50.0))
    # sd 10 with three seeds each: a standard error of 10 sqrt(2/3) = 8.2, three of which are 24.5
    assert worse(cost(90.0, 100.0, 110.0), cost(114.0, 124.0, 134.0)) is None
    assert worse(cost(90.0, 100.0, 110.0), cost(115.0, 125.0, 135.0)) is not None


def test_rate_fails_both_ways() -> None:
    for new, fails in ((0.2, False), (0.2099, False), (0.2101, True), (0.1901, False), (0.1899, True)):
        assert (worse(rate(0.2), rate(new)) is not None) == fails, new
    assert worse(rate(0.01), rate(0.0119)) is None  # 19 % of next to nothing
    assert worse(rate(0.01), rate(0.0121)) is not None
    assert worse(rate(0.1, 0.2, 0.3), rate(0.2, 0.3, 0.4)) is None  # the seeds are that far apart themselves


def test_silent_and_saturated_layers_fail_however_near() -> None:
    assert "silent now" in str(worse(rate(0.0015), rate(0.00005)))
    assert "saturated now" in str(worse(rate(0.499), rate(0.501)))
    assert worse(rate(0.00005), rate(0.0)) is None and worse(rate(0.6), rate(0.61)) is None  # known to the baseline
