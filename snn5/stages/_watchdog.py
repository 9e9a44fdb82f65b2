"""A stage must not outlive the `dvc` that runs it: an orphan would write outputs later, behind the back of the next run."""

import os
import signal
import sys
import threading
import time
from types import FrameType

import psutil

from snn5.parallel import die_with_parent

_PERIOD_S = 0.1


def install() -> None:
    """End this process and its children at once when dvc is gone or on SIGTERM.

    SIGKILL gives dvc no chance to end its stage, and a shell may stand between the two: so the kernel watches the direct parent, and a
    thread watches the nearest ancestor that is dvc (none: the direct parent).
    """
    parent = os.getppid()
    watched = _dvc() or _process(parent)
    die_with_parent(parent)
    signal.signal(signal.SIGTERM, _on_signal)
    if watched is not None:
        threading.Thread(target=_watch, args=(watched,), name="watchdog", daemon=True).start()


def end(code: int) -> None:
    """Kill all children, then leave without any clean-up: nothing half-made has its final name (see snn5.files.atomic_path)."""
    try:
        for child in psutil.Process().children(recursive=True):
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h")  # a progress bar hides the cursor
            sys.stderr.flush()
    finally:
        os._exit(code)


def _on_signal(number: int, frame: FrameType | None) -> None:
    end(128 + number)


def _dvc() -> psutil.Process | None:
    """The nearest ancestor that runs dvc: as `dvc`, as `python -m dvc`, or as `python …/bin/dvc`."""
    for process in psutil.Process().parents():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if any(os.path.basename(word) in ("dvc", "dvc.exe") for word in words[:3]):
            return process
    return None


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _watch(process: psutil.Process) -> None:
    while _alive(process):
        time.sleep(_PERIOD_S)
    end(1)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
