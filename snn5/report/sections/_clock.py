"""What a benchmark of `snn5 bench ... --json FILE` found, as a table."""

from collections.abc import Mapping
from typing import Any

from snn5.report._parts import Table


def clock(title: str, found: Mapping[str, Any], *, ours: str, how: str, note: str) -> Table:
    """Every row; below the table how it was measured, on what, and a note.

    Args:
        found: the benchmark's file. ours: what the project's side is called. how: no sentence yet, the machine follows.
    """
    machine = found["machine"]
    rows = [
        [
            row["name"],
            row["baseline"],
            f"{row['theirs']:.4g} {row['unit']}",
            f"{row['ours']:.4g} {row['unit']}",
            f"{row['ratio']:.2f}",
            f"{row['low']:.2f} – {row['high']:.2f}",
            f"{row['target']:.2g}" + (f" – {row['most']:.2g}" if row.get("most") else ""),
            "yes" if row["reached"] else "no",
        ]
        for row in found["rows"]
    ]
    where = f"{machine['cpu']} with {machine['capability']}, torch {machine['torch']}, numba {machine['numba']}"
    columns = ("what", "against", "theirs", ours, "ratio", "range", "asked", "reached")
    return Table(title=title, columns=columns, rows=rows, left=2, note=f"{how}; {where}. {note}")
