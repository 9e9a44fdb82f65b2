"""Accuracy against energy: every network of P1, its twin, and P6's steps."""

from itertools import pairwise

from matplotlib.axes import Axes

from snn5.record import Run
from snn5.report._parts import Drawing
from snn5.report._results import Results, Value, measurement
from snn5.report._style import ACCENT, GREY, INK, PALE, canvas, log_ticks
from snn5.report._text import decimal
from snn5.report.sections.p6 import STAGES, STEPS, dense_energy

STAGE, SLOTS, FAMILIES = "p7_benchmark", ("frames", "events"), ("sew_resnet", "ann_twin")
CHAIN = {step: label.partition(" (")[0] for step, label in STEPS.items()}


def drawing(results: Results) -> Drawing:
    """One panel per data set, P6's steps in it."""
    figure, axes = canvas(3.7, 2, share=True)
    steps = 0
    for ax, slot in zip(axes, SLOTS, strict=True):
        snn, ann = (results.named(STAGE, f"{family}-{slot}-") for family in FAMILIES)
        means = [_cloud(ax, snn, ACCENT, "o", "SNN of P1"), _cloud(ax, ann, GREY, "s", "ANN twin, zeros skipped")]
        dense, accuracy = dense_energy(results, f"ann_twin-{slot}-", STAGE), results.value(STAGE, "test/acc", f"ann_twin-{slot}/")
        if dense and accuracy:
            x, y = dense.mean / 1000, 100 * accuracy.mean
            means.append((x, y))
            ax.plot(x, y, "s", color=GREY, markerfacecolor="white", markersize=7.5, label="ANN twin, dense")
        chain = _chain(ax, results, STAGES[slot])
        means, steps = [*means, *chain], steps + len(chain)
        energies = [mean[0] for mean in means if mean]
        if energies:
            log_ticks(ax, min(energies), max(energies))
        ax.set(title=f"accuracy against energy, {slot}", xlabel="arithmetic energy per sample, nJ")
        ax.margins(y=0.12)
    axes[0].set_ylabel("test accuracy, %")
    handles = {text: handle for ax in axes for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return Drawing(
        name="energy",
        figure=figure,
        alt="Test accuracy against arithmetic energy of every network, one panel per data set, logarithmic energy axis",
        reading=_verdict(results, steps > 0),
    )


def _chain(axes: Axes, results: Results, stage: str) -> list[tuple[float, float]]:
    """P6's steps, joined by arrows; returns their means."""
    looks = zip(CHAIN, (PALE, "#86b4d0", "#5296bb", "#2f6f94", INK), strict=True)
    means = [_cloud(axes, results.named(stage, f"{step}-"), colour, "D", f"P6: {CHAIN[step]}") for step, colour in looks]
    found = [mean for mean in means if mean]
    for begin, end in pairwise(found):
        axes.annotate("", end, begin, arrowprops={"arrowstyle": "->", "color": INK, "shrinkA": 6, "shrinkB": 6, "linewidth": 0.9})
    return found


def _verdict(results: Results, chain: bool) -> str:
    text = "Left is cheaper, up is better; large marks are means with one standard deviation, small ones are seeds. "
    said = []
    for slot in SLOTS:
        snn, ann, snn_all, ann_all = (
            results.value(STAGE, f"cost/{kind}", f"{family}-{slot}/") for kind in ("energy_pj", "energy_memory_pj") for family in FAMILIES
        )
        if snn and ann:
            memory = f" ({decimal(snn_all.mean / ann_all.mean)} with memory traffic)" if snn_all and ann_all else ""
            said.append(f"on {slot} P1's SNN spends {decimal(snn.mean / ann.mean)} times the energy of a twin that skips zeros{memory}")
    text += f"{said[0][0].upper()}{'; '.join(said)[1:]}. " if said else ""
    return text + ("Diamonds are P6's steps." if chain else "P6's steps are not there yet.")


def _cloud(axes: Axes, runs: list[Run], colour: str, marker: str, label: str) -> tuple[float, float] | None:
    """Seeds small, their mean large with its spread; returns the mean."""
    points = [(m["energy_pj"]["fp32"] / 1000, 100 * m["accuracy"]) for m in map(measurement, runs) if m]
    if not points:
        return None
    axes.plot(*zip(*points, strict=True), marker, color=colour, markersize=2.6, alpha=0.7)
    x, y = (Value.of(values) for values in zip(*points, strict=True))
    axes.errorbar(x.mean, y.mean, xerr=x.sd, yerr=y.sd, color=colour, linewidth=1)
    axes.plot(x.mean, y.mean, marker, color=colour, markersize=7.5, label=label)
    return x.mean, y.mean
