"""Child processes that never outlive their parent: each is stopped with everything it started."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from snn5.errors import UserError

_GUARD = str(Path(__file__).with_name("_guard.py"))


class Child:
    """A command in a session of its own, with its output in `.lines` (when not sent elsewhere).

    Args:
        command: program and arguments.
        cwd: its working directory.
        env: its whole environment.
        output: where stdout and stderr go together; None makes them readable from `.lines`.
    """

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: IO[bytes] | None = None) -> None:
        lifeline, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", _GUARD, str(lifeline), *command],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output or subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lifeline,),
                text=output is None,
                errors=None if output else "replace",
            )
        finally:
            os.close(lifeline)
        self.pid = self._process.pid

    @property
    def lines(self) -> Iterable[str]:
        """The output, line by line, until the command ends."""
        return self._process.stdout or ()

    def poll(self) -> int | None:
        """The exit status, or None while the command runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Wait for the end; the exit status."""
        return self._process.wait()

    def stop(self, grace_s: float = 10.0) -> None:
        """End the command and all it started: SIGTERM, at most `grace_s` seconds of patience, SIGKILL. Does nothing after a clean end."""
        members: set[psutil.Process] = set()
        try:
            members = self._members()
            _send(members, signal.SIGTERM)
            deadline = time.monotonic() + grace_s
            while self._alive(members) and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            # Twice: what was started between the look and the signal shows up in the second look.
            for _ in range(2):
                _send(self._alive(members | self._members()), signal.SIGKILL)
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
            if self._lifeline >= 0:
                os.close(self._lifeline)
                self._lifeline = -1

    def _members(self) -> set[psutil.Process]:
        """All of the process group, and all descendants, also those that left it for a session of their own."""
        found = {process for process in psutil.process_iter() if _group(process.pid) == self.pid}
        with contextlib.suppress(psutil.NoSuchProcess):
            found.update(psutil.Process(self.pid).children(recursive=True))
        return {process for process in found if _lives(process)}

    def _alive(self, members: Iterable[psutil.Process]) -> set[psutil.Process]:
        self._process.poll()  # reaps the guard
        return {process for process in members if _lives(process)}


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _send(members: Iterable[psutil.Process], signal_: signal.Signals) -> None:
    for process in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal_)


@contextlib.contextmanager
def ends_in_order() -> Iterator[None]:
    """Let SIGTERM end the process as an exception does, clean-up and exit functions included; the default would skip them.

    Prefect's flows have a handler of their own, which stops the flow and then calls this one.
    """

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check_port(host: str, port: int, option: str) -> None:
    """Raise UserError when nothing can listen on `port` of `host`; `option` is the command-line option that changes it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UserError(
            f"cannot listen on {host}:{port} ({error.strerror or error}); stop what uses it, or pass another {option}"
        ) from error
