"""P5: accuracy against steps as the early exit gets bolder, on both slots; then what chips and the event engine make of the networks."""

from matplotlib.axes import Axes

from snn5.record import Run
from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results, Value
from snn5.report._style import ACCENT, GREY, INK, PALE, canvas
from snn5.report._text import decimal, percent, signed, spread
from snn5.report.sections import _engine, _lava, _spinnaker

STAGE, SLOTS = "p5_cutoff", ("frames", "events")
FEWER, LOSS = 1.8, 0.005  # what issue 5 asks for
_RULES = {"gap": (PALE, "gap"), "entropy": (GREY, "entropy"), "max_probability": (INK, "largest probability")}


def parts(results: Results) -> list[Part]:
    """The table with and without the cutoff, and the sweep; then the chips, and the engine's parity and speed."""
    there = [slot for slot in SLOTS if results.get(f"{STAGE}@{slot}")]
    if there:
        early: list[Part] = [_table(results, there), _figure(results, there)]
    else:
        early = [Missing(title="The early exit", reason=f"{STAGE} has not run")]
    return [*early, *_lava.parts(results), *_spinnaker.parts(results), *_engine.parts(results)]


def _table(results: Results, slots: list[str]) -> Table:
    rows, notes = [], []
    for slot in slots:
        stage = f"{STAGE}@{slot}"
        kept = _kept(results, stage)
        named = [("all steps", "full/"), (f"early exit by {_RULES[kept][1]}", "")]
        named += [(f"by {text}, for comparison", f"{rule}/") for rule, (_, text) in _RULES.items() if rule != kept]
        for label, prefix in named:
            accuracy, steps, fewer, synops, energy = (
                results.value(stage, n, prefix)
                for n in ("test/acc", "cost/steps_mean", "cutoff/fewer_steps", "cost/synops", "cost/energy_pj")
            )
            rows.append(
                [
                    slot,
                    label,
                    percent(accuracy) if accuracy else "–",
                    spread(steps) if steps else "–",
                    spread(fewer) if fewer else "–",
                    spread(synops, 1, 1e-3) if synops else "–",
                    spread(energy, 1, 1e-3) if energy else "–",
                    str(results.samples(stage) or ""),
                    str(accuracy.seeds if accuracy else ""),
                ]
            )
        best = [r.details["optimal_steps_mean"] for _, r in results.runs(stage) if "optimal_steps_mean" in r.details]
        if best:
            notes.append(f"{decimal(Value.of(best).mean)} on {slot}")
    oracle = "An oracle that leaves at the first step after which the answer stays right needs"
    return Table(
        title="With and without the early exit",
        columns=("data", "run", "test accuracy, %", "mean steps", "times fewer", "SynOps, thousands", "energy, nJ", "n", "seeds"),
        rows=rows,
        left=2,
        note=f"{oracle} {' and '.join(notes)} steps." if notes else "",
    )


def _figure(results: Results, slots: list[str]) -> Drawing:
    figure, panels = canvas(2.9, len(slots))
    for axes, slot in zip(panels, slots, strict=True):
        _panel(axes, results, slot)
    return Drawing(
        name="cutoff",
        figure=figure,
        alt="Test accuracy against the mean number of steps for each rule over epsilon, and for every sample stopped at the same step",
        reading=" ".join(_reading(results, slot) for slot in slots),
    )


def _panel(axes: Axes, results: Results, slot: str) -> None:
    """Means over seeds: each rule over epsilon, all samples stopped at one step, and the chosen point of every seed."""
    stage = f"{STAGE}@{slot}"
    full = [run for name, run in results.runs(stage) if name.endswith("-full")]
    stopped = _mean(full, "test/acc_by_step")
    if stopped:
        axes.plot(
            range(1, len(stopped) + 1),
            [100 * a for a in stopped],
            "s:",
            color=GREY,
            markersize=3.5,
            linewidth=1.0,
            label="all stop at one step",
        )
    for rule, (colour, text) in _RULES.items():
        own = [run for _, run in results.runs(stage, rule=rule) if run.curves]
        steps, accuracy = (_mean(own, name) for name in ("cost/steps_mean", "test/acc"))
        if steps:
            axes.plot(steps, [100 * a for a in accuracy], "o-", color=colour, markersize=2.5, linewidth=1.0, label=f"{text}, over ε")
    chosen = [run for _, run in results.runs(stage) if "optimal_steps_mean" in run.details]
    points = [(run.metrics["cost/steps_mean"], 100 * run.metrics["test/acc"]) for run in chosen]
    if points:
        axes.plot(*zip(*points, strict=True), "o", color=ACCENT, markersize=5.5, label="chosen, each seed")
    axes.set(title=f"accuracy against steps, {slot}", xlabel="mean steps until the answer", ylabel="test accuracy, %")
    axes.margins(y=0.15)
    axes.legend(loc="lower right")


def _mean(runs: list[Run], name: str) -> list[float]:
    """A curve's mean over runs, point by point."""
    values = [[value for _, value in run.curves[name]] for run in runs if name in run.curves]
    return [sum(column) / len(column) for column in zip(*values, strict=True)]


def _kept(results: Results, stage: str) -> str:
    return next((run.params["rule"] for _, run in results.runs(stage) if "optimal_steps_mean" in run.details), "gap")


def _reading(results: Results, slot: str) -> str:
    fewer, change, synops = (results.value(f"{STAGE}@{slot}", f"cutoff/{key}") for key in ("fewer_steps", "acc_change", "fewer_synops"))
    if not fewer or not change:
        return f"The sweep over ε on {slot}."
    text = (
        f"On {slot}, on average over seeds, {decimal(fewer.mean)} times fewer steps at {signed(100 * change.mean)} points of test accuracy"
    )
    text += f" and {decimal(synops.mean)} times fewer operations." if synops else "."
    within = results.value(f"{STAGE}@{slot}", "epsilons_within_limit")
    if within and not within.mean:
        text += " Validation is too small to confirm any ε within the limit, so the smallest is taken."
    met = fewer.mean >= FEWER and change.mean >= -LOSS
    return f"{text} The claim ({FEWER} times fewer at {100 * LOSS:g} points or less) is {'met' if met else 'missed'}."
