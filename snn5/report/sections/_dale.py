"""P8.2: a layer of excitatory and inhibitory neurons: rates over a doubled input, the stability report, one raster."""

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results
from snn5.report._style import ACCENT, GREY, INK, PALE, canvas
from snn5.report._text import decimal, percent, spread
from snn5.report.sections import _claims

STAGE = "p8_dale"
_VARIANTS = {
    "istdp": ("inhibition learns", ACCENT),
    "stdp": ("only excitation learns", PALE),
    "frozen": ("nothing learns", GREY),
    "e_only": ("no inhibition", INK),
}
# Heads of the stability report, figures of the summary, digits.
_COLUMNS = (
    ("spikes per E neuron and step", "steady/rate_e", 4),
    ("after doubled input, ×", "rate_ratio", 2),
    ("CV of intervals", "steady/cv_isi", 2),
    ("correlation", "steady/correlation", 3),
    ("net current, share of E", "doubled/net_current", 2),
)


def parts(results: Results) -> list[Part]:
    """Rates, claims, stability report, raster."""
    record = results.get(STAGE)
    if record is None:
        return [Missing(title="Excitation and inhibition", reason=f"{STAGE} has not run")]
    found: list[Part] = [_rates(results), _report(results)]
    if record.details.get("claims"):
        found.append(_claims.table(record.details["claims"]))
    raster = next((run.details["raster"] for _, run in results.runs(STAGE) if run.details.get("raster", {}).get("points")), None)
    if raster is None:
        found.append(Missing(title="Spike raster of the layer", reason=f"{STAGE} recorded no raster"))
    else:
        found.append(_raster(raster["points"], int(raster["n_e"])))
    return found


def _rates(results: Results) -> Drawing:
    figure, (axes,) = canvas(2.6)
    end = 0
    for name, (label, colour) in _VARIANTS.items():
        curves = [run.curves["rate_e"] for run in results.named(STAGE, f"{name}-") if "rate_e" in run.curves]
        for place, curve in enumerate(curves):
            steps = [step / 1000 for step, _ in curve]
            axes.plot(steps, [rate for _, rate in curve], color=colour, linewidth=1.0, label=label if place == 0 else None)
            end = max(end, len(curve))
            middle = steps[len(steps) // 2] if steps else 0.0
    if end:
        axes.axvline(middle, color=INK, linewidth=0.8, linestyle=":")
    axes.set(title="spikes per excitatory neuron and step; the input doubles at the dotted line", xlabel="thousand steps")
    axes.set_ylim(bottom=0)
    if end:
        axes.legend(loc="upper left", ncols=2)
    ratio, control = (results.number(STAGE, f"{name}/rate_ratio") for name in ("istdp", "frozen"))
    text = "Each line is a seed."
    if ratio is not None and control is not None:
        change = f"to {ratio:.2f} of what it was where inhibition learns, to {control:.2f} where nothing does"
        text = f"A doubled input changes the rate {change}. {text}"
    then = results.number(STAGE, "istdp/rate_ratio_frozen_then")
    if then is not None:
        text += f" Frozen just before the input doubles, the balanced network answers with {then:.2f} times the rate: "
        text += "what keeps the balance is that learning goes on."
    return Drawing(name="dale", figure=figure, alt="Firing rate over time with and without inhibitory plasticity", reading=text)


def _report(results: Results) -> Table:
    rows = []
    for name, (label, _) in _VARIANTS.items():
        accuracy = results.value(STAGE, "test/acc", f"{name}/")
        if accuracy is None:
            continue
        values = [(results.value(STAGE, key, f"{name}/"), digits) for _, key, digits in _COLUMNS]
        figures = [spread(value, digits) if value else "–" for value, digits in values]
        broken = results.number(STAGE, f"{name}/dale/violations") or 0.0
        n = str(results.samples(STAGE, f"{name}-") or "")
        rows.append([label, *figures, decimal(broken, 0), percent(accuracy), n, str(accuracy.seeds)])
    return Table(
        title="Stability of each variant",
        columns=("variant", *(head for head, _, _ in _COLUMNS), "against Dale's law", "digits, test accuracy, %", "n", "seeds"),
        rows=rows,
        note="Digits: learned from without labels, then read out by ridge regression of the excitatory neurons' spike counts; "
        "inhibition that learns costs spikes, and with them some of that accuracy.",
    )


def _raster(points: list[list[int]], n_e: int) -> Drawing:
    figure, (axes,) = canvas(2.6)
    first = min(step for _, step in points)
    for colour, label, own in (
        (ACCENT, "excitatory", [p for p in points if p[0] < n_e]),
        (INK, "inhibitory", [p for p in points if p[0] >= n_e]),
    ):
        axes.plot([s - first for _, s in own], [n for n, _ in own], "|", color=colour, markersize=2.4, markeredgewidth=0.8, label=label)
    axes.set(title="spikes of the balanced layer", xlabel="step", ylabel="neuron")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=-1)
    axes.grid(visible=False)
    inhibitory = sum(neuron >= n_e for neuron, _ in points)
    return Drawing(
        name="dale_raster",
        figure=figure,
        alt="Spikes of excitatory and inhibitory neurons over time",
        reading=f"{len(points) - inhibitory} excitatory and {inhibitory} inhibitory spikes (inhibitory neurons above {n_e}).",
    )
