"""Prefect's server as a child process: the one of `snn5 ui`, or a temporary one for flows that run where there is none."""

import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snn5._processes import Child
from snn5.errors import UserError
from snn5.files import write_text

START_S = 180.0  # a first start on a slow machine migrates databases
BUSY_S = 60.0  # how long a busy server is asked again
_TAIL = 15
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # listening on all interfaces -> this machine


def prefect_environment(root: Path) -> dict[str, str]:
    """Prefect's files stay in the checkout; a value the user has set stays."""
    return {"PREFECT_HOME": os.environ.get("PREFECT_HOME") or str(root / ".prefect")}


def start(command: list[str], *, root: Path, env: Mapping[str, str], log: Path) -> Child:
    """Start `python -m COMMAND` in `root`, its output in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        return Child([sys.executable, "-m", *command], cwd=root, env=env, output=output)


def wait_until_ready(child: Child, log: Path, url: str, name: str, seconds: float = START_S) -> None:
    """Return when `url` answers.

    Raises:
        UserError: the child ended, or did not answer in time; with the last lines of its log.
    """
    deadline = time.monotonic() + seconds
    while not answers(url):
        if child.poll() is not None:
            raise UserError(f"{name} ended with exit status {child.poll()} before it answered; {tail(log)}")
        if time.monotonic() > deadline:
            raise UserError(f"{name} did not answer at {url} within {seconds:.0f} s; {tail(log)}")
        time.sleep(0.2)


def answers(url: str) -> bool:
    """Whether an HTTP server answers `url` without an error."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (OSError, urllib.error.URLError):
        return False


def call(api: str, path: str, body: Any = None) -> Any:
    """POST `body` to Prefect's API and return its answer; without a body, GET.

    While its sqlite database is locked by another writer the server does nothing and says 503; it is then asked again, as Prefect's own
    client does.

    Raises:
        urllib.error.HTTPError: the server refuses, or is still busy after a minute.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{api}/{path}", data=data, headers={"Content-Type": "application/json"})
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def tail(log: Path) -> str:
    """The last lines of `log`, as an error shows them."""
    with log.open(encoding="utf-8", errors="replace") as file:
        last = deque((line.rstrip() for line in file if line.strip()), maxlen=_TAIL)
    return f"the last lines of {log}:\n" + "\n".join(f"  {line}" for line in last)


def prefect_server(root: Path, host: str, port: int, *, lasting: bool) -> tuple[Child, Path]:
    """Start Prefect's server and return it with its log; only a `lasting` one starts what is scheduled."""
    local = f"{url(host, port, local=True)}/api"
    env = {
        **os.environ,
        **prefect_environment(root),
        "PREFECT_API_URL": local,
        # Prefect's pages ask port 4200 unless told; on all interfaces only the browser knows the address it came by.
        "PREFECT_SERVER_UI_API_URL": "/api" if host in _ANY else local,
    }
    options = [] if lasting else ["--no-scheduler", "--no-late-runs"]
    command = ["prefect", "--no-prompt", "server", "start", "--host", host, "--port", str(port), *options]
    log = root / ".prefect" / "logs" / ("server.log" if lasting else f"temporary-{os.getpid()}.log")
    return start(command, root=root, env=env, log=log), log


@contextmanager
def announced(root: Path, api: str) -> Iterator[None]:
    """While the block runs, flows in this checkout find the server `api` (see `running`)."""
    place = _place(root)
    write_text(place, json.dumps({"api": api}) + "\n")
    try:
        yield
    finally:
        place.unlink(missing_ok=True)


def running(root: Path) -> str | None:
    """The API of the server that `snn5 ui` runs for this checkout; None where there is none."""
    try:
        api = str(json.loads(_place(root).read_text(encoding="utf-8"))["api"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return api if answers(f"{api}/health") else None


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _place(root: Path) -> Path:
    return root / ".prefect" / "address.json"


def url(host: str, port: int, *, local: bool = False) -> str:
    """The address of a server that listens on `host`; `local` is one that this machine reaches also where `host` means all interfaces."""
    if local:
        host = _ANY.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
