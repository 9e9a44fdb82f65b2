"""Prefect's API as the project asks it: a busy server is asked again, one that refuses is not."""

import http.server
import json
import threading
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from snn5 import _servers

Serve = Callable[..., tuple[str, list[Any]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that gives `statuses` in turn (the last one for ever); -> (its API, the bodies that it got)."""
    running: list[http.server.ThreadingHTTPServer] = []

    def start(*statuses: int) -> tuple[str, list[Any]]:
        bodies: list[Any] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                bodies.append(json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null"))
                self.send_response(statuses[min(len(bodies), len(statuses)) - 1])
                self.end_headers()
                self.wfile.write(b'{"asked": "%s %s"}' % (self.command.encode(), self.path.encode()))

            do_GET = do_POST = answer

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_port}/api", bodies

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def test_a_body_is_posted_and_its_absence_gets(serve: Serve) -> None:
    api, bodies = serve(200)
    assert _servers.call(api, "deployments/filter", {}) == {"asked": "POST /api/deployments/filter"}
    assert _servers.call(api, "health") == {"asked": "GET /api/health"}
    assert bodies == [{}, None]


def test_a_busy_server_is_asked_again(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_servers.time, "sleep", lambda _: None)
    api, bodies = serve(503, 503, 201)
    assert _servers.call(api, "runs", {"state": 1}) == {"asked": "POST /api/runs"}
    assert bodies == [{"state": 1}] * 3


def test_patience_ends(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_servers, "BUSY_S", -1.0)
    api, bodies = serve(503)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        _servers.call(api, "runs", {})
    assert len(bodies) == 1


def test_a_refusal_is_final(serve: Serve) -> None:
    api, bodies = serve(422, 200)
    with pytest.raises(urllib.error.HTTPError, match="422"):
        _servers.call(api, "runs", {})
    assert len(bodies) == 1
