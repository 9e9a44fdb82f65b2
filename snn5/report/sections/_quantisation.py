"""P4.2: accuracy against the width of the weights, trained for it and only rounded."""

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results
from snn5.report._style import ACCENT, GREY, INK, canvas
from snn5.report._text import decimal, percent, signed, spread, with_unit

STAGE, ACCURACY = "p4_quantize", "test/acc"
METHODS = {"qat": "trained (QAT)", "rtn": "rounded", "mint": "trained, integer potentials"}


def parts(results: Results) -> list[Part]:
    """The table of widths and the figure."""
    if results.get(STAGE) is None:
        return [Missing(title="Quantisation-aware training", reason=f"{STAGE} has not run")]
    found = {(str(run.params["method"]), int(run.params["bits"])) for _, run in results.runs(STAGE)}
    return [_table(results, sorted(found, key=lambda v: (-v[1], v[0]))), _figure(results, sorted({b for m, b in found if m == "qat"}))]


def _table(results: Results, variants: list[tuple[str, int]]) -> Table:
    chosen = results.number(STAGE, "chosen_bits")
    rows = []
    for method, bits in variants:
        names = ("val/acc", ACCURACY, "compare/acc_loss", "model/bytes", "cost/synops")
        val, test, loss, size, synops = (results.value(STAGE, name, f"{method}{bits}/") for name in names)
        rows.append(
            [
                str(bits),
                METHODS.get(method, "float parent"),
                percent(val) if val else "–",
                percent(test) if test else "–",
                f"{signed(-100 * loss.mean)}\u202f±\u202f{decimal(100 * loss.sd, 1)}" if loss and method in METHODS else "–",
                spread(size, 1, 1e-3) if size else "–",
                spread(synops, 1, 1e-3) if synops else "–",
                str(results.samples(STAGE) or ""),
                str(test.seeds if test else ""),
            ]
        )
    return Table(
        title="Weights on fewer bits",
        columns=(
            "bits",
            "weights",
            "val accuracy, %",
            "test accuracy, %",
            "change to float, points",
            "packed size, kB",
            "SynOps, thousands",
            "n",
            "seeds",
        ),
        rows=rows,
        left=2,
        marked=next((i for i, (method, bits) in enumerate(variants) if method == "qat" and bits == chosen), None),
        note=(
            "Norms folded, a step per output channel; the first and the last layer keep 8 bits, biases 32, all of them in the size. "
            "Rounding takes each channel's least-squares step. Integer potentials share one power-of-two step with a layer's weights. "
            "Marked: the fewest bits within p4.max_accuracy_loss of float on validation."
        ),
    )


def _figure(results: Results, widths: list[int]) -> Drawing:
    figure, (axes,) = canvas(2.8)
    for method, colour, shift in (("rtn", GREY, 0.06), ("qat", ACCENT, -0.06)):
        found = [(place, results.value(STAGE, ACCURACY, f"{method}{bits}/")) for place, bits in enumerate(widths)]
        points = [(place + shift, 100 * value.mean, 100 * value.sd) for place, value in found if value]
        if points:
            x, y, sd = zip(*points, strict=True)
            axes.errorbar(x, y, yerr=sd, fmt="o-", color=colour, markersize=6, linewidth=1.2, label=METHODS[method])
    whole = results.value(STAGE, ACCURACY, "float32/")
    if whole:
        axes.axhline(100 * whole.mean, color=INK, linewidth=0.9, linestyle="--", label="float parent")
    axes.set_xticks(range(len(widths)), [str(bits) for bits in widths])
    axes.set(title="accuracy against the weights' width", xlabel="bits of a weight", ylabel="test accuracy, %")
    axes.legend(loc="lower right")
    fewest = widths[0] if widths else 0
    trained, rounded = (results.value(STAGE, ACCURACY, f"{method}{fewest}/") for method in ("qat", "rtn"))
    text = "Accuracy at each width."
    if trained and rounded and whole:
        text = f"On {fewest} bits training keeps {with_unit(trained)} of the float network's {with_unit(whole)}; "
        text += f"rounding alone leaves {with_unit(rounded)}."
    return Drawing(name="quantisation", figure=figure, alt="Test accuracy against bits per weight, trained and rounded", reading=text)
