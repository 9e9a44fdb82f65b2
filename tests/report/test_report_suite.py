"""The suite on the page, and its figures for programs."""

import json
from typing import Any

import report_records

from snn5.gates._published import figures as gated
from snn5.report import Results, build
from snn5.report._figures import figures
from snn5.report._parts import Drawing, Missing, Part, Table
from snn5.report._style import styled
from snn5.report.sections._suite import TITLE, label, parts


def made(results: Results | None = None) -> dict[str, Part]:
    with styled():
        found = parts(results or report_records.results())
    return {part.name if isinstance(part, Drawing) else part.title: part for part in found}


def cells(table: Part, first: str) -> dict[str, str]:
    assert isinstance(table, Table)
    row = next(row for row in table.rows if row[0] == first)
    return {head: text.replace("\u202f", " ") for head, text in zip(table.columns, row, strict=True)}


def test_the_table_has_every_network_and_those_without_a_checkpoint() -> None:
    table = made()[TITLE]
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == [
        *("SEW-ResNet (P1.1)", "its ReLU twin", "HsVT (P1.3): lstm", "all together (P6.1)"),
        *("PLIF (P2.1)", "GLIF (P2.2)", "rate code (P2.3)", "first spikes (P2.3)", "liquid (P8.1)", "local rules alone (P8.1)"),
    ]
    assert cells(table, "HsVT (P1.3): lstm") == {
        "network": "HsVT (P1.3): lstm",
        "data": "digits_events",
        "test accuracy, %": "90.0 ± 1.0",
        "SynOps, thousands": "9 000.0 ± 0.0",
        "spikes per neuron and step": "0.150 ± 0.000",
        "arithmetic, nJ": "9 000.0",
        "with memory, nJ": "81 000",
        "steps": "4.00",
        "parameters not 0": "500",
        "kB": "4.0",
        "time reversed, points": "−50.0 ± 0.0",
        "n": "450",
        "seeds": "3",
    }
    assert cells(table, "all together (P6.1)")["time reversed, points"] == "–"
    assert cells(table, "its ReLU twin")["spikes per neuron and step"] == "–"
    assert cells(table, "rate code (P2.3)")["n"] == "450" and cells(table, "rate code (P2.3)")["seeds"] == "10"


def test_the_liquids_reversal_is_paired_by_seed() -> None:
    results = report_records.results()
    for _, run in results.runs("p8_lsm", group="events"):
        run.metrics["test/acc_reversed"] = run.metrics["test/acc"] - 0.3
    assert cells(made(results)[TITLE], "liquid (P8.1)")["time reversed, points"] == "−30.0 ± 0.0"
    assert cells(made()[TITLE], "liquid (P8.1)")["time reversed, points"] == "–"


def test_the_figures_say_who_is_least_and_who_uses_time() -> None:
    found = made()
    suite, reversal = found["suite"], found["reversal"]
    assert isinstance(suite, Drawing) and isinstance(reversal, Drawing)
    assert "The fewest operations: all together (P6.1), digits; the least energy with memory: all together (P6.1), digits." in suite.reading
    assert "by −50.0 points (HsVT (P1.3): lstm) to 0.0 (its ReLU twin)" in reversal.reading
    assert len(reversal.figure.axes[0].patches) == 3  # frames have no order


def test_without_the_suite_n_mnist_stays() -> None:
    entry: dict[str, Any] = {
        "folds": [0.9, 0.92],
        "n": 100,
        "settings": {"model": "sew_resnet8"},
        "test/acc_last": 0.91,
        "test/acc_last_sd": 0.01,
    }
    entry |= {"cost/spike_rate": 0.15, "cost/spike_rate_sd": 0.0, "model/params": 1234.0}
    without = report_records.results(without="p7_suite")
    results = Results(without.records, {"nmnist_folds": {"families": {"sew_resnet": entry}, "data": {"time_steps": 3}}})
    found = made(results)
    assert isinstance(found[TITLE], Missing)
    table = found["The suite on N-MNIST, recorded"]
    assert isinstance(table, Table)
    assert table.columns == ("family", "network", "T", "accuracy, %", "spikes per neuron and step", "parameters", "n", "folds")
    assert table.note.endswith("Not recorded there: SynOps, arithmetic, with memory, kB, time reversed.")
    entry |= {"cost/synops": 5000.0, "cost/synops_sd": 0.0}
    assert "SynOps, thousands" in getattr(made(results)["The suite on N-MNIST, recorded"], "columns")  # noqa: B009
    entry |= {"suite_folds": 1, "test/reversal_change": -0.1, "test/reversal_change_sd": 0.0}
    table = made(results)["The suite on N-MNIST, recorded"]
    assert isinstance(table, Table) and "1 of the folds" in table.note
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (
        row["SynOps, thousands"] == "5.0" and row["time reversed, points"] == "−10.0" and row["accuracy, %"].endswith("1.0")
    )  # no spread from one fold


def test_labels_of_stages_that_are_not_known_are_their_names() -> None:
    assert label("p9_new/a") == "p9_new a" and label("p5_cutoff@frames") == "early exit (P5.1)"
    assert label("p1_contrast@dta/plain") == "MS-ResNet, DTA (P1.4): plain"


def test_figures_for_programs_are_what_the_gate_reads() -> None:
    raw = json.loads(figures(report_records.results()))
    entry = raw["networks"]["p1_contrast@hsvt/lstm"]
    assert entry["metrics"]["test/acc"] == [0.89, 0.9, 0.91] and entry["rates"]["stem_neuron"] == [0.1] * 3
    found = gated(raw)
    assert found["p1_contrast@hsvt/lstm/accuracy"].values == (400, 405, 410) and found["p1_contrast@hsvt/lstm/accuracy"].n == 450
    assert {m.kind for m in found.values()} == {"exact", "accuracy", "cost", "rate"}
    assert found["p6_integrate@frames/model/params"].values == (1000.0,)
    assert json.loads(build(report_records.results(without="p7_suite"))["figures.json"]) == {"networks": {}}
