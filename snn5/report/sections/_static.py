"""P1, recorded: a spiking network for CIFAR-10 on two CPU cores. Accuracy, accuracy against minutes, and what travels on its wires."""

from collections.abc import Mapping
from itertools import cycle, pairwise
from typing import Any

from snn5.report._parts import Drawing, Part, Table
from snn5.report._results import Results, Value
from snn5.report._style import ACCENT, GREY, canvas
from snn5.report._text import decimal, fraction, seeds, spread, whole

Profiles = Mapping[str, Mapping[str, Any]]
KINDS = {"binary": "spikes", "integer": "counts", "float": "real numbers"}


def parts(results: Results) -> list[Part]:
    """Nothing where the experiment has no results."""
    found = results.recorded.get("cifar10")
    if not found:
        return []
    profiles: Profiles = found["profiles"]
    wires = [_wires(name, entry) for name, entry in profiles.items()]
    return [_table(profiles, found["command"]), _curve(profiles), *wires, *compressed(results)]


def compressed(results: Results) -> list[Part]:
    """What is left of accuracy and cost after quantisation, pruning and an early exit, without further training."""
    found = results.recorded.get("cifar10_compressed")
    if not found:
        return []
    rows = [
        [
            f"{profile}: {name.replace('_', ' ')}",
            _points(one["accuracy"]),
            decimal(one["steps_mean"], 2),
            whole(one["params_nnz"]),
            whole(one["packed_bytes"] / 1000),
            decimal(one["effective_acs"] / 1e6, 1),
            decimal(one["energy_pj"]["fp32"] / 1e6, 1),
            decimal(one["energy_pj"]["int"] / 1e6, 2),
            *_shares(one),
            whole(one["n"]),
            str(len(entry["seeds"])),
        ]
        for profile, entry in found["profiles"].items()
        for name, one in entry["variants"].items()
    ]
    columns = (
        *("network", "test accuracy, %", "mean steps", "non-zero parameters", "kilobytes", "SynOps, millions"),
        *("energy, FP32, µJ", "energy, integer, µJ", "of the dense twin, FP32", "of the zero-skipping twin", "n", "seeds"),
    )
    note = f"Nothing is trained after the start. The exits' epsilon is chosen on validation. Command: {found['command']}."
    return [Table(title="Recorded: CIFAR-10, compressed", columns=columns, rows=rows, note=note)]


def chosen(profiles: Profiles) -> tuple[str, Mapping[str, Any]]:
    """The profile with the highest accuracy on validation: the test images choose nothing."""
    return max(profiles.items(), key=lambda item: item[1]["val"]["chosen"][str(item[1]["T"])])


def _table(profiles: Profiles, command: str) -> Table:
    rows = []
    for name, entry in profiles.items():
        T, operations = str(entry["T"]), entry["operations"]
        by_steps = [_points(entry["test"]["chosen"][steps]) for steps in sorted(entry["test"]["chosen"], key=int)]
        rates = operations["rates"].values()
        rows.append(
            [
                f"{name} ({entry['settings']['train']['model']})",
                T,
                _points(entry["val"]["chosen"][T]),
                " / ".join(by_steps),
                _points(entry["test"]["last"][T]),
                _points(entry["test_flip"]["chosen"][T]),
                decimal(entry["wall_min"], 0),
                decimal(entry["cpu_min"], 0),
                decimal(sum(rates) / len(rates), 2),
                decimal(operations["synops"] / 1e6, 1),
                " / ".join(fraction(1 / operations["ratio_ann_dense"][kind]) for kind in ("fp32", "int", "memory")),
                whole(entry["n"]["test"]),
                str(len(entry["seeds"])),
            ]
        )
    steps = " / ".join(sorted(next(iter(profiles.values()))["test"]["chosen"], key=int))
    columns = (
        *("profile", "T", "validation, %", f"test at T = {steps}, %", "last epoch, %", "with test-time flip, %"),
        *("minutes", "of processors", "spike rate", "SynOps, millions", "energy over the dense ANN's", "n", "seeds"),
    )
    note = (
        "Epoch and T are chosen on validation (5 % of the training images); the test images were read once. No test-time augmentation, "
        "but for the column that says so. Energy: FP32 arithmetic / integer arithmetic / with memory, over the dense multiplications of "
        f"the same network with ReLU, whatever its weights. Command: {command}."
    )
    if guides := {name: epochs for name, entry in profiles.items() if (epochs := entry["settings"].get("guide", {}).get("epochs"))}:
        own = {name: f", itself {_points(twin['accuracy'])} %" if (twin := profiles[name].get("twin")) else "" for name in guides}
        said = ", ".join(f"{name} ({epochs} epochs{own[name]})" for name, epochs in guides.items())
        note += f" Within the minutes, the ReLU twin was trained first; the network began with its weights and heard its answers: {said}."
    note += "".join(f" {name} with {_over_seeds(entry)}" for name, entry in profiles.items() if entry.get("others"))
    return Table(title="Recorded: CIFAR-10 in minutes", columns=columns, rows=rows, note=note)


