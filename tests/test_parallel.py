"""Jobs in processes: the same results as in one, errors that arrive whole, and no process left behind."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from snn5 import _progress, parallel
from snn5.errors import UserError
from snn5.parallel import run_jobs
from snn5.reproducible import one_thread

Tick = Callable[[], None]


def children() -> set[psutil.Process]:
    """This process's children; another module's tests may have left some (a server of multiprocessing), which are not run_jobs'."""
    return set(psutil.Process().children())


def train(seed: int, tick: Tick) -> list[float]:
    """A convolution's training: would differ in the last bits with another number of threads."""
    generator = torch.Generator().manual_seed(seed)
    weight = (torch.randn(16, 4, 3, 3, generator=generator) * 0.1).requires_grad_()
    losses = []
    for _ in range(3):
        x = torch.randn(32, 4, 16, 16, generator=generator)
        loss = torch.conv2d(x, weight, padding=1).relu().square().mean()
        (gradient,) = torch.autograd.grad(loss, weight)
        with torch.no_grad():
            weight -= 0.1 * gradient
        losses.append(loss.item())
        tick()
    return losses


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    jobs = [3, 1, 2]
    torch.autograd.backward(torch.ones(2, requires_grad=True).sum())  # the parent has used autograd before the fork
    alone = run_jobs(train, jobs, label="x", total=3, workers=1)
    assert run_jobs(train, jobs, label="x", total=3, workers=2) == alone
    assert run_jobs(train, jobs, label="x", total=3, workers=3) == alone
    assert len({tuple(losses) for losses in alone}) == 3  # in the order of the jobs, not all the same
    assert run_jobs(train, [1], label="x", total=3, workers=2) == alone[1:2]


def test_even_global_generators_do_not_depend_on_the_number_of_workers() -> None:
    def draw(job: int, tick: Tick) -> tuple[float, float, float]:
        return torch.rand(()).item(), float(np.random.rand()), random.random()

    before = torch.random.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    alone = run_jobs(draw, [0, 0, 0], label="x", total=1, workers=1)
    assert run_jobs(draw, [0, 0, 0], label="x", total=1, workers=2) == alone
    assert len(set(alone)) == 3
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1]) and random.getstate() == before[2]


@pytest.mark.parametrize("workers", [1, 2])
def test_one_thread_and_deterministic_algorithms(workers: int) -> None:
    def look(job: int, tick: Tick) -> tuple[int, bool, str]:
        return torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), os.environ["OMP_NUM_THREADS"]

    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), os.environ.get("OMP_NUM_THREADS")
    assert run_jobs(look, [0, 1], label="x", total=1, workers=workers) == [(1, True, "1")] * 2
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), os.environ.get("OMP_NUM_THREADS")) == before


def test_one_thread_restores_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), one_thread():
        _ = 1 / 0
    assert torch.get_num_threads() == before and not torch.are_deterministic_algorithms_enabled()


def test_jobs_run_at_once() -> None:
    # Each waits for the other: one after the other they would never end.
    first, second = os.pipe(), os.pipe()

    def meet(job: int, tick: Tick) -> int:
        os.write((first, second)[job][1], b"x")
        os.read((first, second)[1 - job][0], 1)
        return os.getpid()

    assert len(set(run_jobs(meet, [0, 1], label="x", total=1, workers=2))) == 2
    for end in (*first, *second):
        os.close(end)


@pytest.mark.parametrize("workers", [1, 2])
def test_user_error_stays_and_stops_the_others(workers: int) -> None:
    def job(number: int, tick: Tick) -> None:
        if number == 0:
            raise UserError("epochs=0; need at least 1")
        time.sleep(60)

    before, begin = children(), time.monotonic()
    with pytest.raises(UserError, match=r"^epochs=0; need at least 1$"):
        run_jobs(job, [0, 1], label="x", total=1, workers=workers)
    assert time.monotonic() - begin < 20
    assert children() <= before


