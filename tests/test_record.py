"""metrics.json and curves.csv: round trip, equal bytes, and what is no record."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from snn5 import record
from snn5.errors import UserError
from snn5.record import Record, Run


def example() -> Record:
    return Record(
        summary={"test/acc": 0.1 + 0.2, "n_seeds": 2.0},
        runs={
            "seed1": Run(params={"seed": 1, "tau": 2.5}, metrics={"test/acc": 1 / 3}, curves={"train/loss": [(0, 2.0), (1, 1e-300)]}),
            "seed0": Run(
                metrics={"b": -0.0, "a": 1.0}, curves={"val/acc": [(3, 0.1)], 'a, "b"\nc': [(0, -1.5)]}, details={"tau": [1.0, None]}
            ),
        },
        details={"point": {"lr": 1e-3}, "text": "τ ≥ 1"},
    )


def test_round_trip(tmp_path: Path) -> None:
    record.save(example(), tmp_path)
    assert record.load(tmp_path) == example()


def test_every_float_comes_back_to_the_bit(tmp_path: Path) -> None:
    values = [0.1 + 0.2, 1e-320, 1 / 3, 2.0**-1074, 1.7976931348623157e308, 123456789.123456789]
    saved = Record(summary={str(i): v for i, v in enumerate(values)}, runs={"r": Run(curves={"c": list(enumerate(values))})})
    record.save(saved, tmp_path)
    found = record.load(tmp_path)
    assert list(found.summary.values()) == values and [v for _, v in found.runs["r"].curves["c"]] == values


def test_equal_records_give_equal_bytes_whatever_the_order_they_were_made_in(tmp_path: Path) -> None:
    other = example()
    other.runs = dict(sorted(other.runs.items()))
    other.summary = dict(reversed(other.summary.items()))
    for run in other.runs.values():
        run.metrics, run.curves = dict(reversed(run.metrics.items())), dict(reversed(run.curves.items()))
    assert list(other.runs) != list(example().runs)
    record.save(example(), tmp_path / "a")
    record.save(other, tmp_path / "b")
    for name in ("metrics.json", "curves.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_files_by_hand(tmp_path: Path) -> None:
    record.save(
        Record(summary={"x": 1.0}, runs={"r": Run(params={"seed": 0}, metrics={"m": 0.5}, curves={"c": [(0, 2), (1, 0.25)]})}), tmp_path
    )
    assert (tmp_path / "curves.csv").read_bytes() == b"run,name,step,value\nr,c,0,2.0\nr,c,1,0.25\n"
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "summary": {"x": 1.0},
        "runs": {"r": {"params": {"seed": 0}, "metrics": {"m": 0.5}, "details": {}}},
        "details": {},
    }


def test_runs_without_curves(tmp_path: Path) -> None:
    record.save(Record(runs={"r": Run()}), tmp_path)
    assert record.load(tmp_path) == Record(runs={"r": Run()})


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_figure_that_is_no_number_is_no_result(tmp_path: Path, bad: float) -> None:
    for broken in (Record(summary={"x": bad}), Record(runs={"r": Run(metrics={"x": bad})}), Record(details={"x": [bad]})):
        with pytest.raises(ValueError, match="not JSON compliant"):
            record.save(broken, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_point_that_is_no_number_is_no_result(tmp_path: Path, bad: float) -> None:
    with pytest.raises(ValueError, match="not"):
        record.save(Record(runs={"r": Run(curves={"c": [(0, bad)]})}), tmp_path)


def _text(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "metrics.json").unlink(), r"metrics\.json is missing; make it with `dvc repro`"),
        (lambda folder: (folder / "curves.csv").unlink(), r"curves\.csv is missing; make it with `dvc repro`"),
        (_text("metrics.json", '{"summary": {'), r"metrics\.json is not valid JSON .* delete it"),
        (_text("metrics.json", '{"summary": {}}'), r"holds no record of a stage \(KeyError\('runs'\)\); delete it and run `dvc repro`"),
        (_text("metrics.json", '{"runs": {}}'), r"holds no record of a stage \(KeyError\('summary'\)"),
        (_text("metrics.json", '{"summary": {}, "runs": {"r": {"speed": 1}}}'), "holds no record of a stage"),
        (_text("metrics.json", '{"summary": {}, "runs": {"r": 3}}'), "holds no record of a stage"),
        (_text("metrics.json", "[]"), "holds no record of a stage"),
        (_text("metrics.json", '{"summary": {}, "runs": []}'), "holds no record of a stage"),
        (_text("curves.csv", "run,name,step,value\nghost,c,0,1.0\n"), r"holds no record of a stage \(KeyError\('ghost'\)"),
        (_text("curves.csv", "run,name,step,value\nseed0,c,zero,1.0\n"), "holds no record of a stage"),
        (_text("curves.csv", "run,name,step,value\nseed0,c\n"), "holds no record of a stage"),
        (_text("curves.csv", "a,b\n1,2\n"), "holds no record of a stage"),
    ],
)
def test_what_is_no_record(tmp_path: Path, spoil: Callable[[Path], object], said: str) -> None:
    record.save(example(), tmp_path)
    spoil(tmp_path)
    with pytest.raises(UserError, match=said):
        record.load(tmp_path)
