"""P8.4: bits, success rate, spread and agreement of both tracks, and where the spread comes from."""

import math

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results
from snn5.report._style import ACCENT, GREY, INK, canvas
from snn5.report._text import decimal, percent
from snn5.report.sections import _claims

STAGE = "p8_reproducibility"
TRACKS = {"bio": "liquid with a local rule", "sg": "trained by gradients"}
_CODES = {"": "Poisson spikes", "codes/regular/": "regular spikes", "codes/ttfs/": "one first spike"}
# Cells of the design: which of wiring or weights, input spikes and order of the samples vary.
_CELLS = ("init", "noise", "order", "init+noise", "init+order", "noise+order", "init+noise+order")
_WORDS = {"init": "weights", "noise": "input spikes", "order": "order"}


def parts(results: Results) -> list[Part]:
    """Grades, claims, sources of the spread."""
    record = results.get(STAGE)
    if record is None:
        return [Missing(title="Reproducible learning", reason=f"{STAGE} has not run")]
    found: list[Part] = [_grades(results)]
    if record.details.get("claims"):
        found.append(_claims.table(record.details["claims"]))
    tracks = [track for track in TRACKS if results.number(STAGE, f"{track}/sources/init/sd") is not None]
    return [*found, *(_sources(results, track) for track in tracks)]


def _grades(results: Results) -> Table:
    rows = []
    for track, label in TRACKS.items():
        for prefix, code in _CODES.items():
            start = f"{track}/{prefix}"
            value = results.value(STAGE, "test/acc", start)
            if value is None:
                continue
            good, proved, steady, agree, kappa, n = (
                results.number(STAGE, start + name) or 0.0
                for name in ("r1/successes", "r1/proved", "r2/steadiness", "r3/agreement", "r3/kappa", "n_test")
            )
            asked = results.number(STAGE, f"{track}/target") or 0.0
            figures = [f"{100 * asked:.0f}", f"{good:.0f} of {value.seeds}", f"{100 * proved:.0f}", decimal(steady, 3)]
            rows.append([label, code, percent(value), *figures, f"{100 * agree:.1f}", decimal(kappa, 3), f"{n:.0f}"])
    return Table(
        title="How reproducible learning is",
        columns=(
            "network",
            "inputs",
            "test accuracy, %",
            "asked, %",
            "seeds that reach it (R1)",
            "proved rate, %",
            "1 − sd/mean (R2)",
            "agreement, % (R3)",
            "kappa",
            "n",
        ),
        rows=rows,
        left=2,
        note="A seed draws the weights or wiring, the input spikes and the order of the samples. Agreement: mean over all pairs of seeds.",
    )


def _sources(results: Results, track: str) -> Drawing:
    spreads = {cell: 100 * (results.number(STAGE, f"{track}/sources/{cell}/sd") or 0.0) for cell in _CELLS}
    figure, (axes,) = canvas(0.6 + 0.28 * len(_CELLS))
    places = range(len(_CELLS))
    axes.barh(list(places), [spreads[cell] for cell in reversed(_CELLS)], color=[GREY if "+" in c else ACCENT for c in reversed(_CELLS)])
    axes.set_yticks(list(places), [" + ".join(_WORDS[part] for part in cell.split("+")) for cell in reversed(_CELLS)], color=INK)
    axes.set(title="spread of the test accuracy where only these vary, points", xlim=(0, None))
    axes.grid(axis="y", visible=False)
    runs = sum(1 for _, run in results.runs(STAGE, track=track, group="sources/init"))
    most = max((cell for cell in _CELLS if "+" not in cell), key=lambda cell: spreads[cell])
    alone = f"Of the three, {_WORDS[most]} alone spread{'s' if most == 'order' else ''} it most: sd {spreads[most]:.1f} points"
    return Drawing(
        name=f"spread_{track}",
        figure=figure,
        alt="Standard deviation of the test accuracy with one, two or three sources of randomness varied",
        reading=f"{TRACKS[track].capitalize()}. {alone}, {spreads[_CELLS[-1]]:.1f} where all vary ({runs} trainings each{_doubt(runs)}).",
    )


def _doubt(runs: int) -> str:
    """How uncertain a standard deviation of so many normal values is."""
    return f"; a standard deviation of so few is uncertain by {100 / math.sqrt(2 * (runs - 1)):.0f} %" if runs > 1 else ""