class Awkward(Exception):
    """Pickles, but does not come back."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"{number} {text}")


def test_any_other_exception_comes_with_its_traceback() -> None:
    def divide(job: int, tick: Tick) -> float:
        return job / 0

    with pytest.raises(ZeroDivisionError) as caught:
        run_jobs(divide, [1, 2], label="x", total=1, workers=2)
    assert "return job / 0" in str(caught.value.__cause__)

    def awkward(job: int, tick: Tick) -> None:
        raise Awkward(7, "seven")

    with pytest.raises(RuntimeError, match=r"(?s)raise Awkward\(7.*Awkward: 7 seven"):
        run_jobs(awkward, [1, 2], label="x", total=1, workers=2)


def test_a_killed_worker_is_told() -> None:
    def job(number: int, tick: Tick) -> None:
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

    before = children()
    with pytest.raises(
        UserError, match=r"p1_train@a: a worker process was killed, most likely because the memory ran out; .*SNN5_WORKERS=1"
    ):
        run_jobs(job, [0, 1], label="p1_train@a", total=1, workers=2)
    assert children() <= before


def test_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.delenv("SNN5_WORKERS", raising=False)
    assert [parallel._workers(jobs) for jobs in (1, 3, 20)] == [1, 3, 8]
    monkeypatch.setenv("SNN5_WORKERS", "2")
    assert [parallel._workers(jobs) for jobs in (1, 3, 20)] == [1, 2, 2]
    for wrong in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("SNN5_WORKERS", wrong)
        with pytest.raises(UserError, match=f"SNN5_WORKERS='{wrong}'; need a whole number of at least 1"):
            run_jobs(train, [1], label="x", total=1)
    with pytest.raises(UserError, match="workers=0; need at least 1"):
        run_jobs(train, [1], label="x", total=1, workers=0)


def test_a_worker_starts_no_workers() -> None:
    def outer(job: int, tick: Tick) -> list[int]:
        return run_jobs(lambda inner, _: os.getpid(), [0, 1], label="inner", total=1, workers=2)

    for inner in run_jobs(outer, [0, 1], label="outer", total=1, workers=2):
        assert len(set(inner)) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_ticks_are_shown_as_lines_where_there_is_no_terminal(
    workers: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_progress, "_PLAIN_SECONDS", 0.0)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    run_jobs(train, [1, 2], label="p1_train@a", total=3, workers=workers)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" (")[0] for line in lines] == [f"p1_train@a: {n}/6" for n in range(1, 7)]
    monkeypatch.setattr(_progress, "_PLAIN_SECONDS", 60.0)
    run_jobs(train, [1, 2], label="p1_train@a", total=3, workers=workers)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_ticks_text_is_shown_beside_it(workers: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def job(number: int, tick: Tick) -> None:
        tick()
        tick(f"val {number} % …")
        tick("x" + "ä" * 5000)  # cut, wherever that is, so that one write holds it

    monkeypatch.setattr(_progress, "_PLAIN_SECONDS", 0.0)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    run_jobs(job, [1, 2], label="x", total=3, workers=workers)
    lines = capsys.readouterr().err.splitlines()
    texts = sorted(line.partition("/s)")[2] for line in lines)
    assert texts[:4] == ["", "", " val 1 % …", " val 2 % …"]
    assert len(texts) == 6 and set(texts[4:]) == {" x" + "ä" * (5000 if workers == 1 else 249)}


def test_a_terminal_shows_the_latest_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "120"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    with _progress.progress("x", 3) as advance:
        advance()
        advance("[bold] 97 %")
        advance()
    said = capsys.readouterr().err
    assert "3/3" in said and "[bold] 97 %" in said.split("3/3")[-1]


def test_torchruns_processes_work_on_each_job_together(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each runs all jobs itself, in order, and only the first shows how far they are."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(_progress, "_PLAIN_SECONDS", 0.0)
    for rank, shown in (("0", 2), ("1", 0)):
        monkeypatch.setenv("RANK", rank)
        assert run_jobs(lambda _, tick: tick() or os.getpid(), [0, 1], label="x", total=1, workers=2) == [os.getpid()] * 2
        assert len(capsys.readouterr().err.splitlines()) == shown


def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    code = f"""
import os, time
from pathlib import Path
from snn5.parallel import run_jobs
def job(number, tick):
    Path({str(tmp_path)!r}, str(number)).write_text(str(os.getpid()))
    while True: sum(range(1000))
run_jobs(job, [0, 1], label="x", total=1, workers=2)
"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    files = [tmp_path / "0", tmp_path / "1"]
    while not all(f.exists() and f.read_text() for f in files) and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = [psutil.Process(int(f.read_text())) for f in files]
    assert all(worker.ppid() == parent.pid for worker in workers)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=2)
    assert not alive


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    run_jobs(train, [1, 2], label="x", total=3, workers=2)
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before
