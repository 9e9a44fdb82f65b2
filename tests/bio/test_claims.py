"""Claims as rows, and what they come to."""

import math

from snn5.bio._claims import at_least, at_most, verdicts


def test_a_claim_is_met_at_its_limit_and_never_by_nan() -> None:
    for claim, beyond in ((at_least, 0.89), (at_most, 0.91)):
        row = claim("a", "text", 0.9, 0.9)
        assert row == {"name": "a", "claim": "text", "measured": 0.9, "limit": 0.9, "at_least": claim is at_least, "met": True}
        assert not claim("a", "text", beyond, 0.9)["met"]
        assert not claim("a", "text", math.nan, 0.9)["met"]


def test_all_is_met_where_each_is() -> None:
    good, bad = at_least("a", "", 1, 1), at_most("b", "", 2, 1)
    assert verdicts([good, bad]) == {"verdict/a": 1.0, "verdict/b": 0.0, "verdict/all": 0.0}
    assert verdicts([good]) == {"verdict/a": 1.0, "verdict/all": 1.0}
