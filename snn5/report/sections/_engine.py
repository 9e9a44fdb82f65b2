"""P5.2: the event-driven engine against the exact reference and against float, and what the clock said where it was recorded."""

from collections.abc import Mapping
from typing import Any

from snn5.report._parts import Missing, Part, Table
from snn5.report._results import Results
from snn5.report._text import decimal, percent, spread
from snn5.report.sections import _clock
from snn5.report.sections._not_ported import not_ported

STAGE, SLOTS, SOURCES = "p5_engine", ("frames", "events"), {"p1": "P1, as trained", "p6": "P6, optimised"}
LOSS = 0.005  # what issue 6 allows from float to whole numbers
COMMAND = "snn5 bench infer CHECKPOINT SPLIT ... --json experiments/results/infer.json"


def parts(results: Results) -> list[Part]:
    """The table of parity, and the recorded times."""
    there = [slot for slot in SLOTS if results.get(f"{STAGE}@{slot}")]
    if not there:
        return [Missing(title="The event-driven engine", reason=f"{STAGE} has not run"), *_times(results)]
    return [_parity(results, there), *not_ported(results, *(f"{STAGE}@{slot}" for slot in there)), *_times(results)]


def _parity(results: Results, slots: list[str]) -> Table:
    rows, losses, differences = [], [], 0.0
    for slot in slots:
        stage = f"{STAGE}@{slot}"
        for source, label in SOURCES.items():
            own = [run for _, run in results.runs(stage, source=source) if run.metrics]
            if not own:
                continue
            wrong, compared = (sum(run.metrics[f"engine/{key}"] for run in own) for key in ("differences", "compared"))
            differences += wrong
            names = ("test/acc", "float/test/acc", "engine/agreement", "cost/steps_mean", "cost/synops", "engine/updates")
            whole, before, same, steps, synops, updates = (results.value(stage, name, f"{source}/") for name in names)
            if not (whole and before and same and steps and synops and updates):
                continue
            losses.append(before.mean - whole.mean)
            rows.append(
                [
                    slot,
                    label,
                    f"{wrong:.0f} of {compared / 1e6:.1f} million",
                    percent(before),
                    percent(whole),
                    percent(same),
                    spread(steps),
                    spread(synops, 1, 1e-3),
                    spread(updates, 1, 1e-3),
                    str(results.samples(stage) or ""),
                    str(whole.seeds),
                ]
            )
    loss = max([0.0, *losses])
    met = not differences and loss <= LOSS
    note = (
        f"Compared are all spikes of all populations and all logits, in all steps. Float to whole numbers: largest mean loss "
        f"{decimal(100 * loss)} points; the claim (exact, and at most {100 * LOSS:g} points) is {'met' if met else 'missed'}. "
        "SynOps count every weight that is added, pruned ones too."
    )
    columns = (
        *("data", "network", "differences from the reference", "accuracy in float, %", "in whole numbers, %", "same answer, %"),
        *("mean steps", "SynOps, thousands", "neuron updates, thousands", "n", "seeds"),
    )
    return Table(title="The event-driven engine: exact, and what whole numbers cost", columns=columns, rows=rows, left=2, note=note)


def _times(results: Results) -> list[Part]:
    found: Mapping[str, Any] | None = results.recorded.get("infer")
    if not found:
        return []
    return [clock("Recorded: an answer of the engine on the clock", found, f"Command: {COMMAND}.")]


def clock(title: str, found: Mapping[str, Any], note: str) -> Table:
    """What `snn5 bench infer` found, and how, before `note`."""
    how = f"One sample at a time, one thread, medians of {found['rows'][0]['repeats']} turns, processor time of the thread"
    return _clock.clock(title, found, ours="engine", how=how, note=note)
