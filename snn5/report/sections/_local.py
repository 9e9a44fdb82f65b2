"""P8: the classifier that local rules alone have made: what each rule is worth, and what the neurons have learned."""

import math
from typing import Any

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results
from snn5.report._style import ACCENT, canvas
from snn5.report._text import accuracy, decimal, percent, spread
from snn5.report.sections import _claims

STAGE = "p8_local"
_ROWS, _SHADES = 3, 8
_VARIANTS = {"stdp": "STDP and homeostasis", "no_stdp": "without STDP", "no_homeostasis": "without homeostasis"}


def parts(results: Results) -> list[Part]:
    """The table, the claims, the receptive fields."""
    record = results.get(STAGE)
    if record is None:
        return [Missing(title="A classifier by local rules alone", reason=f"{STAGE} has not run")]
    found: list[Part] = [_table(results)]
    if record.details.get("claims"):
        found.append(_claims.table(record.details["claims"]))
    fields = next((run.details["fields"] for run in results.named(STAGE, "stdp-") if run.details.get("fields")), None)
    if fields is None:
        found.append(Missing(title="What the neurons have learned", reason=f"{STAGE} recorded no weights"))
    elif all(len(one["weights"]) == fields["side"] ** 2 for one in fields["weights"]):  # one channel of a square image
        found.append(_drawing(results, fields["side"], fields["weights"]))
    return found


def _table(results: Results) -> Table:
    rows = []
    for variant, label in _VARIANTS.items():
        tested, synops, used = (results.value(STAGE, name, f"{variant}/") for name in ("test/acc", "cost/synops", "local/neurons_used"))
        if tested is None:
            continue
        gain, half = (results.number(STAGE, f"compare/acc_over_{variant}{end}") for end in ("", "_ci95"))
        lost = f"{decimal(100 * gain, 1)} ± {decimal(100 * half, 1)}" if gain is not None and half is not None else "–"
        figures = [spread(synops, 1, 1e-3) if synops else "–", percent(used) if used else "–"]
        rows.append([label, percent(tested), lost, *figures, str(results.samples(STAGE, f"{variant}-") or ""), str(tested.seeds)])
    return Table(
        title="A classifier by local rules alone",
        columns=("rules", "test accuracy, %", "points below both rules", "SynOps, thousands", "neurons that fire, %", "n", "seeds"),
        rows=rows,
        note="Points: paired over seeds, 95 % interval. Weights learn without labels; the training set's then name the neurons.",
    )


def _drawing(results: Results, side: int, fields: list[dict[str, Any]]) -> Drawing:
    columns = math.ceil(len(fields) / _ROWS)
    figure, (axes,) = canvas(2.6)
    shades: dict[int, list[tuple[int, int]]] = {}
    for number, one in enumerate(fields):
        left, top = (number // _ROWS) * (side + 1), (number % _ROWS) * (side + 1)
        highest = max(one["weights"])
        for place, weight in enumerate(one["weights"]):
            shades.setdefault(round(_SHADES * weight / highest) if highest else 0, []).append((left + place % side, top + place // side))
    for shade, cells in sorted(shades.items()):
        if shade:  # squares, not an image: the page holds drawings as text
            axes.plot(*zip(*cells, strict=True), "s", color=ACCENT, alpha=shade / _SHADES, markersize=5.0, markeredgewidth=0)
    axes.set(xlim=(-1, columns * (side + 1) - 1), ylim=(_ROWS * (side + 1) - 1, -1))
    axes.set_axis_off()
    axes.set_title("weights of the three surest neurons of every class")
    value = results.value(STAGE, "test/acc", "stdp/")
    return Drawing(
        name="local_fields",
        figure=figure,
        alt="Weights of neurons as small images, three for every class, each of which looks like the digit that it is named after",
        reading=f"Each neuron has become the picture of one way to write a digit. Test accuracy {accuracy(value, results.samples(STAGE))}.",
    )
