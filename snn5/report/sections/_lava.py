"""P5.2: float against whole numbers, parity on Lava, and what each network takes of a Loihi 2."""

from snn5.report._parts import Missing, Part, Table
from snn5.report._results import Results
from snn5.report._text import percent, signed, spread, whole
from snn5.report.sections._not_ported import not_ported

STAGE = "p5_lava"
TITLES = {
    "dense": "dense (digits)",
    "p1-frames": "SEW-ResNet (P1.1), frames",
    "p6-frames": "all techniques (P6), frames",
    "p1-events": "SEW-ResNet (P1.1), events",
    "p6-events": "all techniques (P6), events",
    "attention": "Spikingformer with Q-K attention (P1.2), events",
}


def parts(results: Results) -> list[Part]:
    """Accuracy and parity in one table, resources in another."""
    title = "On Loihi 2, in Lava's simulation"
    if results.get(STAGE) is None:
        return [Missing(title=title, reason=f"{STAGE} has not run")]
    return [_parity(results, title), _resources(results), *not_ported(results, STAGE)]


def _parity(results: Results, title: str) -> Table:
    rows = []
    for name, text in TITLES.items():
        real, exact, change = (results.value(STAGE, metric, f"{name}/") for metric in ("float/acc", "test/acc", "int/acc_change"))
        samples, labels, spikes, differing = (
            results.number(STAGE, f"{name}/lava/{key}") for key in ("samples", "labels", "spikes", "differing")
        )
        if real is None or exact is None or change is None:
            continue
        rows.append(
            [
                text,
                percent(real),
                percent(exact),
                f"{signed(100 * change.mean)} ± {100 * change.sd:.1f}",
                "levels kept" if results.number(STAGE, f"{name}/int/exact") == 1 else "rounded to 8 bits",
                str(results.samples(STAGE, f"{name}-") or ""),
                str(real.seeds),
                *(
                    ("not on Lava", "", "")
                    if samples is None
                    else (whole(spikes or 0), whole(differing or 0), f"{labels or 0:.0f} of {samples:.0f}")
                ),
            ]
        )
    columns = (
        "network",
        "float accuracy, %",
        "in whole numbers, %",
        "change, points",
        "weights",
        "n",
        "seeds",
        "spikes compared",
        "that differ",
        "same label",
    )
    note = (
        "All steps are run. Spikes of every layer and every logit on Lava are compared with the exact reference; what follows from whole "
        "numbers alone is the change of accuracy. No chip was at hand."
    )
    return Table(title=title, columns=columns, rows=rows, note=note)


def _resources(results: Results) -> Table:
    rows = []
    for name, text in TITLES.items():
        first = next((run for key, run in results.runs(STAGE) if key.startswith(f"{name}-seed") and "resources" in run.details), None)
        if first is None:
            continue
        total, peak = first.details["resources"]["total"], results.value(STAGE, "int/peak_current", f"{name}/")
        rows.append(
            [
                text,
                whole(total["neurons"]),
                whole(total["synapses"]),
                whole(total["kernels"]),
                str(total["cores"]),
                str(total["delay"]),
                spread(peak, 0) if peak else "–",
            ]
        )
    return Table(
        title="What the networks take of a Loihi 2",
        columns=("network", "neurons", "synapses", "kernel weights", "cores of 128", "longest extra delay, steps", "largest current"),
        rows=rows,
        note="Estimated from 8192 neurons and 937 500 synapses a core, no core shared; a sum of one step must stay within 32 767.",
    )
