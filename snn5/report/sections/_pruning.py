"""P4.3: accuracy and wrong spikes against the share of zero weights, for each method."""

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results
from snn5.report._style import ACCENT, GREY, INK, canvas
from snn5.report._text import decimal, percent, signed, spread, whole, with_unit

STAGE, OWN = "p4_prune", "sbc_sequential"
TITLES = {
    "dense": "not pruned",
    "sbc_sequential": "SBC, layers in sequence",
    "sbc": "SBC, layers apart",
    "magnitude": "magnitude",
}
COLUMNS = ("method", "zero weights, %", "val accuracy, %", "test accuracy, %", "distance of spikes", "parameters", "SynOps, thousands")


def parts(results: Results) -> list[Part]:
    """The table of methods and sparsities, and the figure."""
    variants = sorted(
        {(str(run.params["method"]), float(run.params["sparsity"])) for _, run in results.runs(STAGE)},
        key=lambda variant: (list(TITLES).index(variant[0]), variant[1]),
    )
    if not variants:
        return [Missing(title="One-shot pruning", reason=f"{STAGE} has not run")]
    chosen = results.number(STAGE, "chosen_sparsity")
    return [_table(results, variants, chosen), _figure(results, variants, chosen)]


def _table(results: Results, variants: list[tuple[str, float]], chosen: float | None) -> Table:
    rows = []
    for method, sparsity in variants:
        prefix = f"{method}-{sparsity:g}/"
        names = ("val/acc", "test/acc", "prune/distance", "model/params_nnz", "cost/synops")
        val, test, distance, nnz, synops = (results.value(STAGE, name, prefix) for name in names)
        rows.append(
            [
                TITLES[method],
                f"{100 * sparsity:g}",
                percent(val) if val else "–",
                percent(test) if test else "–",
                spread(distance, 3) if distance else "–",
                whole(nnz.mean) if nnz else "–",
                spread(synops, 1, 1e-3) if synops else "–",
                str(results.samples(STAGE) or ""),
                str(test.seeds if test else ""),
            ]
        )
    calibration = next((run.params.get("n_calibration") for _, run in results.runs(STAGE)), None)
    within = results.number(STAGE, "sparsities_within_limit")
    rule = "the largest sparsity that stays" if within else "the smallest sparsity, as none stays"
    return Table(
        title="One-shot pruning, without training",
        columns=(*COLUMNS, "n", "seeds"),
        rows=rows,
        marked=variants.index((OWN, chosen)) if chosen is not None and (OWN, chosen) in variants else None,
        note=f"All from the same {calibration} training samples and with the same weights per layer. Distance: how far the spikes are from "
        f"those before pruning, on validation samples (1: as wrong as silence). Marked: {rule} within p4.max_accuracy_loss on validation.",
    )


def _figure(results: Results, variants: list[tuple[str, float]], chosen: float | None) -> Drawing:
    figure, axes = canvas(3.0, columns=2)
    for place, (name, scale) in enumerate((("test/acc", 100.0), ("prune/distance", 1.0))):
        for method, colour in (("magnitude", GREY), ("sbc", INK), (OWN, ACCENT)):
            found = [(s, results.value(STAGE, name, f"{m}-{s:g}/")) for m, s in variants if m == method]
            points = [(100 * s, scale * value.mean, scale * value.sd) for s, value in found if value is not None]
            if points:
                x, y, sd = zip(*points, strict=True)
                axes[place].errorbar(x, y, yerr=sd, fmt="o-", color=colour, markersize=4, linewidth=1, label=TITLES[method])
    axes[0].set(title="accuracy", xlabel="zero weights, %", ylabel="test accuracy, %")
    axes[1].set(title="spikes that went wrong", xlabel="zero weights, %", ylabel="distance")
    axes[0].legend(loc="lower left", fontsize=8)
    return Drawing(
        name="pruning",
        figure=figure,
        alt="Test accuracy and spike distance against the share of zero weights for three methods of pruning",
        reading=_reading(results, chosen),
    )


def _reading(results: Results, chosen: float | None) -> str:
    before, after = results.value(STAGE, "test/acc", "dense-0/"), results.value(STAGE, "test/acc")
    other = results.value(STAGE, "test/acc", f"magnitude-{chosen:g}/") if chosen is not None else None
    ratio, change = results.number(STAGE, "prune/synops_ratio"), results.number(STAGE, "prune/acc_change")
    if chosen is None or before is None or after is None:
        return "The more weights go, the more spikes go wrong."
    text = f"With {100 * chosen:g} % of the weights gone, test accuracy goes from {with_unit(before)} to {with_unit(after)}"
    text += f" ({signed(100 * change)} points)" if change is not None else ""
    text += f", with magnitude pruning to {with_unit(other)}" if other else ""
    return text + (f"; {decimal(ratio)} of the operations are left." if ratio is not None else ".")
