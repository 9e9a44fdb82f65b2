"""A claim beside what was measured, as a row for the report."""

from collections.abc import Sequence
from typing import Any

Claim = dict[str, Any]  # name, claim (text), measured, limit, at_least, met


def at_least(name: str, text: str, measured: float, limit: float) -> Claim:
    """Met where `measured` >= `limit`."""
    return {"name": name, "claim": text, "measured": float(measured), "limit": float(limit), "at_least": True, "met": measured >= limit}


def at_most(name: str, text: str, measured: float, limit: float) -> Claim:
    """Met where `measured` <= `limit`."""
    return {"name": name, "claim": text, "measured": float(measured), "limit": float(limit), "at_least": False, "met": measured <= limit}


def verdicts(claims: Sequence[Claim]) -> dict[str, float]:
    """`verdict/<name>` of each claim and `verdict/all`: 1 met, 0 missed."""
    found = {f"verdict/{row['name']}": float(row["met"]) for row in claims}
    return found | {"verdict/all": float(all(row["met"] for row in claims))}
