"""Tables of the command line."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def show_table(columns: list[str], rows: list[list[Any]]) -> None:
    """Print rows; a cell that is a string is shown as it stands."""
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))  # as it stands: [..] in it is no markup
    Console().print(table)
