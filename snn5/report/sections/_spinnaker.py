"""P5.3: networks in whole numbers on SpiNNaker without a board: parity, and the place that they need."""

from snn5.record import Run
from snn5.report._parts import Missing, Part, Table
from snn5.report._results import Results
from snn5.report._text import decimal, whole
from snn5.report.sections._not_ported import not_ported

STAGE, SLOTS = "p5_spinnaker", ("frames", "events")
NETWORKS = {"p1": "P1, rounded to 8 bits", "p6": "P6, all techniques"}
MISMATCH, AGREEMENT = 0.005, 0.99  # of spikes and labels in s16.15, what issue 6 asks for


def parts(results: Results) -> list[Part]:
    """Parity of every network, and its place on a board."""
    unported = not_ported(results, *(f"{STAGE}@{slot}" for slot in SLOTS))
    found = [
        (slot, title, runs)
        for slot in SLOTS
        for key, title in NETWORKS.items()
        if (runs := results.named(f"{STAGE}@{slot}", f"{key}-")) and all(run.metrics for run in runs)
    ]
    if not found:
        return unported or [Missing(title="SpiNNaker without a board", reason=f"{STAGE} has not run")]
    return [_parity(found), _place(found), *unported]


def _mean(runs: list[Run], name: str) -> float | None:
    values = [run.metrics[name] for run in runs if name in run.metrics]
    return sum(values) / len(values) if values else None


def _share(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else decimal(100 * value, digits)


def _parity(found: list[tuple[str, str, list[Run]]]) -> Table:
    rows = []
    for slot, title, runs in found:
        compared, wrong = (sum(run.metrics[f"nest/{key}"] for run in runs) for key in ("compared", "differences"))
        rows.append(
            [
                slot,
                title,
                *(_share(_mean(runs, name)) for name in ("float/test/acc", "test/acc", "nest/test/acc", "s1615/test/acc")),
                f"{whole(wrong)} of {whole(compared)}",
                _share(_mean(runs, "nest/rounded"), 3),
                _share(_mean(runs, "s1615/mismatch"), 3),
                _share(_mean(runs, "s1615/agreement")),
                _share(_mean(runs, "nir/spikingjelly_agreement")),
                str(runs[0].params["n_test"]),
                str(len(runs)),
            ]
        )
    return Table(
        title="SpiNNaker without a board: the same spikes?",
        columns=(
            "data",
            "network",
            "float, %",
            "integer, %",
            "NEST, %",
            "s16.15, %",
            "NEST differs from exact decay",
            "NEST against rounded decay, % of places",
            "s16.15 against integer, % of places",
            "same labels in s16.15, %",
            "same labels by SpikingJelly from NIR, %",
            "n",
            "seeds",
        ),
        rows=rows,
        left=2,
        note="First columns: test accuracy. A place is a neuron in a step of a sample, where a spike could be. NEST does not round "
        "potentials, the integer reference does, to 1/64 of a weight step; so NEST is held against the reference without rounding, spike "
        f"for spike, logits included. {_verdict(found)} s16.15 is our emulator of the chip's arithmetic; no chip was at hand.",
    )


def _verdict(found: list[tuple[str, str, list[Run]]]) -> str:
    """The claims of issue 6, over all networks."""
    runs = [run for _, _, group in found for run in group]
    exact = all(run.metrics["nest/differences"] == 0 and run.metrics["nest/agreement"] == 1 for run in runs)
    near = all(run.metrics["s1615/mismatch"] <= MISMATCH and run.metrics["s1615/agreement"] >= AGREEMENT for run in runs)
    return (
        f"The claims: every spike and every label on NEST {'met' if exact else 'missed'}; "
        f"at most {100 * MISMATCH:g} % of places and {100 * (1 - AGREEMENT):.0f} % of labels in s16.15 {'met' if near else 'missed'}."
    )


def _place(found: list[tuple[str, str, list[Run]]]) -> Table:
    rows = []
    for slot, title, runs in found:
        fits = _mean(runs, "board/fits") == 1
        names = ("neurons", "synapses", "cores", "chips", "keys", "routing_entries_max", "events_per_core")
        values = [_mean(runs, f"board/{name}") if fits else None for name in names]
        memory = [_mean(runs, f"board/{name}") if fits else None for name in ("sdram_bytes", "sdram_bytes_max")]
        numbers = ["–" if value is None else whole(value) for value in values]
        rows.append(
            [slot, title, *numbers, *("–" if value is None else decimal(value / 1e6, 1) for value in memory), "yes" if fits else "no"]
        )
    return Table(
        title="SpiNNaker without a board: its place on one 48-chip board",
        columns=(
            "data",
            "network",
            "neurons",
            "synapses",
            "cores of 768",
            "chips of 48",
            "routing keys",
            "routing entries of the fullest chip (of 1023)",
            "synaptic events a core in a step",
            "memory, MB",
            "fullest chip (of 123), MB",
            "fits",
        ),
        rows=rows,
        left=2,
        note="From sPyNNaker's own files after mapping onto a virtual board, convolutions as lists of single synapses; sources included. "
        "A core is built for 10 000 events in a step of 1 ms; the busiest population's mean is shown.",
    )
