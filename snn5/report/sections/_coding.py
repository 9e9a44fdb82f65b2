"""P2.3: time-to-first-spike against rate coding: accuracy, cost, and the spikes themselves."""

from typing import Any

from matplotlib.axes import Axes

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results, Value
from snn5.report._style import ACCENT, GREY, INK, SOFT, canvas, log_ticks
from snn5.report._text import decimal, percent, spread
from snn5.report.sections import _claims

STAGE = "p2_coding"
_RATIOS = {
    "synops": "SynOps",
    "spikes": "spikes, inputs' included",
    "neuron_updates": "neuron updates",
    "operations": "SynOps + updates",
    "latency": "steps to the answer",
}
_CODES = {"rate": "rate", "ttfs": "time to first spike", "latch": "latched, one window", "relu": "ReLU (no spikes)"}


def parts(results: Results) -> list[Part]:
    """The table, the ratios, the rasters."""
    record = results.get(STAGE)
    if record is None:
        return [Missing(title="Time-to-first-spike against rate coding", reason=f"{STAGE} has not run")]
    found: list[Part] = [_table(results), _ratios(results)]
    if record.details.get("claims"):
        found.append(_claims.table(record.details["claims"]))
    rasters = record.details.get("raster") or {}
    if all(rasters.get(code) for code in ("rate", "ttfs")):
        found.append(_raster(rasters))
    else:
        found.append(Missing(title="Spike raster of the two codes", reason=f"{STAGE} recorded no raster"))
    return found


def _table(results: Results) -> Table:
    def cell(code: str, name: str, digits: int) -> str:
        value = results.value(STAGE, name, f"{code}/")
        return "–" if value is None else spread(value, digits, 1e-3 if name == "cost/synops" else 1.0)

    rows = []
    for code, name in _CODES.items():
        value = results.value(STAGE, "test/acc", f"{code}/")
        if value is not None:
            figures = [cell(code, f"cost/{key}", digits) for key, digits in (("synops", 1), ("spikes_per_neuron", 2), ("latency_steps", 0))]
            rows.append([name, percent(value), *figures, str(results.samples(STAGE) or ""), str(value.seeds)])
    return Table(
        title="One network, four ways, equal T and training",
        columns=("code", "test accuracy, %", "SynOps, thousands", "spikes per hidden neuron", "steps to the answer", "n", "seeds"),
        rows=rows,
    )


def _ratios(results: Results) -> Drawing:
    figure, (axes,) = canvas(2.5)
    shown: dict[str, Value] = {}
    for key, label in _RATIOS.items():
        mean, sd = (results.number(STAGE, f"compare/{key}_ratio{end}") for end in ("", "_sd"))
        if mean is not None and mean > 0:
            shown[label] = Value(mean=mean, sd=sd or 0.0, seeds=0)
    for place, value in enumerate(reversed(shown.values())):
        axes.plot([1, value.mean], [place, place], color=ACCENT, linewidth=1.2, alpha=0.5)
        axes.errorbar(value.mean, place, xerr=value.sd, fmt="o", color=ACCENT, markersize=5)
        axes.annotate(decimal(value.mean), (value.mean, place), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8)
    axes.axvline(1, color=INK, linewidth=0.9)
    axes.set(title="TTFS over rate; left of 1 is less", yticks=range(len(shown)), ylim=(-0.6, len(shown) - 0.4))
    axes.set_yticklabels(list(reversed(shown)), color=INK)
    means = [value.mean for value in shown.values()]
    log_ticks(axes, min([0.5, *means]), max([2.0, *means]))
    axes.grid(axis="y", visible=False)
    loss, half = (results.number(STAGE, f"compare/acc_loss_to_rate{end}") for end in ("", "_ci95"))
    text = ""
    if loss is not None:
        text = f" Its accuracy is {100 * abs(loss):.1f} points {'below' if loss >= 0 else 'above'} the rate code's"
    if loss is not None and half is not None:
        text += f" (95 % interval ± {100 * half:.1f}, paired over seeds{'' if abs(loss) > half else ': no difference shown'})"
    less, slower = shown.get("SynOps"), shown.get("steps to the answer")
    head = f"TTFS needs {decimal(less.mean)} of the rate code's SynOps" if less else "The ratios of TTFS to the rate code"
    head += f" and {decimal(slower.mean, 1)} times its steps." if slower else "."
    return Drawing(
        name="coding", figure=figure, alt="Cost of TTFS as a multiple of the rate code's", reading=head + (f"{text}." if text else "")
    )


def _raster(rasters: dict[str, Any]) -> Drawing:
    spans = [max(layer["start"] + len(layer["rows"][0]) for layer in rasters[code] if layer["rows"]) for code in ("rate", "ttfs")]
    figure, axes = canvas(4.4, 2, widths=[max(1.0, float(span)) for span in spans])
    counts = {code: _draw(ax, rasters[code], code) for ax, code in zip(axes, ("rate", "ttfs"), strict=True)}
    sample = rasters.get("sample", {})
    label = f", a {sample['label']}" if "label" in sample else ""
    return Drawing(
        name="coding_raster",
        figure=figure,
        alt="Spikes of the inputs and of hidden neurons over time for one test sample, rate code on the left, TTFS on the right",
        reading=f"One test sample{label}: {counts['rate']} spikes in the rate code, {counts['ttfs']} in TTFS, of the neurons shown. "
        "TTFS layers work one after the other, and each neuron spikes at most once.",
    )


def _draw(axes: Axes, layers: list[dict[str, Any]], code: str) -> int:
    """Draw the layers from bottom to top; returns the number of spikes."""
    base, total, ticks = 0, 0, []
    for number, layer in enumerate(layers):
        rows = layer["rows"]
        points = [(layer["start"] + t, base + i) for i, row in enumerate(rows) for t, bit in enumerate(row) if bit == "1"]
        total += len(points)
        if points:
            axes.plot(
                *zip(*points, strict=True),
                linestyle="none",
                marker="|",
                markersize=2.6,
                markeredgewidth=1.0,
                color=INK if number == 0 else ACCENT,
            )
        ticks.append((base + len(rows) / 2, f"{layer['layer']} ({len(rows)})"))
        base += len(rows) + 6
        if number < len(layers) - 1:
            axes.axhline(base - 3.5, color=GREY, linewidth=0.6)
    axes.set(title=_CODES[code], xlabel="step", ylim=(-3, base - 3))
    axes.set_yticks([place for place, _ in ticks], [text for _, text in ticks] if code == "rate" else [""] * len(ticks))
    axes.tick_params(axis="y", length=0, labelcolor=SOFT)
    axes.grid(axis="y", visible=False)
    return total
