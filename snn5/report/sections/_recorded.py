"""Recorded experiments: too long for the default roadmap, or on data that it does not have; their files are in experiments/results."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from snn5.report._parts import Part, Table
from snn5.report._results import Results, Value
from snn5.report._text import decimal, percent, signed
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
        f"the last epoch, which nothing picked. {still(found['families'])}{_command(found)}"
    )
    return [Table(title="Recorded: N-MNIST, five folds", columns=columns, rows=rows, note=note)]


def still(families: Iterable[str]) -> str:
    """What `_still` at the end of a family's name means, where there is one."""
    return "Names in _still: the camera's saccades taken out of the recordings. " if any(f.endswith("_still") for f in families) else ""


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


_LIQUIDS = {
    "frozen": "liquid, frozen",
    "ip": "with intrinsic plasticity (IP)",
    "ip_stdp": "IP, STDP",
    "ip_stdp_istdp": "IP, STDP, inhibitory STDP",
    "gain0": "frozen, without recurrence",
}


def heidelberg(results: Results) -> list[Part]:
    """P8.1: the liquid on spoken digits of speakers that it has never heard."""
    found = results.recorded.get("heidelberg_lsm")
    if not found:
        return []
    data, counts = found["data"], found["counts"]
    n = str(data["n_test"])
    rows = []
    for name, entry in found["variants"].items():
        accuracies = (percent(_value(entry, key, entry["seeds"])) for key in ("test/acc", "val/acc", "test/acc_reversed"))
        gain = "–" if name == "frozen" else f"{signed(100 * entry['gain'])} ± {decimal(100 * entry['gain_ci95'], 1)}"
        costs = (decimal(entry["cost/spike_rate"], 3), decimal(1e-3 * entry["cost/synops"], 0))
        rows.append([_LIQUIDS.get(name, name), *accuracies, gain, *costs, n, str(len(entry["seeds"]))])
    for label, key in (("no liquid: input counts, whole window", ""), ("no liquid: input counts in the same bins", "_bins")):
        rows.append([label, *(decimal(100 * counts[f"{side}/acc{key}"], 1) for side in ("test", "val")), *["–"] * 4, n, "–"])
    held = " and ".join(str(speaker) for speaker in data["speakers"]["test"])
    columns = (
        "read-out of",
        "test accuracy, %",
        "validation, %",
        "played backwards, %",
        "gain, points",
        "rate",
        "SynOps, thousands",
        "n",
        "seeds",
    )
    note = (
        f"{data['n_train']} recordings of {len(data['speakers']['train'])} speakers to train, {n} of speakers {held} to test; own cochlea, "
        f"not SHD. Validation: {data['left_out']} training speakers left out at a time. ± of the gain: half of a 95 % interval, paired "
        f"seed by seed; other ±: sd over seeds, which draw the wiring. {_command(found)}"
    )
    return [Table(title="Recorded: the liquid on spoken digits, unseen speakers", columns=columns, rows=rows, note=note)]


def _value(entry: Mapping[str, Any], key: str, runs: Sequence[Any]) -> Value:
    return Value(mean=entry[key], sd=entry[f"{key}_sd"], seeds=len(runs))


def _command(found: Mapping[str, Any]) -> str:
    return f"Command: {found['command']}."
