"""P6: what each technique brings, and the verdict on energy."""

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results, Value, measurement
from snn5.report._style import ACCENT, GREY, INK, PALE, canvas, log_ticks
from snn5.report._targets import memory_ratio
from snn5.report._text import decimal, fraction, percent, spread

STAGE = "p6_integrate"
STEPS = {"ann": "ANN twin, zeros skipped", "tuned": "tuned (P3)", "sparse": "+ sparsity (P4.1)", "cutoff": "+ early exit (P5.1)"}


def parts(results: Results) -> list[Part]:
    """The table of steps, then their energies against the target."""
    if results.get(STAGE) is None:
        return [Missing(title="All techniques on one network", reason=f"{STAGE} has not run")]
    return [_table(results), _figure(results)]


def _table(results: Results) -> Table:
    rows = []
    for step, label in STEPS.items():
        accuracy, steps, synops, energy = (
            results.value(STAGE, n, f"{step}/") for n in ("test/acc", "cost/steps_mean", "cost/synops", "cost/energy_pj")
        )
        dense, skip = (results.value(STAGE, f"cost/ratio_ann_{rival}", f"{step}/") for rival in ("dense", "zero_skip"))
        memory = memory_ratio(results, step)
        rows.append(
            [
                label,
                percent(accuracy) if accuracy else "–",
                spread(steps) if steps else "–",
                spread(synops, 1, 1e-3) if synops else "–",
                spread(energy, 1, 1e-3) if energy else "–",
                *("–" if ratio is None else fraction(ratio.mean) for ratio in (dense, skip, memory)),
                str(results.samples(STAGE) or ""),
                str(accuracy.seeds if accuracy else ""),
            ]
        )
    return Table(
        title="Step by step",
        columns=(
            "network",
            "test accuracy, %",
            "mean steps",
            "SynOps, thousands",
            "energy, nJ",
            "of dense ANN",
            "of zero-skipping ANN",
            "with memory, of dense ANN",
            "n",
            "seeds",
        ),
        rows=rows,
        note="Energy is that of FP32 arithmetic; the column with memory adds memory traffic and neuron updates on both sides.",
    )


def _figure(results: Results) -> Drawing:
    figure, (axes,) = canvas(2.6)
    shown: list[tuple[str, Value, str]] = []
    dense = dense_energy(results, "ann-")
    if dense:
        shown.append(("ANN twin, dense", dense, GREY))
    for step, label in STEPS.items():
        value = results.value(STAGE, "cost/energy_pj", f"{step}/")
        if value:
            shown.append((label, value, {"ann": GREY, "cutoff": ACCENT}.get(step, PALE)))
    energies = [value.mean / 1000 for _, value, _ in shown]
    for place, (_, value, colour) in enumerate(reversed(shown)):
        x = value.mean / 1000
        axes.plot([x], [place], "o", color=colour, markersize=8)
        axes.errorbar(x, place, xerr=value.sd / 1000, color=INK, linewidth=1)
        axes.annotate(f"{decimal(x, 1)} nJ", (x, place), xytext=(0, 8), textcoords="offset points", ha="center", fontsize=8)
    axes.set(
        xscale="log",
        title="arithmetic energy per sample",
        xlabel="nJ, logarithmic",
        yticks=range(len(shown)),
        ylim=(-0.6, len(shown) - 0.2),
    )
    axes.set_yticklabels([label for label, _, _ in reversed(shown)], color=INK)
    goal = results.number(STAGE, "target/ratio")
    if dense and goal:
        limit = goal * dense.mean / 1000
        axes.axvline(limit, color=INK, linewidth=1, linestyle="--")
        axes.annotate(f" target: 1/{1 / goal:.0f} of dense = {decimal(limit, 1)} nJ", (limit, len(shown) - 0.25), va="top", fontsize=8)
        energies.append(limit)
    if energies:
        log_ticks(axes, min(energies), max(energies))
    axes.grid(axis="y", visible=False)
    return Drawing(
        name="integration",
        figure=figure,
        alt="Energy per sample of the ANN and of the SNN after each technique",
        reading=_reading(results, goal),
    )


def _reading(results: Results, goal: float | None) -> str:
    ratio = results.value(STAGE, "cost/ratio_ann_dense")
    if ratio is None:
        return "The energies of the steps."
    text = f"The final network spends {fraction(ratio.mean)} of the dense ANN's arithmetic energy"
    if goal is None:
        return text + "."
    if ratio.mean <= goal:
        return f"{text}, within the target's 1/{1 / goal:.0f}; whether the accuracies are equal is said on the card above."
    return f"{text}; the target asks for 1/{1 / goal:.0f}, {decimal(ratio.mean / goal, 1)} times less."


def dense_energy(results: Results, start: str, stage: str = STAGE) -> Value | None:
    """The FP32 energy of the runs whose names begin with `start`, if no zero were skipped."""
    found = [measurement(run).get("dense_energy_pj", {}).get("fp32") for run in results.named(stage, start)]
    values = [float(v) for v in found if v is not None]
    return Value.of(values) if values else None
