"""P6: what each technique brings, and the verdict on energy."""

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results, Value, measurement
from snn5.report._style import ACCENT, GREY, INK, PALE, canvas, log_ticks
from snn5.report._targets import memory_ratio
from snn5.report._text import decimal, fraction, percent, spread
from snn5.report.sections import _cifar10_chain
from snn5.report.sections._nmnist_chain import chain

STAGES = {slot: f"p6_integrate@{slot}" for slot in ("frames", "events")}
STEPS = {
    "start": "trained (P3, P1)",
    "sparse": "+ sparsity (P4.1)",
    "pruned": "+ pruning (P4.3)",
    "quantised": "+ quantisation (P4.2)",
    "cutoff": "+ early exit (P5.1)",
}
ANNS = {"ann": "ANN twin, zeros skipped", "qnn": "ANN twin, quantised", "ann_pruned": "ANN twin, pruned"}
RIVALS = {
    "ann_dense": "twin, dense",
    "ann_zero_skip": "twin, zeros skipped",
    "qnn": "twin, quantised alike",
    "ann_pruned": "twin, pruned alike",
}


def parts(results: Results) -> list[Part]:
    """For each slot: the table of steps, the rivals, and the energies against the target."""
    made: list[Part] = []
    for slot, stage in STAGES.items():
        if results.get(stage) is None:
            made.append(Missing(title=f"All techniques on one network, {slot}", reason=f"{stage} has not run"))
        else:
            made += [_table(results, slot, stage), _against(results, slot, stage), _figure(results, slot, stage)]
    return [*made, *chain(results), *_cifar10_chain.parts(results)]


def _table(results: Results, slot: str, stage: str) -> Table:
    rows = []
    for step, label in (ANNS | STEPS).items():
        accuracy, steps, synops, energy = (
            results.value(stage, n, f"{step}/") for n in ("test/acc", "cost/steps_mean", "cost/synops", "cost/energy_pj")
        )
        size, stored = (results.value(stage, f"model/{n}", f"{step}/") for n in ("params_nnz", "bytes"))
        dense, skip = (results.value(stage, f"cost/ratio_ann_{rival}", f"{step}/") for rival in ("dense", "zero_skip"))
        memory = memory_ratio(results, stage, step)
        rows.append(
            [
                label,
                percent(accuracy) if accuracy else "–",
                spread(steps) if steps else "–",
                spread(synops, 1, 1e-3) if synops else "–",
                spread(energy, 1, 1e-3) if energy else "–",
                spread(size, 1, 1e-3) if size else "–",
                spread(stored, 1, 1e-3) if stored else "–",
                *("–" if ratio is None else fraction(ratio.mean) for ratio in (dense, skip, memory)),
                str(results.samples(stage) or ""),
                str(accuracy.seeds if accuracy else ""),
            ]
        )
    return Table(
        title=f"Step by step, {slot}",
        columns=(
            "network",
            "test accuracy, %",
            "mean steps",
            "SynOps, thousands",
            "energy, nJ",
            "non-zero parameters, thousands",
            "stored, kB",
            "of dense ANN",
            "of zero-skipping ANN",
            "with memory, of dense ANN",
            "n",
            "seeds",
        ),
        rows=rows,
        note=f"{_chosen(results, stage)}{_fewer(results, stage)} Energy is FP32 arithmetic; with memory: plus traffic and neuron updates, "
        "on both sides.",
    )


def _fewer(results: Results, stage: str) -> str:
    """From where on the network takes fewer steps."""
    before, after = (results.value(stage, "cost/steps_mean", f"{step}/") for step in ("start", "sparse"))
    if before is None or after is None or after.mean >= before.mean:
        return ""
    return (
        f" From '{STEPS['sparse']}' on the network takes {after.mean:g} steps instead of {before.mean:g}: what that saves is in that row."
    )


