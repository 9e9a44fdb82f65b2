"""`snn5 gate`: what it prints and what it exits with."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from snn5 import gates
from snn5.cli import app
from snn5.gates import Baseline, Metric, Outcome
from snn5.gates._baseline import load, move, save

FIRST = {"net/macs": Metric(kind="exact", values=(5.0,)), "net/accuracy": Metric(kind="accuracy", values=(400.0,), n=450)}
BETTER = FIRST | {"net/accuracy": Metric(kind="accuracy", values=(440.0,), n=450)}
WORSE = BETTER | {"net/macs": Metric(kind="exact", values=(6.0,))}


def snn5(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["gate", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Metric]:
    """A checkout whose gates measure what stands in the answer."""
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    figures = dict(FIRST)
    for name, gate in list(gates.GATES.items()):
        monkeypatch.setitem(gates.GATES, name, replace(gate, measure=lambda root: dict(figures), sources=lambda root: {"a.py": "0" * 32}))
        held = move(Baseline(), FIRST, pattern="*", reason="the first of all figures", provenance={})
        save(held, tmp_path / gates.FOLDER / gate.file)
    return figures


def test_check_passes_and_points_out_what_is_better(found: dict[str, Metric]) -> None:
    assert snn5("check")[:2] == (0, "networks: holds, 2 figures\nroadmap: holds, 2 figures\n")
    found |= BETTER
    status, text, _ = snn5("check", "networks")
    assert status == 0 and "net/accuracy is 97.78 % (440 of 450 each), better than 88.89 %" in text


def test_check_fails_with_every_gate_that_does(found: dict[str, Metric]) -> None:
    found |= WORSE
    status, text, error = snn5("check")
    assert (status, text) == (1, "")
    assert error.count("net/macs is 6: must stay 5") == 2 and "snn5 gate move roadmap METRIC --reason" in error
    del found["net/macs"]
    assert "net/macs is missing; the baseline has 5" in snn5("check", "roadmap")[2]
    assert snn5("check", "network")[0] == 1


def test_move_writes_down_what_and_why(found: dict[str, Metric], tmp_path: Path) -> None:
    found |= WORSE
    assert snn5("move", "networks", "net/macs")[0] == 2  # no reason
    assert snn5("move", "networks", "net/macs", "--reason", "x")[0] == 1
    status, text, _ = snn5("move", "networks", "net/macs", "--reason", "the stem has one more tap")
    assert (status, text) == (0, "1 metrics moved in docs/baselines/networks.json; look at `git diff`, then commit it\n")
    last = load(tmp_path / "docs/baselines/networks.json").moves[-1]
    assert last["reason"] == "the stem has one more tap" and last["changed"] == {"net/macs": {"old": [5.0], "new": [6.0]}}
    assert last["sources"] == {"a.py": "0" * 32} and last["git"] == "unknown" and "torch" in last["versions"]
    assert snn5("check", "networks")[0] == 0 and snn5("check", "roadmap")[0] == 1


def test_move_makes_a_baseline_that_is_not_there(found: dict[str, Metric], tmp_path: Path) -> None:
    (tmp_path / "docs/baselines/roadmap.json").unlink()
    assert snn5("check", "roadmap")[0] == 1
    assert snn5("move", "roadmap", "*", "--reason", "made anew from nothing")[1].startswith("2 metrics moved")
    assert snn5("check", "roadmap")[0] == 0


@pytest.mark.parametrize(("failed", "status", "word"), [(("net/rate/a",), 0, "caught"), ((), 1, "NOT CAUGHT")])
def test_selftest_fails_where_a_fault_passes(
    found: dict[str, Metric], failed: tuple[str, ...], status: int, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = [
        Outcome(gate="networks", fault="none", expected="", failed=()),
        Outcome(gate="networks", fault="Weights times 1.2", expected="/rate/", failed=failed),
    ]
    monkeypatch.setattr(gates, "selftest", lambda root: outcomes)
    code, text, _ = snn5("selftest")
    assert code == status and f" {word}" in text and "passes" in text


def test_selftest_fails_where_the_gate_fails_without_a_fault(found: dict[str, Metric], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "selftest", lambda root: [Outcome(gate="networks", fault="none", expected="", failed=("net/macs",))])
    code, text, error = snn5("selftest")
    assert code == 1 and "FAILS" in text and "does not do what it is for" in error
