"""What a section of the page is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of texts.

    Attributes:
        title: what it says in a few words. columns: heads, with the unit in them. rows: texts, one per column.
        left: how many of the first columns are words, set flush left; all others are figures.
        marked: the row to point out, or None.
        note: a line below it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    marked: int | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure.

    Attributes:
        name: of its file. figure: the drawing itself.
        alt: what is to be seen, for who cannot. reading: one sentence that says what it shows.
    """

    name: str
    figure: Figure = field(repr=False)
    alt: str
    reading: str


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A table or a figure that cannot be made yet.

    Attributes:
        title: of what. reason: why not.
    """

    title: str
    reason: str


Part = Table | Drawing | Missing
