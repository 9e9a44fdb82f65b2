"""Recorded experiments: too long for the default roadmap, or on data that it does not have; their files are in experiments/results."""

from collections.abc import Mapping, Sequence
from typing import Any

from snn5.report._parts import Part, Table
from snn5.report._results import Results, Value
from snn5.report._text import decimal, percent
from snn5.success import lower_bound


def depth(results: Results) -> list[Part]:
    """P1.1: SEW against the plain net as both grow."""
    found = results.recorded.get("depth")
    if not found:
        return []
    networks: Mapping[str, Mapping[str, Any]] = found["networks"]
    rows = []
    for name, entry in sorted(networks.items(), key=lambda item: (item[0].rstrip("0123456789"), item[1]["model/params"])):
        accuracies = (percent(_value(entry, f"test/{key}", entry["seeds"])) for key in ("acc", "acc_last"))
        rows.append([name, str(entry["settings"]["epochs"]), *accuracies, str(entry["n"]), str(len(entry["seeds"]))])
    columns = ("network", "epochs", "test accuracy, %", "last epoch, %", "n", "seeds")
    return [Table(title="Recorded: deeper and longer", columns=columns, rows=rows, note=_command(found))]


def nmnist(results: Results) -> list[Part]:
    """P1, P2: every family on N-MNIST."""
    found = results.recorded.get("nmnist_folds")
    if not found:
        return []
    data, rows = found["data"], []
    for name, entry in sorted(found["families"].items(), key=lambda item: -item[1]["pooled/acc_last"]):
        own, settings = _value(entry, "test/acc_last", entry["folds"]), entry["settings"]
        rates = _value(entry, "cost/spike_rate", entry["folds"])
        figures = [f"{100 * entry['pooled/acc_last']:.1f}", percent(own), decimal(rates.mean, 3), f"{entry['model/params']:.0f}"]
        rows.append([name, settings["model"], str(settings["epochs"]), *figures, str(entry["n"]), str(own.seeds)])
    columns = ("family", "network", "epochs", "accuracy over all recordings, %", "over folds, %", "spike rate", "parameters", "n", "folds")
    note = (
        f"{data['recordings']} recordings, T = {data['time_steps']}, each tested once by a network that never saw it; accuracy of "
        f"the last epoch, which nothing picked. {_command(found)}"
    )
    return [Table(title="Recorded: N-MNIST, five folds", columns=columns, rows=rows, note=note)]


def reproducibility(results: Results) -> list[Part]:
    """P8.4: enough seeds to prove 95 %."""
    found = results.recorded.get("reproducibility")
    if not found:
        return []
    rows = []
    for track, entry in found["tracks"].items():
        figures: Mapping[str, float] = entry["figures"]
        good, count = (int(figures[f"{track}/{key}"]) for key in ("r1/successes", "n_seeds"))
        value = Value(mean=figures[f"{track}/test/acc"], sd=figures[f"{track}/test/acc_sd"], seeds=count)
        rows.append(
            [
                {"bio": "liquid with a local rule", "sg": "trained by gradients"}.get(track, track),
                percent(value),
                f"{100 * figures[f'{track}/test/acc_min']:.1f}",
                f"{100 * figures[f'{track}/target']:.0f}",
                f"{good} of {count}",
                f"{100 * lower_bound(good, count):.1f}",
                decimal(figures[f"{track}/r2/steadiness"], 3),
                f"{100 * figures[f'{track}/r3/agreement']:.1f}",
                str(found["n_test"]),
                str(count),
            ]
        )
    columns = (
        *("network", "test accuracy, %", "lowest, %", "asked, %", "seeds that reach it (R1)", "proved rate, %", "1 − sd/mean (R2)"),
        *("agreement, % (R3)", "n", "seeds"),
    )
    return [Table(title="Recorded: as many seeds as prove 95 %", columns=columns, rows=rows, note=_command(found))]


def liquid(results: Results) -> list[Part]:
    """P8.1: the liquid on N-MNIST."""
    found = results.recorded.get("nmnist_lsm")
    if not found:
        return []
    rows = [
        [name, percent(_value(entry, "test/acc", entry["folds"])), str(entry["n"]), str(len(entry["folds"]))]
        for name, entry in found["variants"].items()
    ]
    return [
        Table(
            title="Recorded: the liquid on N-MNIST, five folds",
            columns=("liquid", "test accuracy, %", "n", "folds"),
            rows=rows,
            note=_command(found),
        )
    ]


def heidelberg(results: Results) -> list[Part]:
    """P7.2: spoken digits of unseen speakers."""
    found = results.recorded.get("heidelberg")
    if not found:
        return []
    data, chosen, judged = found["data"], found["chosen"], found["candidates"]
    accuracies = (percent(_value(chosen, f"test/{key}", chosen["seeds"])) for key in ("acc_last", "acc"))
    figures = [decimal(chosen["cost/spike_rate"], 3), f"{chosen['model/params']:.0f}", str(chosen["n"]), str(len(chosen["seeds"]))]
    rows = [[chosen["settings"]["model"], chosen["candidate"], str(data["time_steps"]), *accuracies, *figures]]
    trials = ", ".join(
        f"{name} {100 * own['val/acc_last']:.1f} %" for name, own in sorted(judged.items(), key=lambda item: -item[1]["val/acc_last"])
    )
    columns = ("network", "recipe", "T", "test accuracy of the last epoch, %", "of the epoch chosen on validation, %")
    note = (
        f"{data['recordings']} recordings as spikes of SNN5's cochlea (not SHD); both test speakers are unheard. The recipe was chosen on "
        f"training speakers held out, n = {max(own['n'] for own in judged.values())}, last epoch: {trials}. {_command(found)}"
    )
    return [
        Table(
            title="Recorded: Heidelberg Digits, unseen speakers",
            columns=(*columns, "spike rate", "parameters", "n", "seeds"),
            rows=rows,
            note=note,
        )
    ]


def _value(entry: Mapping[str, Any], key: str, runs: Sequence[Any]) -> Value:
    return Value(mean=entry[key], sd=entry[f"{key}_sd"], seeds=len(runs))


def _command(found: Mapping[str, Any]) -> str:
    return f"Command: {found['command']}."
