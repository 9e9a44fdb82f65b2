"""The lower bound of a success rate, by hand and by a published table."""

import pytest

from snn5.success import lower_bound, needed


@pytest.mark.parametrize(("good", "n", "bound"), [(59, 59, 0.9505), (58, 58, 0.9497), (30, 30, 0.905), (98, 100, 0.938), (95, 100, 0.898)])
def test_lower_bound_against_the_published_table(good: int, n: int, bound: float) -> None:
    assert lower_bound(good, n) == pytest.approx(bound, abs=5e-4)


def test_lower_bound_of_all_successes_has_a_closed_form() -> None:
    assert all(lower_bound(n, n) == pytest.approx(0.05 ** (1 / n)) for n in (1, 3, 10))
    assert lower_bound(0, 10) == 0


def test_59_seeds_are_needed() -> None:
    assert [needed(failures=k) for k in range(3)] == [59, 93, 124]
    assert needed(0.5) == 5  # 0.05 ** (1 / 5) = 0.549, 0.05 ** (1 / 4) = 0.473
