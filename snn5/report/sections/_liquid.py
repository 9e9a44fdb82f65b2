"""P8.1: the liquid state machine: variants, claims, one raster."""

from itertools import product
from typing import Any

from matplotlib.axes import Axes

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results
from snn5.report._style import ACCENT, GREY, INK, canvas
from snn5.report._text import decimal, percent, signed, spread
from snn5.report.sections import _claims

STAGE = "p8_lsm"
_CHANCE = {"order, easy": 1 / 4, "order, hard": 1 / 6}  # 4 and 6 classes
_TASKS = {"events": "events", "order_hard": "order, hard, one bin"}
_ABLATIONS = {
    "frozen": "none (frozen)",
    "ip": "intrinsic plasticity (IP)",
    "ip_stdp": "IP, STDP",
    "ip_stdp_istdp": "IP, STDP, inhibitory STDP",
}
# label, group of runs, metric
_ROWS = (
    ("events: liquid", "events", "test/acc"),
    ("events: liquid without recurrence", "events_gain0", "test/acc"),
    ("events: input counts in the same bins", "input_counts", "test/acc_bins"),
    ("events: input counts, whole window", "input_counts", "test/acc"),
    ("events played backwards: liquid", "events", "test/acc_reversed"),
    ("order, easy: liquid", "order_easy", "test/acc"),
    ("order, easy: input counts", "order_easy", "test/acc_input_counts"),
    ("order, hard: liquid, one bin", "order_hard", "test/acc"),
    ("order, hard: without recurrence", "order_hard_gain0", "test/acc"),
    ("order, hard, played backwards: liquid", "order_hard", "test/acc_reversed"),
)


def parts(results: Results) -> list[Part]:
    """Claims, variants, costs, raster."""
    record = results.get(STAGE)
    if record is None:
        return [Missing(title="The liquid state machine", reason=f"{STAGE} has not run")]
    found: list[Part] = [_variants(results), _costs(results)]
    if (ablations := _ablations(results)) is not None:
        found.append(ablations)
    if record.details.get("claims"):
        found.append(_claims.table(record.details["claims"]))
    raster = next((run.details["raster"] for run in results.named(STAGE, "events-") if run.details.get("raster", {}).get("points")), None)
    if raster is None:
        found.append(Missing(title="Spike raster of the liquid", reason=f"{STAGE} recorded no raster"))
    else:
        found.append(_raster(raster))
    return found


def _group(results: Results, group: str) -> list[Any]:
    """The runs of a group: `events` has events-seed0, but not events_gain0-seed0."""
    return [run for name, run in results.runs(STAGE) if name == group or name.startswith(f"{group}-")]


