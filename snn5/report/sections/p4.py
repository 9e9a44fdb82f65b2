"""P4.1: accuracy against synaptic operations as the penalty grows; P4.2 (`_quantisation`); P4.3 (`_pruning`)."""

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results
from snn5.report._style import ACCENT, GREY, INK, canvas
from snn5.report._text import decimal, percent, spread, with_unit
from snn5.report.sections import _pruning, _quantisation

STAGE, ACCURACY = "p4_sparsify", "test/acc_last"


def parts(results: Results) -> list[Part]:
    """Sparsity, quantisation, pruning."""
    return [*_sparsity(results), *_quantisation.parts(results), *_pruning.parts(results)]


def _sparsity(results: Results) -> list[Part]:
    """The table of strengths and the trade-off."""
    record = results.get(STAGE)
    if record is None:
        return [Missing(title="The sparsity sweep", reason=f"{STAGE} has not run")]
    strengths = sorted({float(run.params["strength"]) for _, run in results.runs(STAGE)})
    chosen = results.number(STAGE, "chosen_strength")
    return [_table(results, strengths, chosen), _figure(results, strengths, chosen)]


def _table(results: Results, strengths: list[float], chosen: float | None) -> Table:
    rows = []
    for strength in strengths:
        prefix = f"strength{strength:g}/"
        found = [results.value(STAGE, name, prefix) for name in ("val/acc", ACCURACY, "cost/synops", "cost/spike_rate", "cost/energy_pj")]
        val, test, synops, rate, energy = found
        rows.append(
            [
                f"{strength:g}",
                percent(val) if val else "–",
                percent(test) if test else "–",
                spread(synops, 1, 1e-3) if synops else "–",
                spread(rate, 3) if rate else "–",
                spread(energy, 1, 1e-3) if energy else "–",
                str(results.samples(STAGE) or ""),
                str(test.seeds if test else ""),
            ]
        )
    return Table(
        title="The sweep over the penalty's strength",
        columns=(
            "strength λ",
            "val accuracy, %",
            "test accuracy, %",
            "SynOps, thousands",
            "spikes per neuron and step",
            "energy, nJ",
            "n",
            "seeds",
        ),
        rows=rows,
        marked=strengths.index(chosen) if chosen in strengths else None,
        note="The marked strength is the strongest whose validation accuracy stays within the limit of params.yaml (p4.max_accuracy_loss).",
    )


def _figure(results: Results, strengths: list[float], chosen: float | None) -> Drawing:
    figure, (axes,) = canvas(3.0)
    means = []
    for strength in strengths:
        prefix = f"strength{strength:g}/"
        synops, accuracy = results.value(STAGE, "cost/synops", prefix), results.value(STAGE, ACCURACY, prefix)
        if synops is None or accuracy is None:
            continue
        x, y = synops.mean / 1000, 100 * accuracy.mean
        means.append((x, y))
        own = [run for _, run in results.runs(STAGE) if float(run.params["strength"]) == strength]
        seeds = [(run.metrics["cost/synops"] / 1000, 100 * run.metrics[ACCURACY]) for run in own]
        axes.plot(*zip(*seeds, strict=True), "o", color=GREY, markersize=3)
        mark = strength == chosen
        axes.errorbar(
            x,
            y,
            xerr=synops.sd / 1000,
            yerr=100 * accuracy.sd,
            fmt="o",
            color=ACCENT if mark else INK,
            markersize=8 if mark else 5,
            linewidth=1,
        )
        text = f"λ = {strength:g}" + (", chosen" if mark else "")
        axes.annotate(
            text, (x, y), xytext=(8, -6), textcoords="offset points", ha="left", va="top", fontsize=8, color=ACCENT if mark else INK
        )
    if means:
        axes.plot(*zip(*means, strict=True), color=INK, linewidth=0.9, zorder=1)
    axes.set(title="accuracy against synaptic operations", xlabel="SynOps per sample, thousands", ylabel="test accuracy, %")
    axes.margins(x=0.1)
    axes.set_xlim(left=0)
    axes.margins(y=0.25)
    ratio = results.number(STAGE, "cost/synops_ratio")
    before, after = results.value(STAGE, ACCURACY, "strength0/"), results.value(STAGE, ACCURACY)
    text = "The stronger the penalty, the fewer operations."
    if ratio is not None and before and after:
        text = f"The chosen penalty leaves {decimal(ratio)} of the operations; "
        text += f"test accuracy goes from {with_unit(before)} to {with_unit(after)}."
    return Drawing(
        name="sparsity", figure=figure, alt="Test accuracy against synaptic operations for each strength of the penalty", reading=text
    )
