"""P7.3's suite: every network of the pipeline in one table, two figures, and the families on N-MNIST."""

from collections.abc import Callable, Mapping
from typing import Any

from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._results import Results, Value
from snn5.report._style import ACCENT, GREY, INK, canvas
from snn5.report._text import THIN, decimal, percent, signed, spread, whole
from snn5.report.sections._recorded import still

STAGE, TITLE = "p7_suite", "The suite: every network by the same measures"
LABELS = {
    "p1_train@sew_resnet": "SEW-ResNet (P1.1)",
    "p1_train@ann_twin": "its ReLU twin",
    "p1_depth": "P1.1 by depth:",
    "p1_contrast@spikingformer": "Spikingformer (P1.2):",
    "p1_contrast@hsvt": "HsVT (P1.3):",
    "p1_contrast@dta": "MS-ResNet, DTA (P1.4):",
    "p1_contrast@staa": "ResNet-19, STAA (P1.4):",
    "p3_tune": "tuned (P3.1)",
    "p4_sparsify": "fewer spikes (P4.1)",
    "p4_quantize": "few bits (P4.2)",
    "p4_prune": "pruned (P4.3)",
    "p5_cutoff": "early exit (P5.1)",
    "p6_integrate": "all together (P6.1)",
}
# Networks without a checkpoint: (label, stage, prefix in its summary, slot).
OTHERS = (
    ("PLIF (P2.1)", "p2_neurons", "plif-tau2/", "frames"),
    ("GLIF (P2.2)", "p2_neurons", "glif/", "frames"),
    ("rate code (P2.3)", "p2_coding", "rate/", "frames"),
    ("first spikes (P2.3)", "p2_coding", "ttfs/", "frames"),
    ("liquid (P8.1)", "p8_lsm", "events/", "events"),
    ("local rules alone (P8.1)", "p8_local", "stdp/", "frames"),
)
Format = Callable[[Value], str]
COLUMNS: dict[str, tuple[str, Format]] = {  # metric -> head, and how it is written
    "test/acc": ("test accuracy, %", percent),
    "cost/synops": ("SynOps, thousands", lambda v: spread(v, 1, 1e-3)),
    "cost/spike_rate": ("spikes per neuron and step", lambda v: spread(v, 3)),
    "cost/energy_pj": ("arithmetic, nJ", lambda v: decimal(v.mean / 1000, 1)),
    "cost/energy_memory_pj": ("with memory, nJ", lambda v: decimal(v.mean / 1000, 0)),
    "cost/steps_mean": ("steps", lambda v: decimal(v.mean, 2)),
    "model/params_nnz": ("parameters not 0", lambda v: whole(v.mean)),
    "model/bytes": ("kB", lambda v: decimal(v.mean / 1000, 1)),
    "test/reversal_change": ("time reversed, points", lambda v: f"{signed(100 * v.mean)} ± {100 * v.sd:.1f}"),
}
RECORDED = {  # of the experiment on N-MNIST, in the suite's order
    "test/acc_last": ("accuracy, %", percent),
    **{key: column for key, column in COLUMNS.items() if key not in ("test/acc", "model/params_nnz", "cost/steps_mean")},
    "model/params": ("parameters", lambda v: whole(v.mean)),
}
EVERY_FOLD = ("test/acc_last", "cost/spike_rate", "model/params")


def parts(results: Results) -> list[Part]:
    """The table, the two figures, N-MNIST."""
    recorded = _nmnist(results)
    if results.get(STAGE) is None:
        return [Missing(title=TITLE, reason=f"{STAGE} has not run"), *recorded]
    return [_table(results), _dots(results), *_reversal(results), *recorded]


def networks(results: Results) -> list[str]:
    """The suite's rows, in the pipeline's order."""
    found = results.get(STAGE)
    return [] if found is None else [str(name) for name in found.details.get("networks", [])]


def label(network: str) -> str:
    """`p1_contrast@dta/plain` -> `MS-ResNet, DTA (P1.4): plain`."""
    stage, _, variant = network.partition("/")
    known = next((text for start, text in LABELS.items() if stage == start or stage.startswith((f"{start}-", f"{start}@"))), stage)
    return f"{known} {variant}".rstrip()


def _data(results: Results, network: str) -> str:
    runs = results.named(STAGE, f"{network}-seed")
    return str(runs[0].details.get("dataset", "")) if runs else ""


def _table(results: Results) -> Table:
    sources = [(label(name), STAGE, f"{name}/", f"{name}-seed", _data(results, name)) for name in networks(results)]
    sources += [(text, stage, prefix, "", results.dataset(slot)) for text, stage, prefix, slot in OTHERS]
    rows = []
    for text, stage, prefix, start, data in sources:
        values = [_value(results, stage, key, prefix) for key in COLUMNS]
        if values[0] is not None:
            cells = [write(v) if v is not None else "–" for v, (_, write) in zip(values, COLUMNS.values(), strict=True)]
            rows.append([text, data, *cells, str(results.samples(stage, start) or ""), str(values[0].seeds)])
    return Table(
        title=TITLE,
        columns=("network", "data", *(head for head, _ in COLUMNS.values()), "n", "seeds"),
        rows=rows,
        left=2,
        note="FP32 at 45 nm; weights of fewer bits calculate and lie in memory as integers in the column with memory. Time reversed: "
        "test accuracy with the steps of the events in reverse order minus accuracy; 0 means that their order is not used. "
        "Latency depends on the machine: `snn5 bench suite`.",
    )


