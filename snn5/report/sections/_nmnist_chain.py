"""The recorded chain on N-MNIST (P4 to P6): each technique alone, and all of them together against four ANNs."""

from snn5.report._parts import Part, Table
from snn5.report._results import Results, Value
from snn5.report._text import decimal, fraction, percent

RIVALS = ("ann_dense", "ann_zero_skip", "qnn", "ann_pruned")
TWINS = {"ann": "dense twin", "qnn": "quantised twin", "ann_pruned": "pruned twin"}
CHAIN = ("ann", "qnn", "ann_pruned", "start", "sparse", "pruned", "quantised", "cutoff")


def label_of(name: str) -> str:
    """What a row of a chain is called."""
    return f"P6: {name}" if name in CHAIN[3:] else TWINS.get(name, name)


def share(ratio: float | None) -> str:
    """A ratio as a fraction, where there is one."""
    return "–" if ratio is None else fraction(ratio)


def chain(results: Results) -> list[Part]:
    """P4 to P6 on N-MNIST."""
    found = results.recorded.get("nmnist_chain")
    if not found:
        return []
    rows = []
    for name, entry in sorted(found["rows"].items(), key=lambda item: CHAIN.index(item[0]) if item[0] in CHAIN else len(CHAIN)):
        shown = [share(entry.get(f"cost/ratio_{rival}")) for rival in RIVALS]
        shown.append(" / ".join(share(entry.get(f"cost/memory_ratio_{rival}")) for rival in RIVALS))
        accuracy = [
            f"{100 * entry['pooled/acc']:.1f}",
            percent(Value(mean=entry["test/acc"], sd=entry["test/acc_sd"], seeds=len(entry["folds"]))),
        ]
        rows.append([label_of(name), *accuracy, decimal(entry["cost/steps_mean"], 2), *shown, str(entry["n"]), str(len(entry["folds"]))])
    columns = (
        *("network", "accuracy over all recordings, %", "over folds, %", "steps", "energy, of dense ANN", "of zero-skipping"),
        *("of quantised", "of pruned", "with memory, of the same four", "n", "folds"),
    )
    note = (
        f"Energy: arithmetic at 45 nm, integer beside the quantised twin, else FP32; with memory: plus traffic and neuron "
        f"updates, on both sides. Rows without P6 are one technique alone on the network as trained; pruning took "
        f"{max(found['prune_seconds']):.0f} s at most. Command: {found['command']}."
    )
    return [Table(title="Recorded: N-MNIST from training to cutoff, five folds", columns=columns, rows=rows, note=note)]
