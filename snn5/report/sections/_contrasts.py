"""P1: architectures with and without what makes them special, and residual networks as they grow deeper."""

import re

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results, Value
from snn5.report._style import ACCENT, GREY, canvas
from snn5.report._text import percent, signed, spread, whole, with_unit

DEPTH = "p1_depth"
FAMILIES = {
    "p1_contrast@spikingformer": "Spikingformer (P1.2)",
    "p1_contrast@hsvt": "HsVT-SNN5 (P1.3, the project's own design)",
    "p1_contrast@dta": "DTA (P1.4)",
    "p1_contrast@staa": "STAA (P1.4, a reconstruction)",
}


def parts(results: Results) -> list[Part]:
    """Depth first, then the table of contrasts."""
    return [_depth(results), _table(results)]


def variants(results: Results, stage: str) -> list[str]:
    """The variants of a stage, the one that the others are compared with first."""
    found = results.get(stage)
    if found is None:
        return []
    names = list(dict.fromkeys(str(run.params["variant"]) for run in found.runs.values()))
    return sorted(names, key=lambda name: name != found.details.get("reference"))


def _table(results: Results) -> Part:
    rows = []
    for stage, title in FAMILIES.items():
        for place, name in enumerate(variants(results, stage)):
            value, rate, synops, gain = (
                results.value(stage, metric, f"{name}/") for metric in ("test/acc", "cost/spike_rate", "cost/synops", "acc_gain")
            )
            rows.append(
                [
                    "" if place else title,
                    name,
                    str(record.details.get("data", "")) if (record := results.get(stage)) else "",
                    whole(results.number(stage, f"{name}/model/params") or 0),
                    percent(value) if value else "",
                    "–" if gain is None else f"{signed(100 * gain.mean)} ± {100 * gain.sd:.1f}",
                    spread(rate, 3) if rate else "–",
                    f"{(synops.mean if synops else 0) / 1e6:.2f}",
                    str(results.samples(stage) or ""),
                    str(value.seeds if value else ""),
                ]
            )
    title = "Architectures with and without what makes them special"
    if not rows:
        return Missing(title=title, reason="p1_contrast has not run")
    columns = (
        "family",
        "variant",
        "data",
        "parameters",
        "test accuracy, %",
        "gain, points",
        "spikes per neuron and step",
        "MSynOps",
        "n",
        "seeds",
    )
    note = "The gain is that over the family's first row, seed by seed. DTA and STAA look at all steps at once: they cannot leave early."
    return Table(title=title, columns=columns, rows=rows, left=3, note=note)


def _depth(results: Results) -> Part:
    lines: dict[str, list[tuple[int, Value]]] = {}
    for name in variants(results, DEPTH):
        found, value = re.fullmatch(r"(\w+?)(\d+)", name), results.value(DEPTH, "test/acc", f"{name}/")
        if found and value:
            lines.setdefault(found[1], []).append((int(found[2]), value))
    if not lines:
        return Missing(title="Accuracy against depth", reason=f"{DEPTH} has not run")
    figure, (axes,) = canvas(2.8)
    for family, colour, label in (("sew_resnet", ACCENT, "SEW-ResNet"), ("spiking_resnet", GREY, "plain spiking ResNet")):
        points = sorted(lines.get(family, []), key=lambda point: point[0])
        if points:
            depth = [d for d, _ in points]
            mean, sd = [100 * v.mean for _, v in points], [100 * v.sd for _, v in points]
            axes.errorbar(depth, mean, sd, color=colour, marker="o", capsize=3, label=label)
            axes.set_xticks(depth)
    axes.set(xlabel="layers", ylabel="test accuracy, %", ylim=(0, 101))
    axes.legend(loc="upper right")
    return Drawing(
        name="depth",
        figure=figure,
        alt="Test accuracy against the number of layers, SEW-ResNet and the plain spiking ResNet",
        reading=_reading(lines),
    )


def _reading(lines: dict[str, list[tuple[int, Value]]]) -> str:
    found = []
    for family, label in (("sew_resnet", "SEW-ResNet"), ("spiking_resnet", "the plain net")):
        points = sorted(lines.get(family, []), key=lambda point: point[0])
        if len(points) > 1:
            (low, first), (high, last) = points[0], points[-1]
            change = 100 * (last.mean - first.mean)
            found.append(f"from {low} to {high} layers {label} goes from {with_unit(first)} to {with_unit(last)} ({signed(change)} points)")
    text = "; ".join(found) or "only one depth was trained"
    return f"{text[0].upper()}{text[1:]}. Bars are one standard deviation over seeds; all nets have the same budget."