def _value(results: Results, stage: str, key: str, prefix: str) -> Value | None:
    found = results.value(stage, key, prefix)
    if found is None and key == "test/reversal_change":  # the liquid's record has the accuracies, paired by seed
        runs = results.named(stage, prefix.rstrip("/") + "-seed")
        both = [
            (r.metrics["test/acc_reversed"], r.metrics["test/acc"]) for r in runs if {"test/acc_reversed", "test/acc"} <= set(r.metrics)
        ]
        return Value.of(after - before for after, before in both) if both and len(both) == len(runs) else None
    return found


def _dots(results: Results) -> Drawing:
    panels = {"test/acc": ("test accuracy, %", 100.0), "cost/synops": ("SynOps", 1.0), "cost/energy_memory_pj": ("with memory, nJ", 1e-3)}
    names = networks(results)
    figure, axes = canvas(0.9 + 0.21 * len(names), len(panels), share=True)
    for ax, (key, (head, scale)) in zip(axes, panels.items(), strict=True):
        for place, name in enumerate(names):
            value = results.value(STAGE, key, f"{name}/")
            if value is not None:
                colour = GREY if "ann_twin" in name else INK if name.startswith("p6") else ACCENT
                ax.errorbar(scale * value.mean, place, xerr=scale * value.sd, fmt="o", color=colour, markersize=4, linewidth=1)
        ax.set(title=head)
        if key != "test/acc":
            ax.set_xscale("log")
    axes[0].set_yticks(range(len(names)), [f"{label(name)}, {_data(results, name)}" for name in names])
    axes[0].invert_yaxis()
    best = {key: _least(results, names, key) for key in ("cost/synops", "cost/energy_memory_pj")}
    asked = (("cost/synops", "fewest operations"), ("cost/energy_memory_pj", "least energy with memory"))
    said = "; ".join(f"the {text}: {label(best[key])}, {_data(results, best[key])}" for key, text in asked if best[key])
    return Drawing(
        name="suite",
        figure=figure,
        alt="Test accuracy, operations and energy with memory of every network, one row each, means over seeds with one standard deviation",
        reading=f"Means over seeds with one standard deviation; grey: ReLU twins, black: P6. {said[:1].upper()}{said[1:]}.",
    )


def _least(results: Results, names: list[str], key: str) -> str:
    found = {name: v.mean for name in names if (v := results.value(STAGE, key, f"{name}/")) is not None}
    return min(found, key=lambda name: found[name]) if found else ""


def _reversal(results: Results) -> list[Part]:
    changes = {name: v for name in networks(results) if (v := results.value(STAGE, "test/reversal_change", f"{name}/")) is not None}
    if not changes:
        return []
    figure, (ax,) = canvas(0.8 + 0.24 * len(changes))
    for place, (name, value) in enumerate(changes.items()):
        ax.barh(place, 100 * value.mean, xerr=100 * value.sd, color=GREY if "ann_twin" in name else ACCENT, height=0.6)
    ax.set_yticks(range(len(changes)), [label(name) for name in changes])
    ax.invert_yaxis()
    ax.set(title="test accuracy with time reversed", xlabel="change, points")
    most, least = (pick(changes, key=lambda name: changes[name].mean) for pick in (min, max))
    text = (
        f"Events played backwards change test accuracy by {signed(100 * changes[most].mean)} points ({label(most)}) to "
        f"{signed(100 * changes[least].mean)} ({label(least)}). A network near 0 counts events and does not use their order; "
        "one with an early exit also answers after other events."
    )
    alt = "Change of test accuracy when the event frames come in reverse order, one bar per network"
    return [Drawing(name="reversal", figure=figure, alt=alt, reading=text)]


def _nmnist(results: Results) -> list[Part]:
    found: Mapping[str, Any] = results.recorded.get("nmnist_folds") or {}
    if not found:
        return []
    families: Mapping[str, Mapping[str, Any]] = found["families"]
    there = {key: column for key, column in RECORDED.items() if any(key in entry for entry in families.values())}
    missing = [head.partition(",")[0] for key, (head, _) in RECORDED.items() if key not in there]
    rows = []
    for name, entry in sorted(families.items()):
        count = entry.get("suite_folds", len(entry["folds"]))  # those with operations and energy, which may be one
        cells = []
        for key, (_, write) in there.items():
            text = write(Value(mean=entry[key], sd=entry.get(f"{key}_sd", 0.0), seeds=1)) if key in entry else "–"
            cells.append(text if key in EVERY_FOLD or count > 1 else text.partition("±")[0].rstrip(f" {THIN}"))
        rows.append([name, entry["settings"]["model"], str(found["data"]["time_steps"]), *cells, str(entry["n"]), str(len(entry["folds"]))])
    note = f"{still(families)}Mean and standard deviation over folds, accuracy of the last epoch."
    if few := {entry["suite_folds"] for entry in families.values() if "suite_folds" in entry}:
        note += f" Operations, energy, bytes and time reversed: of the network at validation's epoch, {max(few)} of the folds."
    if missing:
        note += f" Not recorded there: {', '.join(missing)}."
    columns = ("family", "network", "T", *(head for head, _ in there.values()), "n", "folds")
    return [Table(title="The suite on N-MNIST, recorded", columns=columns, rows=rows, left=2, note=note)]