def _variants(results: Results) -> Drawing:
    rows = [(label, values) for label, group, metric in _ROWS if (values := _accuracies(results, group, metric))]
    record = results.get("p7_data@events")
    shares = _CHANCE | {"events": 1 / int(record.details.get("num_classes", 10) if record else 10)}
    figure, (axes,) = canvas(0.55 + 0.3 * max(len(rows), 2))
    for place, (label, values) in enumerate(reversed(rows)):
        mean = sum(values) / len(values)
        colour = ACCENT if label.endswith(("liquid", "one bin")) and "backwards" not in label else GREY
        axes.plot(values, [place] * len(values), "|", color=colour, markersize=8, markeredgewidth=1)
        axes.plot(mean, place, "o", color=colour, markersize=6)
        left = mean > 50
        axes.annotate(
            f"{mean:.1f}",
            (min(values) if left else max(values), place),
            xytext=(-9 if left else 9, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=8,
        )
        chance = 100 * next(share for key, share in shares.items() if label.startswith(key))
        axes.plot([chance, chance], [place - 0.35, place + 0.35], color=INK, linewidth=1, label="chance" if place == 0 else None)
    axes.set(title="test accuracy of the liquid and of its rivals, %", xlim=(0, 103), ylim=(-0.7, len(rows) - 0.3))
    axes.set_yticks(range(len(rows)), [label for label, _ in reversed(rows)], color=INK)
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right")
    return Drawing(
        name="liquid",
        figure=figure,
        alt="Test accuracy of the liquid state machine, without recurrence, and of read-outs of the plain input, with chance marked",
        reading=_reading(results),
    )


def _accuracies(results: Results, group: str, metric: str) -> list[float]:
    return [100 * run.metrics[metric] for run in _group(results, group) if metric in run.metrics]


def _reading(results: Results) -> str:
    events, bins = (_accuracies(results, group, metric) for group, metric in (("events", "test/acc"), ("input_counts", "test/acc_bins")))
    text = ""
    if events and bins:
        gap = sum(events) / len(events) - bins[0]
        side = "above" if gap >= 0 else "below"
        text = f"On events the liquid ends {abs(gap):.1f} points {side} a read-out of the plain input in the same bins. "
    gain = results.number(STAGE, "compare/acc_of_recurrence")
    if gain is not None:
        text += "Where only the order of spikes tells the classes apart and the read-out sees one bin, "
        text += f"recurrence adds {100 * gain:.1f} points. "
    return text + "Strokes are seeds."


def _costs(results: Results) -> Table:
    names = sorted({name.partition("-seed")[0] for name, run in results.runs(STAGE) if "seed" in run.params})
    rows = []
    for group in names:
        accuracy, rate, synops, macs = (
            results.value(STAGE, name, f"{group}/") for name in ("test/acc", "cost/spike_rate", "cost/synops", "cost/readout_macs")
        )
        if accuracy is not None:
            figures = [spread(rate, 4) if rate else "–", spread(synops, 1, 1e-3) if synops else "–", spread(macs, 0) if macs else "–"]
            rows.append([group, percent(accuracy), *figures, str(results.samples(STAGE, f"{group}-") or ""), str(accuracy.seeds)])
    return Table(
        title="Every variant and what it costs",
        columns=("variant", "test accuracy, %", "spikes per neuron and step", "SynOps, thousands", "read-out MACs", "n", "seeds"),
        rows=rows,
        note="gain0: without recurrence; theta: with a higher resting threshold, fewer spikes. Seeds draw the wiring.",
    )


def _ablations(results: Results) -> Table | None:
    rows = []
    for (task, where), (name, label) in product(_TASKS.items(), _ABLATIONS.items()):
        group = task if name == "frozen" else f"{task}_{name}"
        figures = [results.number(STAGE, f"ablation/{task}/{name}/{key}") for key in ("acc", "acc_ci95", "gain", "gain_ci95")]
        tested = results.value(STAGE, "test/acc", f"{group}/")
        if tested is None or any(figure is None for figure in figures):
            continue
        mean, half, gain, gain_half = (100 * figure for figure in figures if figure is not None)
        better = "–" if name == "frozen" else f"{signed(gain)} ± {decimal(gain_half, 1)}"
        costs = [results.value(STAGE, key, f"{group}/") for key in ("cost/spike_rate", "cost/synops")]
        rate, synops = (spread(v, digits, scale) if v else "–" for v, digits, scale in zip(costs, (4, 1), (1.0, 1e-3), strict=True))
        n = results.samples(STAGE, f"{group}-")
        rows.append([where, label, f"{decimal(mean, 1)} ± {decimal(half, 1)}", better, rate, synops, str(n or ""), str(tested.seeds)])
    if not rows:
        return None
    return Table(
        title="A liquid that learns without labels, and what each rule is worth",
        columns=("task", "rules", "test accuracy, %", "gain, points", "spikes per neuron and step", "SynOps, thousands", "n", "seeds"),
        rows=rows,
        left=2,
        note="± of accuracy and gain: half of a 95 % interval over seeds, gains paired seed by seed; around 0 it shows no difference.",
    )


def _raster(raster: dict[str, Any]) -> Drawing:
    figure, (axes,) = canvas(3.2)
    points = raster["points"]
    _dots(axes, points)
    neurons = len({neuron for neuron, _ in points})
    return Drawing(
        name="liquid_raster",
        figure=figure,
        alt="Spikes of the liquid's neurons over time for one test sample",
        reading=f"One test sample, a {raster.get('label', '?')}: {len(points)} spikes of {neurons} neurons.",
    )


def _dots(axes: Axes, points: list[list[int]]) -> None:
    axes.plot([step for _, step in points], [neuron for neuron, _ in points], "|", color=ACCENT, markersize=2.2, markeredgewidth=0.8)
    axes.set(title="spikes of the liquid", xlabel="step", ylabel="neuron")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=-1)
    axes.grid(visible=False)
