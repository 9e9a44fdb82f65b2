"""The roadmap with its stages side by side, on toy pipelines: order, what runs at once, what a failure does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import toy_pipeline
from toy_pipeline import dvc

from snn5 import _dvc, _side_by_side, repro, tracking
from snn5._dvc import Graph, StageFailed, read_graph
from snn5.errors import UserError

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
    file.write(f"{name} begins with {os.environ.get('SNN5_WORKERS')}\\n")
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


def test_what_is_ready_runs_at_once_and_the_rest_waits(timed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repro.main(at_once=2)
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
    repro.main(at_once=2)
    (timed / "data/right").unlink()
    capsys.readouterr()
    repro.main()
    said = capsys.readouterr().out
    assert "right: cached" in said and "last: unchanged (2 of 2)" in said and "left" not in said


def test_a_stage_is_logged_when_it_is_done_and_before_those_that_read_from_it(timed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = (timed / "timed.py").read_text()
    (timed / "timed.py").write_text(f"{program}assert os.environ['{tracking.LATER}']\n")
    logged: list[tuple[set[str], str]] = []
    monkeypatch.setattr(tracking, "log_left", lambda root, *, but: logged.append((set(but), (timed / "times").read_text() if but else "")))
    (timed / "times").touch()
    repro.main(at_once=2)
    every = {"first", "left", "right", "alone", "last"}
    assert logged[0] == (every, "")  # what a killed run left, if it does not run again
    assert [len(but) for but, _ in logged[1:]] == [4, 3, 2, 1, 0]
    for before, (but, times) in pairwise(logged):
        (done,) = before[0] - but
        assert not but or f"{done} ends" in times
        if done == "first":
            assert "left begins" not in times and "right begins" not in times


def test_a_run_that_cannot_be_logged_ends_it_like_a_failure(
    timed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def log_left(root: Path, *, but: set[str]) -> None:
        if "left" not in but:
            raise UserError("MLflow does not answer")

    monkeypatch.setattr(tracking, "log_left", log_left)
    with pytest.raises(UserError, match="MLflow does not answer"):
        repro.main(at_once=2)
    shown = capsys.readouterr().out
    assert " left is done, but not logged; still running: " in shown and " right: ran" in shown  # it came to its end
    assert "last ..." not in shown


def test_those_come_first_that_the_end_waits_longest_for(toy: Path) -> None:
    (toy / "params.yaml").write_text("a: 2\n")
    todo = repro.out_of_date(read_graph())
    assert todo[0] == "p7_data@frames"  # p1_train, p4_early, p4_late and last follow from it
    assert todo.index("p1_train@net-frames") < todo.index("p7_data@events") and set(todo) >= {"p4_late", "last", "p5_slow", "p6_broken"}


@pytest.mark.parametrize(("seconds", "place"), [(10, -1), (100, 2), (130, 1), (160, 0)])
def test_what_takes_long_begins_early(toy: Path, seconds: int, place: int) -> None:
    """The longest way is p7_data@frames, p1_train@net-frames, p4_early, p4_late, last: 150 s, 120 s and so on, at 30 s each."""
    text = (toy / "dvc.yaml").read_text()
    (toy / "dvc.yaml").write_text(text.replace("  p5_slow:\n", f"  p5_slow:\n    meta: {{seconds: {seconds}}}\n"))
    (toy / "params.yaml").write_text("a: 2\n")
    todo = repro.out_of_date(read_graph())
    assert todo.index("p5_slow") == place % len(todo)
    assert all(todo.index(stage) < todo.index(later) for stage, later in pairwise(["p7_data@frames", "p1_train@net-frames", "last"]))


def test_after_a_failure_none_begins_and_those_that_run_come_to_their_end(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (toy / "slow.py").write_text("import pathlib, time; time.sleep(4); pathlib.Path('data/p5_slow').mkdir(parents=True, exist_ok=True); ")
    with (toy / "slow.py").open("a") as file:
        file.write("pathlib.Path('data/p5_slow/x').write_text('x')\n")
    graph = Graph(parents={"p5_slow": [], "p6_broken": [], "last": ["p6_broken"]})
    with pytest.raises(StageFailed, match=r"repro --single-item p6_broken` failed") as caught:
        _side_by_side.side_by_side(graph, list(graph.parents), 2, {})
    assert "line 29" in caught.value.tail
    said = capsys.readouterr().out
    assert "p6_broken FAILED, see .cache/repro/p6_broken.log; still running: p5_slow" in said and "p5_slow: ran" in said
    assert "last" not in said and (toy / "data/p5_slow/x").is_file()


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def running(toy: Path) -> Iterator["subprocess.Popen[str]"]:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    hear = "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); "
    # A shell's background jobs do not hear SIGINT, nor do their children.
    command = [sys.executable, "-c", hear + "runpy.run_module('snn5.repro', run_name='__main__')"]
    with subprocess.Popen(command, cwd=toy, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_command_says_what_failed_without_a_traceback(toy: Path) -> None:
    toy_pipeline.one_stage_a_phase(toy)
    text = (toy / "dvc.yaml").read_text().replace("mkdir -p data/p3_x", "false && mkdir -p data/p3_x")
    (toy / "dvc.yaml").write_text(text)
    with running(toy) as process:
        out, err = process.communicate()
    assert process.returncode == 1 and err.startswith("error: `dvc --wait-for-lock repro --single-item p3_x` failed")
    assert "Traceback" not in err and "last" not in out


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_takes_its_stages_with_it(toy: Path, signal_: signal.Signals) -> None:
    sleeper, deadline = [], time.monotonic() + 120
    with running(toy) as process:
        while not sleeper:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.1)
            started = psutil.Process(process.pid).children(recursive=True)
            with suppress(psutil.NoSuchProcess):
                sleeper = [p for p in started if "time.sleep(300)" in " ".join(p.cmdline())]
        process.send_signal(signal_)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err and "the same command goes on" in err
    assert len(sleeper) == 1
    sleeper[0].kill()  # of another session: a real stage's watchdog ends it
    while any(lives(p) for p in started):
        assert time.monotonic() < deadline + 60
        time.sleep(0.1)


def test_a_stage_that_another_dvc_holds_is_tried_again(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def busy_twice(*arguments: str, show: object, extra: object) -> None:
        calls.append(arguments[-1])
        if len(calls) < 3:
            raise StageFailed("dvc", 255, ["ERROR: 'data/x' is busy, it is being blocked by:"])

    monkeypatch.setattr(_dvc, "run", busy_twice)
    monkeypatch.setattr(_side_by_side, "BUSY_S", 0.0)
    _side_by_side.side_by_side(Graph(parents={"last": []}), ["last"], 1, {})
    assert calls == ["last"] * 3


def test_dvc_lock_is_as_one_repro_writes_it(timed: Path) -> None:
    """DVC appends stages as they end; side by side that is chance."""
    repro.main(at_once=2)
    ours = (timed / "dvc.lock").read_bytes()
    (timed / "dvc.lock").unlink()
    dvc(timed, "repro")  # `left` and `right`, which wait for each other, come from DVC's run cache
    assert (timed / "dvc.lock").read_bytes() == ours and b"left" in ours


def test_no_stage_at_once_is_refused(toy: Path) -> None:
    with pytest.raises(UserError, match="--at-once 0; need at least 1 stage"):
        repro.main(at_once=0)


def test_shares() -> None:
    assert [repro.shares(cores) for cores in (4, 6)] == [(2, {"SNN5_WORKERS": "2"}), (2, {"SNN5_WORKERS": "3"})]
    assert repro.shares(4, "4") == (1, {"SNN5_WORKERS": "4"}) and repro.shares(2, "8")[0] == 1
    assert repro.shares(16, gpu=True) == (1, {})  # which stages would share
    with pytest.raises(UserError, match=r"SNN5_WORKERS='two'; need a whole number of at least 1"):
        repro.shares(2, "two")
