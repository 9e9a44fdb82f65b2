"""`snn5 ui` before anything starts; tests/flows/test_server.py starts it."""

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from snn5 import _servers, _ui
from snn5._processes import Child
from snn5.errors import UserError


class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def healthy() -> Iterator[str]:
    """The API of something that answers as Prefect's server does."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was started: nothing may be."""
    calls: list[Any] = []
    monkeypatch.setattr(_servers, "start", lambda *arguments, **_: calls.append(arguments))
    monkeypatch.setenv("SNN5_TRACKING", "on")
    return calls


def serve(root: Path, **changes: Any) -> None:
    options = {
        "host": "127.0.0.1",
        "prefect_port": _servers.free_port(),
        "mlflow_port": _servers.free_port(),
        "worker": False,
        "say": print,
    }
    _ui.serve(root, **{**options, **changes})


@pytest.mark.parametrize("option", ["prefect", "mlflow"])
def test_a_taken_port_stops_it_before_anything_starts(option: str, tmp_path: Path, started: list[Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"cannot listen on 127\.0\.0\.1:{port} .* another --{option}-port"):
            serve(tmp_path, **{f"{option}_port": port})
    assert started == []
    assert list(tmp_path.iterdir()) == []


def test_one_port_for_two_is_an_error(tmp_path: Path, started: list[Any]) -> None:
    with pytest.raises(UserError, match="port 4321 is asked for twice"):
        serve(tmp_path, prefect_port=4321, mlflow_port=4321)
    assert started == []


def test_a_second_ui_for_the_same_checkout_is_an_error(tmp_path: Path, started: list[Any], healthy: str) -> None:
    with _servers.announced(tmp_path, healthy), pytest.raises(UserError, match=f"already runs for this checkout at {healthy[:-4]};"):
        serve(tmp_path)
    assert started == []


def test_flows_find_the_server_while_it_runs(tmp_path: Path, healthy: str) -> None:
    assert _servers.running(tmp_path) is None
    with _servers.announced(tmp_path, healthy):
        assert _servers.running(tmp_path) == healthy
    assert _servers.running(tmp_path) is None


def test_an_address_that_a_killed_server_left_is_not_used(tmp_path: Path) -> None:
    with _servers.announced(tmp_path, f"http://127.0.0.1:{_servers.free_port()}/api"):
        assert _servers.running(tmp_path) is None


def test_a_server_that_ends_says_why(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "x.log"
    child: Child = _servers.start(["json.tool", "--no-such-option"], root=tmp_path, env={}, log=log)
    try:
        with pytest.raises(UserError, match=r"(?s)the thing ended with exit status 2 .*unrecognized arguments: --no-such-option"):
            _servers.wait_until_ready(child, log, f"http://127.0.0.1:{_servers.free_port()}", "the thing")
    finally:
        child.stop()


def test_a_server_that_is_silent_is_given_up(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    child = _servers.start(["http.server", "--bind", "127.0.0.1", str(_servers.free_port())], root=tmp_path, env={}, log=log)
    try:
        with pytest.raises(UserError, match=r"did not answer at http://127\.0\.0\.1:\d+ within 2 s"):
            _servers.wait_until_ready(child, log, f"http://127.0.0.1:{_servers.free_port()}", "the thing", seconds=1.6)
    finally:
        child.stop()


def test_addresses() -> None:
    assert _servers.url("0.0.0.0", 80) == "http://0.0.0.0:80"
    assert _servers.url("0.0.0.0", 80, local=True) == "http://127.0.0.1:80"
    assert _servers.url("::", 80, local=True) == "http://[::1]:80"
    assert _servers.url("192.168.0.5", 80, local=True) == "http://192.168.0.5:80"


def test_prefect_stays_in_the_checkout_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_HOME")
    assert _servers.prefect_environment(tmp_path) == {"PREFECT_HOME": str(tmp_path / ".prefect")}
    monkeypatch.setenv("PREFECT_HOME", "/elsewhere")
    assert _servers.prefect_environment(tmp_path) == {"PREFECT_HOME": "/elsewhere"}
