"""Figures as text, by hand."""

import pytest

from snn5.report._results import Value
from snn5.report._text import accuracy, decimal, fraction, seeds, signed, spread, whole

VALUE = Value(mean=0.98296, sd=0.00257, seeds=3)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (accuracy(VALUE, 450), "98.3 ± 0.3 % (n = 450, 3 seeds)"),
        (accuracy(VALUE, None), "98.3 ± 0.3 % (n unknown, 3 seeds)"),
        (accuracy(None, 450), "not measured"),
        (spread(Value(mean=365321.0, sd=3300.0, seeds=3), 1, 1e-3), "365.3 ± 3.3"),
        (whole(77763.4), "77 763"),
        (decimal(-1234.5, 1), "−1 234.5"),
        (decimal(-0.001, 2), "0.00"),
        (signed(0.25, 2), "+0.25"),
        (signed(-0.04), "0.0"),
        (signed(-0.06), "−0.1"),
        (fraction(0.08), "1/12.5"),
        (fraction(1.73), "1.73×"),
        (fraction(1.0), "1.00×"),
        (seeds(1), "1 seed"),
        (seeds(3), "3 seeds"),
    ],
)
def test_text(found: str, text: str) -> None:
    assert found.replace("\u202f", " ") == text
