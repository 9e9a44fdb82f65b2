"""The roadmap with its stages side by side, on toy pipelines: order, what runs at once, what a failure does."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_pipeline
from toy_pipeline import dvc

from snn5 import repro
from snn5._dvc import Graph, StageFailed, read_graph

TIMED = """
stages:
  first: {cmd: python timed.py first, outs: [data/first]}
  left: {cmd: python timed.py left, deps: [data/first], outs: [data/left]}
  right: {cmd: python timed.py right, deps: [data/first], outs: [data/right]}
  alone: {cmd: python timed.py alone, outs: [data/alone]}
  last: {cmd: python timed.py last, deps: [data/left, data/right, data/alone], outs: [data/last]}
"""
# Writes when it began and ended; `left` and `right` wait for each other's beginning, which only side by side comes.
PROGRAM = """
import os, pathlib, sys, time
name = sys.argv[1]
pathlib.Path("data").mkdir(exist_ok=True)
with open("times", "a") as file:
    file.write(f"{name} begins with {os.environ['SNN5_WORKERS']}\\n")
other = {"left": "right", "right": "left"}.get(name)
deadline = time.monotonic() + 60
while other and f"{other} begins" not in open("times").read():
    assert time.monotonic() < deadline, "alone"
    time.sleep(0.05)
with open("times", "a") as file:
    file.write(f"{name} ends\\n")
pathlib.Path(f"data/{name}").write_text(name)
"""


@pytest.fixture
def timed(toy: Path) -> Path:
    (toy / "dvc.yaml").write_text(TIMED)
    (toy / "timed.py").write_text(PROGRAM)
    (toy / "dvc.lock").unlink()
    return toy


def test_what_is_ready_runs_at_once_and_the_rest_waits(
    timed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repro, "shares", lambda _cores: (2, 1))
    repro.main()
    lines = (timed / "times").read_text().splitlines()
    at = lines.index
    assert at("first ends") < min(at("left begins with 1"), at("right begins with 1"))
    assert max(at("left begins with 1"), at("right begins with 1")) < min(at("left ends"), at("right ends"))
    assert at("last begins with 1") > max(at(f"{name} ends") for name in ("left", "right", "alone"))
    said = capsys.readouterr().out
    assert said.count("...") == 5 and "last: ran (5 of 5)" in said
    assert "Running stage 'left'" in (timed / ".cache/repro/left.log").read_text()
    assert "up to date" in dvc(timed, "status")  # as DVC's own repro leaves it
    repro.main()
    assert capsys.readouterr().out == "Data and pipelines are up to date.\n"
    assert len(lines) == len((timed / "times").read_text().splitlines()) == 10


def test_only_what_changed_and_what_reads_from_it(timed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repro.main()
    (timed / "data/right").unlink()
    capsys.readouterr()
    repro.main()
    said = capsys.readouterr().out
    assert "right: cached" in said and "last: unchanged (2 of 2)" in said and "left" not in said


def test_those_come_first_that_most_wait_for(toy: Path) -> None:
    (toy / "params.yaml").write_text("a: 2\n")
    todo = repro.out_of_date(read_graph())
    assert todo[0] == "p7_data@frames"  # p1_train, p4_early, p4_late and last follow from it
    assert todo.index("p1_train@net-frames") < todo.index("p7_data@events") and set(todo) >= {"p4_late", "last", "p5_slow", "p6_broken"}


def test_a_failure_stops_those_that_run(toy: Path) -> None:
    graph = Graph(parents={"p5_slow": [], "p6_broken": [], "last": ["p6_broken"]})
    (toy / ".cache/repro").mkdir(parents=True)
    begin = time.monotonic()
    with pytest.raises(StageFailed, match=r"repro --single-item p6_broken` failed") as caught:
        repro.side_by_side(graph, list(graph.parents), at_once=2, workers=1)
    assert "line 29" in caught.value.tail and time.monotonic() - begin < 60  # p5_slow sleeps for 300 s
    assert not (toy / ".cache/repro/last.log").exists()


def test_the_command_says_what_failed_without_a_traceback(toy: Path) -> None:
    toy_pipeline.one_stage_a_phase(toy)
    text = (toy / "dvc.yaml").read_text().replace("mkdir -p data/p3_x", "false && mkdir -p data/p3_x")
    (toy / "dvc.yaml").write_text(text)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "snn5.repro"], cwd=toy, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.startswith("error: `dvc --wait-for-lock repro --single-item p3_x` failed")
    assert "Traceback" not in done.stderr and "last" not in json.dumps([line for line in done.stdout.splitlines() if "ran" in line])


@pytest.mark.parametrize(("cores", "wanted"), [(1, (1, 1)), (2, (2, 1)), (4, (2, 2)), (16, (5, 3))])
def test_shares(cores: int, wanted: tuple[int, int]) -> None:
    assert repro.shares(cores) == wanted
