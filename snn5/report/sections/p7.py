"""P7: the data, what every network costs, accuracy against energy, and the suite."""

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results
from snn5.report._style import ACCENT, canvas, whole_ticks
from snn5.report._text import decimal, percent, spread, whole
from snn5.report.sections import _energy, _heidelberg, _suite

STAGE, SLOTS = "p7_benchmark", ("frames", "events")
FAMILIES = {"sew_resnet": "SEW-ResNet", "ann_twin": "ANN twin"}
_SIMULATED = " The events are those of a simulated moving camera, not a recording."


def parts(results: Results) -> list[Part]:
    """Data, benchmark, scatter, layers, suite."""
    found: list[Part] = [_data(results), *_heidelberg.networks(results)]
    if results.get(STAGE) is None:
        missing = Missing(title="The benchmark and accuracy against energy", reason=f"{STAGE} has not run")
        return [*found, missing, *_suite.parts(results)]
    return [*found, _table(results), _energy.drawing(results), _layers(results), *_suite.parts(results)]


def _data(results: Results) -> Part:
    rows, skipped = [], 0.0
    for slot in SLOTS:
        record = results.get(f"p7_data@{slot}")
        if record is None:
            continue
        skipped += record.summary.get("data/skipped", 0.0)
        shape = record.runs["test"].details.get("shape", [0] * 5) if "test" in record.runs else [0] * 5
        counts = [whole(record.summary.get(f"data/{side}_samples", 0)) for side in ("train", "val", "test")]
        size = f"{shape[2]} × {shape[3]} × {shape[4]}"
        total = record.runs["test"].metrics.get("data/mean_sum", 0.0) if "test" in record.runs else 0.0
        steps = str(record.details.get("time_steps", ""))
        rows.append([slot, str(record.details.get("dataset", "")), steps, size, *counts, decimal(total, 1)])
    if not rows:
        return Missing(title="The data", reason="p7_data has not run")
    simulated = any(row[1] == "digits_events" for row in rows)
    return Table(
        title="The data",
        columns=("slot", "data set", "T", "channels × height × width", "train", "validation", "test", "mean sum per sample"),
        rows=rows,
        left=2,
        note="The sum is of intensities from 0 to 1 for frames, of events for events."
        + (_SIMULATED if simulated else "")
        + (f" {whole(skipped)} empty or damaged recordings were left out; p7_data's record names them." if skipped else ""),
    )


def _table(results: Results) -> Table:
    rows = []
    for slot in SLOTS:
        for family, label in FAMILIES.items():
            prefix = f"{family}-{slot}/"
            names = ("test/acc", "cost/synops", "cost/spike_rate", "cost/energy_pj", "cost/energy_memory_pj")
            accuracy, synops, rate, energy, memory = (results.value(STAGE, name, prefix) for name in names)
            if accuracy is None:
                continue
            figures = [
                percent(accuracy),
                spread(synops, 1, 1e-3) if synops else "–",
                spread(rate, 3) if rate else "–",
                spread(energy, 1, 1e-3) if energy else "–",
                spread(memory, 0, 1e-3) if memory else "–",
            ]
            rows.append([label, slot, *figures, str(results.samples(STAGE) or ""), str(accuracy.seeds)])
    return Table(
        title="What every network of P1 costs",
        columns=(
            "network",
            "data",
            "test accuracy, %",
            "SynOps, thousands",
            "spikes per neuron and step",
            "arithmetic, nJ",
            "with memory, nJ",
            "n",
            "seeds",
        ),
        rows=rows,
        left=2,
        note="SynOps are products that are not zero, the ANN's too. FP32 at 45 nm: 4.6 pJ a multiply-accumulate, 0.9 pJ an addition.",
    )


def _layers(results: Results) -> Drawing:
    figure, axes = canvas(2.7, 2, share=True)
    for ax, slot in zip(axes, SLOTS, strict=True):
        runs = [run.curves.get("cost/layer_spike_rate", []) for run in results.named(STAGE, f"sew_resnet-{slot}-")]
        for curve in runs:
            if curve:
                ax.plot(
                    [step + 1 for step, _ in curve],
                    [value for _, value in curve],
                    "o-",
                    color=ACCENT,
                    linewidth=0.8,
                    markersize=3.5,
                    alpha=0.7,
                )
        ax.set(title=f"spike rate by layer, {slot}", xlabel="neuron layer, input to output")
        whole_ticks(ax)
    axes[0].set_ylabel("spikes per neuron and step")
    axes[0].set_ylim(bottom=0)
    text = "; ".join(
        f"on {slot} {spread(rate, 3)} on average"
        for slot in SLOTS
        if (rate := results.value(STAGE, "cost/spike_rate", f"sew_resnet-{slot}/"))
    )
    return Drawing(
        name="layers",
        figure=figure,
        alt="Spike rate of every neuron layer of SEW-ResNet, one line per seed, on frames and on events",
        reading=f"Spikes per neuron and step: {text}. One line per seed; a layer near 0 would be dead, one near 1 would be saturated.",
    )
