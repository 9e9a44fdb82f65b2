"""P5.1: accuracy against steps as the early exit gets bolder."""

from snn5.record import Run
from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results, Value
from snn5.report._style import ACCENT, GREY, INK, canvas
from snn5.report._text import decimal, percent, signed, spread

STAGE = "p5_cutoff"


def parts(results: Results) -> list[Part]:
    """The table with and without the cutoff, and the sweep."""
    if results.get(STAGE) is None:
        return [Missing(title="The early exit", reason=f"{STAGE} has not run")]
    return [_table(results), _figure(results)]


def _early(results: Results) -> list[Run]:
    return [run for name, run in results.runs(STAGE) if run.curves]


def _table(results: Results) -> Table:
    rows = []
    for label, prefix in (("all steps", "full/"), ("early exit", "")):
        accuracy, steps, synops, energy = (
            results.value(STAGE, n, prefix) for n in ("test/acc", "cost/steps_mean", "cost/synops", "cost/energy_pj")
        )
        rows.append(
            [
                label,
                percent(accuracy) if accuracy else "–",
                spread(steps) if steps else "–",
                spread(synops, 1, 1e-3) if synops else "–",
                spread(energy, 1, 1e-3) if energy else "–",
                str(results.samples(STAGE) or ""),
                str(accuracy.seeds if accuracy else ""),
            ]
        )
    best = [run.details["optimal_steps_mean"] for run in _early(results) if "optimal_steps_mean" in run.details]
    note = (
        f"An oracle that leaves at the first step after which the answer stays right needs {decimal(Value.of(best).mean)} steps."
        if best
        else ""
    )
    return Table(
        title="With and without the early exit",
        columns=("run", "test accuracy, %", "mean steps", "SynOps, thousands", "energy, nJ", "n", "seeds"),
        rows=rows,
        note=note,
    )


def _figure(results: Results) -> Drawing:
    figure, (axes,) = canvas(2.9)
    runs = _early(results)
    needed = ("cost/steps_mean", "test/acc")
    curves = [
        [(steps, 100 * accuracy) for (_, steps), (_, accuracy) in zip(*(run.curves[name] for name in needed), strict=True)]
        for run in runs
        if all(name in run.curves for name in needed)
    ]
    for number, curve in enumerate(curves):
        axes.plot(
            *zip(*sorted(curve), strict=True),
            color=GREY,
            linewidth=0.9,
            marker="o",
            markersize=2.5,
            label=None if number else "one seed, over ε",
        )
    chosen = [
        (run.metrics["cost/steps_mean"], 100 * run.metrics["test/acc"]) for run in runs if all(name in run.metrics for name in needed)
    ]
    full = [curve[-1] for curve in curves]
    for points, style, colour, label in ((chosen, "o", ACCENT, "chosen ε"), (full, "s", INK, "no early exit")):
        if points:
            axes.plot(*zip(*points, strict=True), style, color=colour, markersize=6.5, label=label)
    axes.set(title="accuracy against steps", xlabel="mean steps until the answer", ylabel="test accuracy, %")
    axes.margins(y=0.15)
    axes.legend(loc="lower right")
    fewer, change, synops = (results.value(STAGE, f"cutoff/{key}") for key in ("fewer_steps", "acc_change", "fewer_synops"))
    text = "The sweep over ε."
    if fewer and change:
        text = f"On average over seeds {decimal(fewer.mean)} times fewer steps at {signed(100 * change.mean)} points of test accuracy"
        text += f" and {decimal(synops.mean)} times fewer operations." if synops else "."
        met = fewer.mean >= 1.5 and change.mean >= -0.005
        text += f" The claim (1.5 times fewer at 0.5 points or less) is {'met' if met else 'missed'}."
    return Drawing(
        name="cutoff", figure=figure, alt="Test accuracy against the mean number of steps for each seed and epsilon", reading=text
    )