def _chosen(results: Results, stage: str) -> str:
    """What validation chose."""
    strength, sparsity, bits, epsilon = (results.number(stage, key) for key in ("strength", "sparsity", "bits", "epsilon"))
    if strength is None or sparsity is None or bits is None or epsilon is None:
        return ""
    made = f"strength {strength:g}, {100 * sparsity:g} % of the weights pruned, {bits:g} bits, ε = {epsilon:.2g} in the mean over networks"
    return f"Validation's choice within P6's limits: {made}."


def _against(results: Results, slot: str, stage: str) -> Table:
    """The final network against each ANN, at its own accuracy."""
    own = results.value(stage, "test/acc")
    rows = []
    for rival, label in RIVALS.items():
        found = [entry for run in results.named(stage, "cutoff-") if (entry := (measurement(run).get("ratios") or {}).get(rival))]
        kinds = [Value.of(entry[kind] for entry in found) for kind in ("accuracy", "fp32", "int", "memory")] if found else []
        figures = [percent(kinds[0]), *(fraction(kind.mean) for kind in kinds[1:])] if kinds else ["–"] * 4
        rows.append([label, *figures, str(results.samples(stage) or ""), str(len(found))])
    return Table(
        title=f"The final network against four ANNs, {slot}",
        columns=("ANN", "its test accuracy, %", "FP32 arithmetic", "integer arithmetic", "with memory", "n", "seeds"),
        rows=rows,
        note=f"The spiking network's energy as a share of the ANN's; its own accuracy: {percent(own) if own else '–'} %. All ANNs are "
        "trained; the quantised one has activations of as many bits as T steps have spike counts, the pruned one as many parameters.",
    )


def _figure(results: Results, slot: str, stage: str) -> Drawing:
    figure, (axes,) = canvas(3.4)
    shown: list[tuple[str, Value, str]] = []
    dense = dense_energy(results, "ann-", stage)
    if dense:
        shown.append(("ANN twin, dense", dense, GREY))
    for step, label in {"ann": ANNS["ann"], **STEPS}.items():
        value = results.value(stage, "cost/energy_pj", f"{step}/")
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
        title=f"arithmetic energy per sample, {slot}",
        xlabel="nJ, logarithmic",
        yticks=range(len(shown)),
        ylim=(-0.6, len(shown) - 0.2),
    )
    axes.set_yticklabels([label for label, _, _ in reversed(shown)], color=INK)
    goal = results.number(stage, "target/ratio")
    if dense and goal:
        limit = goal * dense.mean / 1000
        axes.axvline(limit, color=INK, linewidth=1, linestyle="--")
        axes.annotate(f" target: 1/{1 / goal:.0f} of dense = {decimal(limit, 1)} nJ", (limit, len(shown) - 0.25), va="top", fontsize=8)
        energies.append(limit)
    if energies:
        log_ticks(axes, min(energies), max(energies))
    axes.grid(axis="y", visible=False)
    return Drawing(
        name=f"integration_{slot}",
        figure=figure,
        alt=f"Energy per sample of the ANN and of the SNN after each technique, {slot}",
        reading=_reading(results, stage, goal),
    )


def _reading(results: Results, stage: str, goal: float | None) -> str:
    ratio = results.value(stage, "cost/ratio_ann_dense")
    if ratio is None:
        return "The energies of the steps."
    text = f"The final network spends {fraction(ratio.mean)} of the dense ANN's arithmetic energy"
    if goal is None:
        return text + "."
    if ratio.mean <= goal:
        return f"{text}, within the target's 1/{1 / goal:.0f}; whether the accuracies are equal is said on the card above."
    return f"{text}; the target asks for 1/{1 / goal:.0f}, {decimal(ratio.mean / goal, 1)} times less."


def dense_energy(results: Results, start: str, stage: str) -> Value | None:
    """The FP32 energy of the runs whose names begin with `start`, if no zero were skipped."""
    found = [measurement(run).get("dense_energy_pj", {}).get("fp32") for run in results.named(stage, start)]
    values = [float(v) for v in found if v is not None]
    return Value.of(values) if values else None
