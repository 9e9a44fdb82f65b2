"""What a stage measured, in the one form that its files, the report and MLflow share.

A stage writes `metrics.json` (a `Record`) and `curves.csv`; MLflow's runs are made from these two files alone, so they can be made again
at any time (`snn5 track backfill`).
"""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snn5.errors import UserError
from snn5.files import read_json, write_json, write_text


@dataclass(kw_only=True)
class Run:
    """One training or evaluation: a seed, a trial or a variant.

    Attributes:
        params: what set it apart (seed, tau, strength ...), plain JSON values.
        metrics: final figures by their standard names (`test/acc`, `cost/synops` ...).
        curves: figures by step, name -> [(step, value), ...].
        details: anything else that JSON can hold (a Measurement, a confusion matrix); not sent to MLflow as metrics.
    """

    params: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class Record:
    """All runs of a stage and their summary (means over seeds, verdicts)."""

    summary: dict[str, float] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


def save(record: Record, folder: str | Path) -> None:
    """Write `metrics.json` and `curves.csv` into `folder`; equal records give equal bytes."""
    folder = Path(folder)
    runs = {name: {"params": r.params, "metrics": r.metrics, "details": r.details} for name, r in record.runs.items()}
    write_json(folder / "metrics.json", {"summary": record.summary, "runs": runs, "details": record.details})
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["run", "name", "step", "value"])
    for run, name, step, value in _points(record.runs):
        if not math.isfinite(value):
            raise ValueError(f"curve {name!r} of run {run!r} is {value} at step {step}; a figure that is not a number is no result")
        rows.writerow([run, name, step, repr(float(value))])
    write_text(folder / "curves.csv", text.getvalue())


def load(folder: str | Path) -> Record:
    """Read back what `save` wrote.

    Raises:
        UserError: a file is missing or is not a record.
    """
    folder = Path(folder)
    raw = read_json(folder / "metrics.json")
    try:
        runs = {name: Run(**entry) for name, entry in raw["runs"].items()}
        record = Record(summary=raw["summary"], runs=runs, details=raw.get("details", {}))
        with (folder / "curves.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                record.runs[row["run"]].curves.setdefault(row["name"], []).append((int(row["step"]), float(row["value"])))
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing; make it with `dvc repro`") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{folder} holds no record of a stage ({error!r}); delete it and run `dvc repro`") from error
    return record


def _points(runs: Mapping[str, Run]) -> list[tuple[str, str, int, float]]:
    return [(run, name, step, value) for run in sorted(runs) for name, points in sorted(runs[run].curves.items()) for step, value in points]
