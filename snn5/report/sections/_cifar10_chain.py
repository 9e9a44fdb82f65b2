"""The recorded chain on CIFAR-10 (P4 to P6): every step and four ANNs, then whole numbers, the engine and the clock."""

from collections.abc import Mapping
from typing import Any

from snn5.report._parts import Part, Table
from snn5.report._results import Results
from snn5.report._text import decimal, whole
from snn5.report.sections._engine import clock
from snn5.report.sections._nmnist_chain import CHAIN, RIVALS, label_of, share


def parts(results: Results) -> list[Part]:
    """For each network that was taken through the chain: its rows, and its times; nothing where none was."""
    found = results.recorded.get("cifar10_chain")
    if not found:
        return []
    made: list[Part] = []
    for entry in found["runs"].values():
        made += [_rows(entry, found["command"]), _times(entry)]
    return made


def _rows(entry: Mapping[str, Any], command: str) -> Table:
    rows = []
    for name in CHAIN:
        own = entry["rows"][name]["metrics"]
        shown = [share(own.get(f"cost/ratio_{rival}")) for rival in RIVALS]
        shown.append(" / ".join(share(own.get(f"cost/memory_ratio_{rival}")) for rival in RIVALS))
        sizes = [whole(own["model/params_nnz"]), whole(own["model/bytes"] / 1000), decimal(own["cost/synops"] / 1e6, 2)]
        accuracy, steps = f"{100 * own['test/acc']:.2f}", decimal(own["cost/steps_mean"], 2)
        rows.append([label_of(name), accuracy, steps, *sizes, *shown, whole(entry["rows"][name]["n_test"])])
    columns = (
        *("network", "test accuracy, %", "steps", "non-zero parameters", "kilobytes", "operations, millions"),
        *("energy, of dense ANN", "of zero-skipping", "of quantised", "of pruned", "with memory, of the same four", "n"),
    )
    asked = entry["settings"]
    effort = asked["chain"]["frames"]
    note = (
        f"{entry['profile']}, seed {entry['seed']}, T = {asked['time_steps']}; the network and its twins have a stem of one convolution. "
        f"Epochs: {effort['epochs']} sparse, {effort['quantised_epochs']} on {asked['bits']} bits, {max(effort.values())} for each ANN "
        f"rival; {100 * asked['sparsity']:g} % of the weights pruned ({asked['chain']['prune_method']}); the network listens to its twin. "
        "Energy: arithmetic at 45 nm, integer beside the quantised twin, else FP32; with memory: plus traffic and neuron updates, on both "
        "sides. "
        f"Command: {command}."
    )
    return Table(title="Recorded: CIFAR-10 from sparsity to cutoff", columns=columns, rows=rows, note=note)


def _times(entry: Mapping[str, Any]) -> Table:
    own, parity = entry["engine"], entry["parity"]
    note = (
        f"In whole numbers, weights of {own['bits']} bits at most, with its early exit: {100 * own['test/acc']:.2f} % of {whole(own['n'])} "
        f"test images after {decimal(own['cost/steps_mean'], 2)} steps. Of the first {parity['n']} images {parity['differences']} of "
        f"{parity['compared'] / 1e6:.1f} million spikes and logits differ from the exact reference (the accuracy in the table is theirs)."
    )
    return clock(f"Recorded: the engine on {entry['profile']}, seed {entry['seed']}, after the chain", entry["times"], note)
