"""Children that end with all they started, however the parent goes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from snn5._processes import Child, check_port, ends_in_order
from snn5.errors import UserError

SLEEP = "import time; time.sleep(300)"
# Starts two more, one of them in a session of its own, then tells their numbers.
FAMILY = f"""
import subprocess, sys, time
code = {SLEEP!r}
one = subprocess.Popen([sys.executable, "-c", code])
two = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
print(one.pid, two.pid, flush=True)
time.sleep(300)
"""


def child(code: str) -> Child:
    return Child([sys.executable, "-c", code], cwd=Path.cwd(), env=os.environ)


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def soon(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_lines_and_exit_status() -> None:
    process = child("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    assert sorted(line.strip() for line in process.lines) == ["err", "out"]
    assert process.wait() == 7
    process.stop()
    process.stop()  # twice is once


def test_a_signal_is_an_exit_status_as_in_a_shell() -> None:
    process = child("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert process.wait() == 128 + signal.SIGKILL
    process.stop()


def test_stop_ends_the_whole_family() -> None:
    process = child(FAMILY)
    pids = [int(word) for word in next(iter(process.lines)).split()]
    assert all(lives(pid) for pid in pids)
    process.stop()
    assert not any(lives(pid) for pid in (process.pid, *pids))


def test_stop_does_not_wait_for_the_deaf() -> None:
    process = child(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEP}")
    next(iter(process.lines))
    begin = time.monotonic()
    process.stop(grace_s=0.5)
    assert 0.5 <= time.monotonic() - begin < 5
    assert not lives(process.pid)


def test_stop_lets_the_child_finish() -> None:
    code = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("tidied up", flush=True)))
print("on", flush=True)
time.sleep(300)
"""
    process = child(code)
    lines = iter(process.lines)
    next(lines)
    os.kill(process.pid, signal.SIGTERM)  # the guard does not listen to it
    for pid in [p.pid for p in psutil.Process(process.pid).children()]:
        os.kill(pid, signal.SIGTERM)
    assert next(lines) == "tidied up\n"
    process.stop()


def test_a_killed_parent_takes_its_children_along() -> None:
    code = f"""
import os, sys
from pathlib import Path
from snn5._processes import Child
process = Child([sys.executable, "-c", {FAMILY!r}], cwd=Path.cwd(), env=os.environ)
print(process.pid, next(iter(process.lines)).split()[0], flush=True)
process.wait()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert all(lives(pid) for pid in pids)
        family = psutil.Process(pids[0]).children(recursive=True)
        parent.kill()
    try:
        assert soon(lambda: not any(lives(pid) for pid in pids))
    finally:
        for process in family:  # the one with a session of its own is beyond a dead parent's reach
            if process.is_running():
                process.kill()


def test_sigterm_ends_in_order() -> None:
    code = """
import atexit, os, signal
from snn5._processes import ends_in_order
atexit.register(print, "exit functions", flush=True)
with ends_in_order():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        print("finally", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "finally\nexit functions\n")


def test_the_handler_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ends_in_order():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_taken_port_is_an_error_with_its_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"cannot listen on 127\.0\.0\.1:{port} \(Address already in use\); .* another --some-port"):
            check_port("127.0.0.1", port, "--some-port")
    check_port("127.0.0.1", port, "--some-port")


def test_a_host_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(UserError, match=r"cannot listen on 192\.0\.2\.1:80"):
        check_port("192.0.2.1", 80, "--some-port")