def _over_seeds(entry: Mapping[str, Any]) -> str:
    """What one recipe reached with all its seeds."""
    runs, T = [entry, *entry["others"].values()], str(entry["T"])
    plain, flipped = (Value.of(run[key]["chosen"][T] for run in runs) for key in ("test", "test_flip"))
    minutes = [run["cpu_min"] / 2 for run in runs]
    return (
        f"{seeds(len(runs))}: {spread(plain, scale=100)} % at T = {T}, {spread(flipped, scale=100)} % with test-time flip, after "
        f"{min(minutes):.0f} to {max(minutes):.0f} minutes of two cores' time; the row is seed {entry['seeds'][0]}."
    )


def _curve(profiles: Profiles) -> Drawing:
    figure, [axes] = canvas(2.8)
    best, styles = chosen(profiles)[0], cycle(("--", ":", "-."))
    for name, entry in profiles.items():
        points = entry["curve"]
        x, y = [point["cpu_min"] / 2 for point in points], [100 * point["val"] for point in points]
        style, color = ("-", ACCENT) if name == best else (next(styles), GREY)
        axes.plot(x, y, style, marker="o", markersize=3, color=color, label=name)
        for before, after in pairwise(points):
            if name == best and (before["T"], before.get("who")) != (after["T"], after.get("who")):
                axes.axvline(before["cpu_min"] / 2, color=GREY, linewidth=0.8, linestyle=":")
                text = f"T = {after['T']}" if before.get("who") == after.get("who") else "the network, from its twin"
                axes.annotate(text, (before["cpu_min"] / 2, 1), xycoords=("data", "axes fraction"), va="bottom", fontsize=8)
    axes.set_xlabel("minutes of processor time / 2 (minutes on two free cores)")
    axes.set_ylabel("validation accuracy, %")
    axes.legend(loc="lower right")
    name, entry = chosen(profiles)
    last = entry["curve"][-1]
    reading = (
        f"{name} ends at {100 * last['val']:.1f} % on validation after {last['cpu_min'] / 2:.0f} minutes of two cores' time "
        f"({last['wall_min']:.0f} by the clock, on a machine shared with other programs)."
    )
    alt = "Validation accuracy on CIFAR-10 over training time; vertical lines where the best profile's steps or network change"
    return Drawing(name="cifar10", figure=figure, alt=alt, reading=reading)


def _wires(name: str, entry: Mapping[str, Any]) -> Table:
    operations = entry["operations"]
    rows = [
        [layer, KINDS[part["input"]], decimal(part["dense"] / 1e6, 2), decimal(part["macs"] / 1e6, 2), decimal(part["acs"] / 1e6, 2)]
        for layer, part in operations["layers"].items()
    ]
    return Table(
        title=f"What travels on the wires of {name} (G4)",
        columns=("layer", "its input", "dense, millions", "multiplications, millions", "additions, millions"),
        rows=rows,
        left=2,
        note=f"Per image at T = {operations['T']}, mean over {operations['n']} test images; the stem is paid for once.",
    )


def _shares(measured: Mapping[str, Any]) -> list[str]:
    """Its FP32 energy over that of the trained twin: all products, those that are not zero."""
    ratios = [(measured.get("ratios") or {}).get(rival) for rival in ("ann_dense", "ann_zero_skip")]
    return ["–" if ratio is None else fraction(ratio["fp32"]) for ratio in ratios]


def _points(value: float) -> str:
    return f"{100 * value:.2f}"
