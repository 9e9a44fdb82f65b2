"""P1: SEW-ResNet and its ReLU twin, then what each architecture's special part brings."""

from matplotlib.axes import Axes

from snn5.record import Run
from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results
from snn5.report._style import ACCENT, GREY, canvas, whole_ticks
from snn5.report._text import percent, spread, whole
from snn5.report.sections import _contrasts, _recorded, _static
from snn5.statistics import mean_sd

SLOTS = ("frames", "events")
FAMILIES = {"sew_resnet": ("SEW-ResNet", ACCENT, "-"), "ann_twin": ("ANN twin", GREY, "--")}


def parts(results: Results) -> list[Part]:
    """The table of all networks and their curves."""
    there = [(family, slot) for slot in SLOTS for family in FAMILIES if results.get(f"p1_train@{family}-{slot}")]
    if not there:
        return [Missing(title="Training of P1's networks", reason="p1_train has not run")]
    recorded = [*_recorded.depth(results), *_recorded.nmnist(results), *_static.parts(results)]
    return [_table(results, there), _curves(results, there), *_contrasts.parts(results), *recorded]


def _table(results: Results, there: list[tuple[str, str]]) -> Table:
    rows = []
    for family, slot in there:
        stage = f"p1_train@{family}-{slot}"
        chosen, last, rate = (results.value(stage, name) for name in ("test/acc", "test/acc_last", "cost/spike_rate"))
        rows.append(
            [
                FAMILIES[family][0],
                slot,
                whole(results.number(stage, "model/params") or 0),
                percent(chosen) if chosen else "",
                percent(last) if last else "",
                "–" if rate is None else spread(rate, 3),
                str(results.samples(stage) or ""),
                str(chosen.seeds if chosen else ""),
            ]
        )
    return Table(
        title="Every network of P1",
        columns=("network", "data", "parameters", "test accuracy, %", "last epoch, %", "spikes per neuron and step", "n", "seeds"),
        rows=rows,
        left=2,
        note="Test accuracy is that of the epoch chosen on validation; ± is one standard deviation over seeds.",
    )


def _curves(results: Results, there: list[tuple[str, str]]) -> Drawing:
    figure, axes = canvas(4.3, 2, rows=2, share=True)
    for column, slot in enumerate(SLOTS):
        upper, lower = axes[column], axes[2 + column]
        upper.set_title(f"digits as {slot}" if results.dataset(slot).startswith("digits") else slot)
        for family in FAMILIES:
            runs = [run for _, run in results.runs(f"p1_train@{family}-{slot}")]
            _lines(upper, runs, "val/acc", family, 100)
            _lines(lower, runs, "train/loss", family, 1)
        lower.set_xlabel("epoch")
        whole_ticks(lower)
    axes[0].set_ylabel("validation accuracy, %")
    axes[2].set_ylabel("training loss")
    axes[0].set_ylim(top=101)
    axes[0].legend(loc="lower right")
    found = []
    for slot in SLOTS:
        snn, ann = (results.value(f"p1_train@{family}-{slot}", "test/acc") for family in FAMILIES)
        if snn and ann:
            gap = 100 * (ann.mean - snn.mean)
            found.append(f"on {slot} the SNN ends {abs(gap):.1f} points {'below' if gap > 0 else 'above'} its twin on test")
    reading = "; ".join(found) or "only a part of the networks is trained"
    return Drawing(
        name="training",
        figure=figure,
        alt="Validation accuracy and training loss over epochs, SEW-ResNet and its ANN twin, on frames and on events",
        reading=f"{reading[0].upper()}{reading[1:]}. Thin lines are seeds, thick lines their mean.",
    )


def _lines(axes: Axes, runs: list[Run], name: str, family: str, scale: float) -> None:
    label, colour, dash = FAMILIES[family]
    curves = [[(step + 1, scale * value) for step, value in run.curves[name]] for run in runs if name in run.curves]
    for curve in curves:
        axes.plot(*zip(*curve, strict=True), color=colour, linewidth=0.7, alpha=0.45)
    if curves:
        steps = range(min(map(len, curves)))
        mean = [mean_sd(curve[i][1] for curve in curves)[0] for i in steps]
        axes.plot([curves[0][i][0] for i in steps], mean, dash, color=colour, label=label)
