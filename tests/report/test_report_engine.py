"""The section of the event-driven engine: parity, loss, recorded times."""

import report_records

from snn5.report import Results
from snn5.report._parts import Missing, Table
from snn5.report.sections import _engine, _training_clock

ROW = {
    "name": "a",
    "baseline": "b",
    "unit": "ms",
    "theirs": 2.0,
    "ours": 0.5,
    "ratio": 4.0,
    "low": 3.0,
    "high": 5.0,
    "target": 5.0,
    "reached": False,
    "repeats": 30,
}
TIMES = {"infer": {"machine": {"cpu": "x86_64", "capability": "AVX512", "torch": "2.13", "numba": "0.68"}, "rows": [ROW]}}


def test_parity() -> None:
    (table,) = _engine.parts(report_records.results())
    assert isinstance(table, Table) and len(table.rows) == 4
    assert table.rows[1][:3] == ["frames", "P6, optimised", "0 of 3.0 million"]
    assert "largest mean loss 0.2" in table.note
    assert "is met" in table.note


def test_a_difference_or_a_loss_misses_the_claim() -> None:
    for changed in (report_records.engine(differences=1.0), report_records.engine(change=-0.006)):
        table = _engine.parts(report_records.results(p5_engine_frames=changed))[0]
        assert isinstance(table, Table) and "is missed" in table.note


def test_times_are_shown_where_they_were_recorded() -> None:
    missing, times = _engine.parts(Results({}, TIMES))
    assert isinstance(missing, Missing) and isinstance(times, Table)
    assert list(times.rows[0]) == ["a", "b", "2 ms", "0.5 ms", "4.00", "3.00 – 5.00", "5", "no"]
    assert "medians of 30 turns" in times.note and "snn5 bench infer" in times.note


def test_times_and_memory_of_training_are_shown_each_with_its_unit() -> None:
    machine = {**TIMES["infer"]["machine"], "threads": 2}
    found = {"machine": machine, "rows": [ROW, {**ROW, "unit": "MiB", "reached": True}]}
    (table,) = _training_clock.parts(Results({}, {"train": found}))
    assert isinstance(table, Table) and table.columns[2:4] == ("theirs", "ours")
    assert [list(row)[2:4] for row in table.rows] == [["2 ms", "0.5 ms"], ["2 MiB", "0.5 MiB"]]
    assert "2 threads; x86_64 with AVX512" in table.note and "snn5 bench train --json" in table.note
    assert _training_clock.parts(Results({})) == []
