"""P2.1: what a bad initial time constant costs LIF and PLIF, and which time constants PLIF learns."""

from typing import Any

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results, Value
from snn5.report._style import ACCENT, GREY, INK, PALE, canvas, whole_ticks
from snn5.report._text import percent, spread, whole, with_unit
from snn5.statistics import mean_sd

STAGE = "p2_neurons"
_COLOURS = {("plif", False): ACCENT, ("plif", True): PALE, ("lif", False): INK, ("lif", True): GREY}


def parts(results: Results) -> list[Part]:
    """The table of variants, their curves, the learned time constants."""
    if results.get(STAGE) is None:
        return [Missing(title="PLIF against LIF", reason=f"{STAGE} has not run")]
    variants = sorted({(run.params["neuron"], run.params["tau0"]) for _, run in results.runs(STAGE) if "tau0" in run.params})
    others = sorted({run.params["neuron"] for _, run in results.runs(STAGE) if "tau0" not in run.params})
    return [_table(results, variants, others), _figure(results, variants)]


NAMES = {"glif": "GLIF", "dynamic_glif": "DynamicGLIF (the project's own)", "adaptive_lif": "STAA's adaptive LIF"}


def _table(results: Results, variants: list[tuple[str, float]], others: list[str]) -> Table:
    rows = []
    labelled = [(neuron.upper(), f"{tau:g}", f"{neuron}-tau{tau:g}") for neuron, tau in variants]
    for name, start, label in [*labelled, *((NAMES.get(neuron, neuron.upper()), "–", neuron) for neuron in others)]:
        value, rate = (results.value(STAGE, metric, f"{label}/") for metric in ("test/acc", "cost/spike_rate"))
        if value is not None:
            spikes, size = "–" if rate is None else spread(rate, 4), whole(results.number(STAGE, f"{label}/model/params") or 0)
            rows.append([name, start, size, percent(value), spikes, str(results.samples(STAGE) or ""), str(value.seeds)])
    return Table(
        title="Neurons in one network: LIF and PLIF from two initial time constants, gated neurons from their own start",
        columns=("neuron", "τ₀, steps", "parameters", "test accuracy, %", "spikes per neuron and step", "n", "seeds"),
        rows=rows,
        note="The seed is shared, so that only the neuron differs.",
    )


def _figure(results: Results, variants: list[tuple[str, float]]) -> Drawing:
    figure, (left, right) = canvas(2.9, 2)
    worst = max(tau for _, tau in variants)
    for neuron, tau in variants:
        curves = [run.curves["val/acc"] for _, run in results.runs(STAGE, neuron=neuron, tau0=tau) if "val/acc" in run.curves]
        if curves:
            steps = range(min(map(len, curves)))
            mean = [100 * mean_sd(curve[i][1] for curve in curves)[0] for i in steps]
            dash = "-" if neuron == "plif" else "--"
            colour = _COLOURS.get((neuron, tau == worst), INK)
            left.plot([i + 1 for i in steps], mean, dash, color=colour, label=f"{neuron.upper()}, τ₀ = {tau:g}")
    left.set(title="validation accuracy, mean over seeds", xlabel="epoch", ylabel="%", ylim=(0, 101))
    left.legend(loc="center right")
    whole_ticks(left)
    whole_ticks(right)
    names = {name for _, run in results.runs(STAGE, neuron="plif") for name in run.details.get("tau", {})}
    layers = {name: place for place, name in enumerate(sorted(names, key=_depth))}
    for place, tau in enumerate(sorted({tau for _, tau in variants})):
        for _, run in results.runs(STAGE, neuron="plif", tau0=tau):
            learned: dict[str, Any] = run.details.get("tau", {})
            x = [layers[name] + 1 + 0.12 * (2 * place - 1) for name in learned]
            colour = _COLOURS["plif", tau == worst]
            right.plot(x, list(learned.values()), "o" if place == 0 else "s", color=colour, markersize=3.2)
        right.axhline(tau, color=GREY, linewidth=0.8, linestyle=":")
        right.annotate(f"τ₀ = {tau:g}", (0.99, tau), xycoords=("axes fraction", "data"), ha="right", va="bottom", color=GREY, fontsize=7.5)
    right.set(title="time constants that PLIF learned", xlabel="neuron layer, input to output", ylabel="τ, steps", yscale="log")
    ticks = sorted({tau for _, tau in variants})
    right.set_yticks(ticks, [f"{tau:g}" for tau in ticks])
    right.minorticks_off()
    return Drawing(
        name="neurons",
        figure=figure,
        alt="Left: validation accuracy over epochs of LIF and PLIF from two time constants. Right: time constants that PLIF learned",
        reading=_reading(results, variants),
    )


def _depth(name: str) -> tuple[object, ...]:
    """Sorts layers from input to output: the stem, then the blocks in numerical order."""
    return not name.startswith("stem"), [part.zfill(4) for part in name.split(".")]


def _reading(results: Results, variants: list[tuple[str, float]]) -> str:
    worst = max(tau for _, tau in variants)
    found: dict[str, Value | None] = {neuron: results.value(STAGE, "test/acc", f"{neuron}-tau{worst:g}/") for neuron in ("plif", "lif")}
    plif, lif = found["plif"], found["lif"]
    if plif is None or lif is None:
        return "Only one of the two neurons was trained."
    start = f"From τ₀ = {worst:g}, PLIF reaches {with_unit(plif)} and LIF {with_unit(lif)}"
    kept, lost = (results.number(STAGE, f"{neuron}/acc_lost_to_tau0") or 0.0 for neuron in ("plif", "lif"))
    if lost <= 0:
        return f"{start}; LIF loses nothing to the bad start, so there is nothing for PLIF to win back."
    return f"{start}: learning τ wins back {100 * (1 - kept / lost):.0f} % of what LIF loses to the bad start."
