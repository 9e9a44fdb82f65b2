"""The recorded chain on N-MNIST (P4 to P6): each technique alone, and all of them together against four ANNs."""

from snn5.report._parts import Part, Table
from snn5.report._results import Results, Value
from snn5.report._text import decimal, percent

CHAIN = ("ann", "qnn", "ann_pruned", "start", "sparse", "pruned", "quantised", "cutoff")


def chain(results: Results) -> list[Part]:
    """P4 to P6 on N-MNIST."""
    found = results.recorded.get("nmnist_chain")
    if not found:
        return []
    rows = []
    for name, entry in sorted(found["rows"].items(), key=lambda item: CHAIN.index(item[0]) if item[0] in CHAIN else len(CHAIN)):
        label = (
            f"P6: {name}"
            if name in CHAIN[3:]
            else {"ann": "dense twin", "qnn": "quantised twin", "ann_pruned": "pruned twin"}.get(name, name)
        )
        keys = (*(f"ratio_{key}" for key in ("ann_dense", "ann_zero_skip", "qnn", "ann_pruned")), "memory_ratio_ann_dense")
        ratios = [entry.get(f"cost/{key}") for key in keys]
        shown = [f"1/{1 / ratio:.0f}" if ratio else "–" for ratio in ratios]
        accuracy = [
            f"{100 * entry['pooled/acc']:.1f}",
            percent(Value(mean=entry["test/acc"], sd=entry["test/acc_sd"], seeds=len(entry["folds"]))),
        ]
        rows.append([label, *accuracy, decimal(entry["cost/steps_mean"], 2), *shown, str(entry["n"]), str(len(entry["folds"]))])
    columns = (
        *("network", "accuracy over all recordings, %", "over folds, %", "steps", "energy, of dense ANN", "of zero-skipping"),
        *("of quantised", "of pruned", "with memory, of dense ANN", "n", "folds"),
    )
    note = (
        f"Energy: arithmetic, FP32 at 45 nm; with memory: plus traffic and neuron updates, on both sides. Rows without P6 are one "
        f"technique alone on the network as trained; pruning took "
        f"{max(found['prune_seconds']):.0f} s at most. Command: {found['command']}."
    )
    return [Table(title="Recorded: N-MNIST from training to cutoff, five folds", columns=columns, rows=rows, note=note)]
