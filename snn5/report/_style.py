"""How figures look, and how they become bytes: no clock, no version, no random ids, so that equal figures are equal files."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

import matplotlib as mpl
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INK, SOFT, LINE = "#22262b", "#6f7780", "#d5d9dd"
ACCENT, PALE = "#0f5f8a", "#9cc3d9"  # spiking networks; their weaker companions
GREY = "#8d949b"  # ANNs and controls
WIDTH = 7.4  # inches; the page shows it 760 pixels wide
DPI = 140

_RC = {
    "backend": "agg",
    "font.family": ["DejaVu Sans"],  # matplotlib's own copy: the layout does not depend on the machine's fonts
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7,
    "axes.labelsize": 8.5,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": LINE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlecolor": INK,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",  # text stays text: smaller, searchable, in the page's font
}
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif".replace("'", "&quot;")


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib with our settings and nobody else's."""
    with style.context(["default", {k: v for k, v in _RC.items() if k != "backend"}], after_reset=True):
        yield


def canvas(
    height: float, columns: int = 1, *, rows: int = 1, widths: list[float] | None = None, share: bool = False
) -> tuple[Figure, list[Axes]]:
    """An empty figure of `rows` x `columns` axes, row by row; `share` joins the axes of a row (y) and of a column (x)."""
    figure = Figure(figsize=(WIDTH, height))
    figure.set_layout_engine("constrained", wspace=0.06)  # the last tick of one panel and the first of the next need room
    axes = figure.subplots(
        rows, columns, squeeze=False, width_ratios=widths, sharex="col" if share else "none", sharey="row" if share else "none"
    )
    return figure, list(axes.flat)


def whole_ticks(axes: Axes) -> None:
    """Ticks at whole numbers only, for epochs and layers."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def log_ticks(axes: Axes, lowest: float, highest: float) -> None:
    """A logarithmic x axis around `lowest` .. `highest`, with plain numbers 1, 2, 5, 10 ... on it."""
    steps = [m * 10.0**e for e in range(-4, 9) for m in (1, 2, 5)]
    first = max((t for t in steps if t <= lowest / 1.15), default=lowest)
    last = min((t for t in steps if t >= highest * 1.15), default=highest)
    axes.set_xscale("log")
    ticks = [t for t in steps if first <= t <= last]
    axes.set_xticks(ticks, [f"{t:,.6g}".replace(",", "\u202f") for t in ticks])
    axes.minorticks_off()
    axes.set_xlim(first, last)


def png(figure: Figure) -> bytes:
    """The figure as PNG."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI, metadata={"Software": None})
    return data.getvalue()


def svg(figure: Figure, name: str, alt: str) -> str:
    """The figure as an `<svg>` element to set into HTML; all ids begin with `name`, since a page holds several."""
    data = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = data.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"\bid=\"", f'id="{name}-', text)
    text = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{name}-", text)
    text = text.replace("'DejaVu Sans'", _FONTS)
    size = re.search(r'viewBox="([^"]+)"', text)
    box = size.group(1) if size else "0 0 1 1"
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    head += f'viewBox="{box}" role="img" aria-label="{escape(alt)}">'
    return re.sub(r"<svg[^>]*>", lambda _: head, text, count=1).strip()
