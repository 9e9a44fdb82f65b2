"""What a stage claims, and whether its figures keep it."""

from collections.abc import Mapping, Sequence
from typing import Any

from snn5.report._parts import Table
from snn5.report._text import MINUS


def table(claims: Sequence[Mapping[str, Any]]) -> Table:
    """The rows that stages leave in their details: claim, limit, measured, met; `at_least` where the limit is a lower one."""
    rows = []
    for claim in claims:
        sign = "≥" if claim.get("at_least") else "≤"
        text = str(claim["claim"]).removesuffix(", at most")
        rows.append([text, f"{sign} {_plain(claim['limit'])}", _plain(claim["measured"]), "met" if claim["met"] else "missed"])
    return Table(title="Claims", columns=("claim", "demand", "measured", "verdict"), rows=rows)


def _plain(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", MINUS)
