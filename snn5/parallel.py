"""Jobs in processes: one torch thread each, so that a result never depends on how many cores there are."""

import ctypes
import multiprocessing
import os
import pickle
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import numpy as np
import torch

from snn5._progress import progress
from snn5.errors import UserError
from snn5.reproducible import keep_memory, one_thread

Tick = Callable[..., None]  # tick() or tick(text)
J = TypeVar("J")
R = TypeVar("R")

_PR_SET_PDEATHSIG = 1
_LONGEST_TEXT = 500  # bytes of a tick's text: one write below PIPE_BUF (at least 512 with its header, 4096 on Linux)

_worker: tuple[Callable[..., Any], Sequence[Any], Connection] | None = None  # set in a worker only


def run_jobs(function: Callable[[J, Tick], R], jobs: Sequence[J], *, label: str, total: int, workers: int | None = None) -> list[R]:
    """Call `function(job, tick)` for every job, several at once, and return the results in the jobs' order.

    The jobs reach the workers through fork, so `function` may be a closure and a job may hold large arrays; results are pickled.
    numpy's, Python's and torch's global generators are seeded with the job's position: code that draws from them (it should not)
    still draws the same numbers whatever the number of workers.

    Args:
        function: does one job; calls `tick()` once per unit of work, e.g. an epoch; `tick("val 97 %")` shows a text beside it.
        jobs: what to do.
        label: what the progress bar and the errors call it.
        total: units of work in one job.
        workers: processes, >= 1; default: the smallest of the number of jobs, the cores and $SNN5_WORKERS. 1 runs them here.

    Raises:
        UserError: a worker died, or $SNN5_WORKERS is no positive number. What a job raises is raised here, with its traceback.
    """
    count = _workers(len(jobs)) if workers is None else workers
    if count < 1:
        raise UserError(f"workers={count}; need at least 1")
    with one_thread():
        # A worker starts no workers, CUDA does not survive a fork, and torchrun's processes work on each job together.
        if count == 1 or len(jobs) <= 1 or _worker is not None or torch.cuda.is_initialized() or _ranks() > 1:
            quiet = _worker is not None or os.environ.get("RANK", "0") != "0"
            shown = nullcontext(lambda _text="": None) if quiet else progress(label, total * len(jobs))
            with shown as advance, _own_generators():
                return [_one(function, job, index, advance) for index, job in enumerate(jobs)]
        return _in_processes(function, jobs, label, total, min(count, len(jobs)))


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when the process `parent` that started it ends, however that ends (Linux; else nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the call
            os._exit(1)


def _workers(jobs: int) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    text = os.environ.get("SNN5_WORKERS", "").strip()
    if text and not (text.isdecimal() and int(text) >= 1):
        raise UserError(f"SNN5_WORKERS={text!r}; need a whole number of at least 1, or unset it")
    return max(1, min(jobs, cores, int(text or cores)))


def _ranks() -> int:
    text = os.environ.get("WORLD_SIZE", "")
    return int(text) if text.isdecimal() else 1


def _in_processes(function: Callable[[J, Tick], R], jobs: Sequence[J], label: str, total: int, workers: int) -> list[R]:
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    ticks, end = context.Pipe(duplex=False)  # one write below PIPE_BUF per tick: needs no lock that a killed worker could keep
    before = multiprocessing.active_children()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(os.getpid(), function, jobs, end))
    try:
        # The first submit forks all workers; the progress threads start after it.
        futures = [pool.submit(_work, index) for index in range(len(jobs))]
        with progress(label, total * len(jobs)) as advance:
            counter = threading.Thread(target=_count, args=(ticks, advance), daemon=True)
            counter.start()
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                end.send_bytes(b"")
                counter.join()
        failed = [f for f in futures if f.done() and f.exception() is not None]
        return [f.result() for f in failed or futures]
    except BrokenProcessPool as error:
        raise UserError(
            f"{label}: a worker process was killed, most likely because the memory ran out; free some, or run fewer at once: SNN5_WORKERS=1"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            if process not in before:
                process.kill()
                process.join()
        end.close()
        ticks.close()


def _start_worker(parent: int, function: Callable[..., Any], jobs: Sequence[Any], end: Connection) -> None:
    global _worker
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends the workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    keep_memory()
    one_thread().__enter__()
    _worker = (function, jobs, end)


def _work(index: int) -> Any:
    if _worker is None:
        raise RuntimeError("no worker process")
    function, jobs, end = _worker
    try:
        return _one(function, jobs[index], index, lambda text="": end.send_bytes(b"." + text.encode()[:_LONGEST_TEXT]))
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # noqa: BLE001 - any class may fail to travel in its own way; its text always does
            raise RuntimeError("".join(traceback.format_exception(error))) from None
        raise


def _one(function: Callable[[J, Tick], R], job: J, index: int, tick: Tick) -> R:
    random.seed(index)
    np.random.seed(index)
    torch.manual_seed(index)
    return function(job, tick)


@contextmanager
def _own_generators() -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _count(ticks: Connection, advance: Tick) -> None:
    while told := ticks.recv_bytes():
        advance(told[1:].decode(errors="ignore"))
