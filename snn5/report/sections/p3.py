"""P3.1: the Optuna studies: which trials were stopped early, what the best point is, and what an operation is worth."""

from typing import Any

from snn5.record import Run
from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results, Value
from snn5.report._style import ACCENT, GREY, INK, canvas, whole_ticks
from snn5.report._text import decimal, signed, whole, with_unit

STAGE = "p3_tune"
_LOOKS = {  # colour, mark at the end, line
    "best": (ACCENT, "o", "-"),
    "complete": (INK, "o", "-"),
    "stopped by successive halving": (GREY, "x", "--"),
    "a layer fell silent or saturated": (GREY, "v", ":"),
}


def parts(results: Results) -> list[Part]:
    """The trials' curves, the point that won and its accuracy, the front of the study with two goals."""
    record = results.get(STAGE)
    if record is None:
        return [Missing(title="The hyperparameter search", reason=f"{STAGE} has not run")]
    found: list[Part] = [_figure(results, f"trial{int(record.details.get('trial', -1)):03d}"), _table(results)]
    return [*found, _front(results, record.details["front"])] if "front" in record.details else found


def _figure(results: Results, best: str) -> Drawing:
    figure, (axes,) = canvas(2.9)
    trials = [(name, run) for name, run in results.runs(STAGE) if name.startswith("trial") and run.curves.get("val/acc")]
    for name, run in sorted(trials, key=lambda item: item[0] == best):  # the best on top
        curve = [(epoch, 100 * value) for epoch, value in run.curves["val/acc"]]
        label = "best" if name == best else _end(run)
        colour, mark, dash = _LOOKS[label]
        axes.plot(*zip(*curve, strict=True), dash, color=colour, linewidth=2.4 if name == best else 1.0)
        axes.plot(*curve[-1], mark, color=colour, markersize=4.5, label=label)
    handles: dict[str, Any] = {}
    for handle, text in zip(*axes.get_legend_handles_labels(), strict=True):
        handles.setdefault(text, handle)
    axes.legend(handles.values(), handles.keys(), loc="lower right")
    axes.set(title="validation accuracy of every trial", xlabel="epoch", ylabel="%", ylim=(0, 101))
    whole_ticks(axes)
    spent, full = (results.number(STAGE, f"study/{key}") or 0.0 for key in ("epochs", "epochs_unpruned"))
    found = results.value(STAGE, "test/acc")
    before = _before(results)
    text = f"The search trained {whole(spent)} of the {whole(full)} epochs that all trials in full length would have taken."
    if found:
        text += f" Its best point, trained anew, answers {with_unit(found)} on test"
        text += f"; P1's settings give {with_unit(before)}." if before else "."
    if best == "trial000":
        text += " Trial 0 is P1's own point: the search found none that is better on validation."
    return Drawing(name="tuning", figure=figure, alt="Validation accuracy over epochs of every trial of the search", reading=text)


def _front(results: Results, numbers: list[int]) -> Drawing:
    """Every trial of the study of accuracy and operations, those on the front joined."""
    figure, (axes,) = canvas(2.9)
    names = {f"tradeoff{number:03d}" for number in numbers}
    points = {
        name: (run.metrics["cost/synops"] / 1000, 100 * run.metrics["val/acc"])
        for name, run in results.runs(STAGE)
        if name.startswith("tradeoff") and run.metrics
    }
    others = [point for name, point in points.items() if name not in names]
    front = sorted(point for name, point in points.items() if name in names)
    if others:
        axes.plot(*zip(*others, strict=True), "o", color=GREY, markersize=4, label="beaten in one goal, not better in the other")
    if front:
        axes.plot(*zip(*front, strict=True), "o-", color=ACCENT, markersize=5.5, linewidth=1.2, label="Pareto front")
    if "tradeoff000" in points:
        axes.annotate("P1's point", points["tradeoff000"], xytext=(6, -11), textcoords="offset points", fontsize=8)
    axes.set(title="accuracy against operations, each trial", xlabel="SynOps per sample, thousands", ylabel="validation accuracy, %")
    axes.margins(x=0.1, y=0.15)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right")
    text = f"Of {whole(results.number(STAGE, 'tradeoff/trials') or 0)} trials {len(front)} are on the front of accuracy and operations."
    if len(front) > 1:
        (low, a), (high, b) = front[0], front[-1]
        text += (
            f" From its cheapest point to its best, {decimal(high / low)} times the operations buy {signed(b - a)} points on validation."
        )
    text += " Short trainings of one seed each, compared with each other only."
    return Drawing(name="tradeoff", figure=figure, alt="Validation accuracy against synaptic operations of every trial", reading=text)


def _end(run: Run) -> str:
    """Why a trial ended."""
    if run.params.get("state") != "PRUNED":
        return "complete"
    return "a layer fell silent or saturated" if run.params.get("stopped") else "stopped by successive halving"


def _before(results: Results) -> Value | None:
    """P1's accuracy on the data that the search was about; the record of P6, where it takes the search's networks, says which that is."""
    found = {slot: results.get(f"p6_integrate@{slot}") for slot in ("frames", "events")}
    slot = next((slot for slot, record in found.items() if record and record.details.get("start") == STAGE), None)
    return results.value(f"p1_train@sew_resnet-{slot}", "test/acc") if slot else None


def _table(results: Results) -> Table:
    record = results.get(STAGE)
    point = record.details.get("point", {}) if record else {}
    found = results.value(STAGE, "test/acc")
    accuracy = f"{with_unit(found)} test accuracy (n = {results.samples(STAGE)}, {found.seeds} seeds)" if found else ""
    rows = [[str(name), _setting(value)] for name, value in sorted(point.items())]
    note = f"The study sees training and validation samples only. With this point: {accuracy}."
    return Table(title="The best point", columns=("setting", "value"), rows=rows, note=note)


def _setting(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2e}".replace("e-0", "e−").replace("e-", "e−") if 0 < abs(value) < 0.01 else decimal(value, 3)
    return str(value)
