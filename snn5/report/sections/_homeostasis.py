"""P8.3: rates over changes of gain, the ways back, and BCM's stability bound."""

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results, Value
from snn5.report._style import ACCENT, GREY, INK, PALE, canvas
from snn5.report._text import decimal, percent, spread
from snn5.report.sections import _claims

STAGE = "p8_homeostasis"
_VARIANTS = {
    "none": ("nothing adapts", GREY),
    "additive": ("thresholds, additive", PALE),
    "bcm": ("BCM weights", INK),
    "threshold": ("thresholds, logarithmic", ACCENT),
    "both": ("thresholds and BCM", "#3f9c7b"),
}
_FLOOR = 1e-4  # of the drawn rate: a logarithm has no zero
_SHOWN = 10  # windows before the first change of gain


def parts(results: Results) -> list[Part]:
    """Rates, ways back, claims, stability bound."""
    record = results.get(STAGE)
    if record is None:
        return [Missing(title="Homeostasis", reason=f"{STAGE} has not run")]
    found: list[Part] = [_rates(results), _ways(results)]
    if record.details.get("claims"):
        found.append(_claims.table(record.details["claims"]))
    if record.details.get("bound"):
        found.append(_bound(record.details["bound"]))
    return found


def _rates(results: Results) -> Drawing:
    record = results.get(STAGE)
    details = record.details if record else {}
    first, steps, target = (float(details.get(key, 0.0)) for key in ("first_steps", "steps", "target"))
    figure, (axes,) = canvas(3.0)
    for name, (label, colour) in _VARIANTS.items():
        curves = [run.curves["rate"] for run in results.named(STAGE, f"{name}-") if "rate" in run.curves]
        if not curves:
            continue
        window = curves[0][1][0] - curves[0][0][0] if len(curves[0]) > 1 else 1
        means = [(step, sum(curve[place][1] for curve in curves) / len(curves)) for place, (step, _) in enumerate(curves[0])]
        shown = [(step, rate) for step, rate in means if step >= first - _SHOWN * window]
        places = [(step - first + window / 2) / 1000 for step, _ in shown]
        axes.plot(places, [max(rate, _FLOOR) for _, rate in shown], color=colour, label=label, linewidth=1.4)
    axes.set_yscale("log")
    if target:
        axes.axhspan(0.9 * target, 1.1 * target, color=PALE, alpha=0.4, linewidth=0, label="target ± 10 %")
    for place in (0.0, steps / 1000):
        axes.axvline(place, color=INK, linewidth=0.8, linestyle=":")
    axes.set(title="spikes per neuron and step; gain 4 from the first dotted line, 1/4 from the second", xlabel="thousand steps")
    axes.legend(loc="lower left", ncols=2)
    return Drawing(
        name="homeostasis",
        figure=figure,
        alt="Firing rate over two changes of the inputs' gain, with and without homeostasis",
        reading=_reading(results),
    )


def _reading(results: Results) -> str:
    up, down = (results.number(STAGE, f"threshold/{phase}/settled_steps") for phase in ("x4", "x0.25"))
    text = "Means over seeds. "
    if up is not None and down is not None:
        text += f"Adaptive thresholds bring the rate back within {up:.0f} steps after the gain grew fourfold "
        text += f"and within {down:.0f} after it fell to a sixteenth of that. "
    error = results.number(STAGE, "bcm/x4/error")
    if error is not None:
        text += f"BCM alone, which holds a second moment and not a rate, is then {100 * error:.0f} % off."
    return text.strip()


def _ways(results: Results) -> Table:
    record = results.get(STAGE)
    steps = float(record.details.get("steps", 0.0)) if record else 0.0
    rows = []
    for name, (label, _) in _VARIANTS.items():
        accuracy = _value(results, name, "x0.25/test/acc")
        if accuracy is None:
            continue
        back = [_back(results.number(STAGE, f"{name}/{phase}/settled_steps"), steps) for phase in ("x4", "x0.25")]
        errors = [_value(results, name, f"{phase}/error") for phase in ("x4", "x0.25")]
        selective = _value(results, name, "x1/selectivity")
        growth = _value(results, name, "weight_growth")
        figures = [percent(error) if error else "–" for error in errors]
        more = [spread(selective, 2) if selective else "–", spread(growth, 2) if growth else "–"]
        rows.append([label, *back, *figures, *more, percent(accuracy), str(results.samples(STAGE, f"{name}-") or ""), str(accuracy.seeds)])
    return Table(
        title="Ways back to the target rate",
        columns=(
            "variant",
            "steps back, gain 4",
            "gain 1/4",
            "error of the rate, %, gain 4",
            "gain 1/4",
            "selectivity",
            "weight norm, ×",
            "pattern, test accuracy at gain 1/4, %",
            "n",
            "seeds",
        ),
        rows=rows,
        note="Steps back: until the rate stays within 10 % of its target. Selectivity: 1 − mean/max over patterns, before any change.",
    )


def _value(results: Results, variant: str, name: str) -> Value | None:
    mean, sd, seeds = (results.number(STAGE, f"{variant}/{key}") for key in (name, f"{name}_sd", "n_seeds"))
    return None if mean is None or seeds is None else Value(mean=mean, sd=sd or 0.0, seeds=int(seeds))


def _back(value: float | None, steps: float) -> str:
    if value is None:
        return "–"
    return "never" if value >= steps else decimal(value, 0)


def _bound(rows: list[dict[str, float]]) -> Table:
    return Table(
        title="BCM's stability bound",
        columns=("loop gain η|x|²τy₀", "distance from the fixed point at first, %", "at last, %", "highest rate over y₀"),
        rows=[[decimal(row["loop_gain"]), decimal(100 * row["start"]), decimal(100 * row["end"]), decimal(row["y_max"])] for row in rows],
        left=0,
        note="One linear neuron, one steady pattern: below a loop gain of 1 the distance must die out, above it must grow.",
    )
