"""Downloads from a server on this machine: killed in the middle, continued, changed meanwhile, refused, wrong."""

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from snn5.datasets._fetch import fetch
from snn5.errors import UserError

DATA = bytes(range(256)) * 4096  # 1 MiB
MD5 = hashlib.md5(DATA).hexdigest()


@dataclass
class Server:
    """What it serves and how badly; the ranges that it was asked for."""

    url: str = ""
    data: bytes = DATA
    etag: str = '"one"'
    dies_after: list[int] = field(default_factory=list)  # bytes of each next answer; then all
    ranges: bool = True
    status: int = 0
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted, tag = self.headers.get("Range"), self.headers.get("If-Range")
            state.asked.append(wanted)
            if state.status:
                self.send_error(state.status)
                return
            start = int(re.findall(r"\d+", wanted)[0]) if wanted and state.ranges and tag in (None, state.etag) else 0
            if start >= len(state.data) and start:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(state.data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = state.data[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(state.data) - 1}/{len(state.data)}")
            self.send_header("Content-Length", str(len(body)))
            if state.etag:
                self.send_header("ETag", state.etag)
            self.end_headers()
            self.wfile.write(body[: state.dies_after.pop(0)] if state.dies_after else body)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{listening.server_address[1]}/set.zip"
    yield state
    listening.shutdown()
    thread.join()
    listening.server_close()


def get(server: Server, path: Path, **options: Any) -> bool:
    return fetch(server.url, path, md5=MD5, timeout_s=10.0, wait_s=0.0, **options)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_once(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = tmp_path / "new" / "set.zip"
    assert get(server, path, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == DATA and left(path.parent) == ["set.zip"]
    assert seen[-1] == (len(DATA), len(DATA)) and seen == sorted(seen)
    assert not get(server, path) and server.asked == [None]


def test_killed_in_the_middle_it_goes_on_by_range(server: Server, tmp_path: Path) -> None:
    server.dies_after = [300_000, 200_000]
    assert get(server, tmp_path / "set.zip")
    assert (tmp_path / "set.zip").read_bytes() == DATA and left(tmp_path) == ["set.zip"]
    assert server.asked == [None, "bytes=300000-", "bytes=500000-"]


def test_what_was_there_when_the_process_ended_is_continued(server: Server, tmp_path: Path) -> None:
    server.dies_after = [300_000, 0]
    with pytest.raises(UserError, match=r"broke off .*; 300000 bytes are kept in .*\.set\.zip\.part: run the same command to go on"):
        get(server, tmp_path / "set.zip", attempts=1)
    assert left(tmp_path) == [".set.zip.part", ".set.zip.tag"]  # not under its name
    assert get(server, tmp_path / "set.zip") and server.asked[-1] == "bytes=300000-"
    assert (tmp_path / "set.zip").read_bytes() == DATA and left(tmp_path) == ["set.zip"]


def test_attempts_count_connections_without_progress(server: Server, tmp_path: Path) -> None:
    server.dies_after = [100_000] * 8
    assert get(server, tmp_path / "set.zip", attempts=2)  # every one of them brought something
    server.asked.clear()
    server.dies_after = [0] * 9
    with pytest.raises(UserError, match="broke off"):
        get(server, tmp_path / "other.zip", attempts=3)
    assert len(server.asked) == 3


def test_a_file_that_changed_meanwhile_is_begun_anew(server: Server, tmp_path: Path) -> None:
    server.data, server.dies_after = bytes(len(DATA)), [300_000, 0]
    with pytest.raises(UserError, match="broke off"):
        get(server, tmp_path / "set.zip", attempts=1)
    server.data, server.etag = DATA, '"two"'
    assert get(server, tmp_path / "set.zip") and (tmp_path / "set.zip").read_bytes() == DATA


def test_a_server_that_knows_no_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    server.ranges, server.dies_after = False, [300_000]
    assert get(server, tmp_path / "set.zip")
    assert (tmp_path / "set.zip").read_bytes() == DATA and server.asked == [None, "bytes=300000-"]


@pytest.mark.parametrize("extra", [0, 7])
def test_a_part_that_is_whole_or_too_long(server: Server, tmp_path: Path, extra: int) -> None:
    (tmp_path / ".set.zip.part").write_bytes(DATA + bytes(extra))
    assert get(server, tmp_path / "set.zip")
    assert (tmp_path / "set.zip").read_bytes() == DATA
    assert server.asked == ([f"bytes={len(DATA)}-"] if not extra else [f"bytes={len(DATA) + 7}-", None])


def test_another_checksum_is_named_and_nothing_is_kept(server: Server, tmp_path: Path) -> None:
    server.data = DATA[:-1] + b"!"
    wrong = hashlib.md5(server.data).hexdigest()
    with pytest.raises(UserError, match=rf"set\.zip came with the md5 {wrong}, the official file has {MD5}; nothing was kept"):
        get(server, tmp_path / "set.zip")
    assert left(tmp_path) == []


def test_a_wrong_file_that_is_there_stays_until_the_right_one_has_come(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(b"old")
    server.dies_after = [10, 0]
    with pytest.raises(UserError, match="broke off"):
        get(server, path, attempts=1)
    assert path.read_bytes() == b"old"
    assert get(server, path) and path.read_bytes() == DATA


@pytest.mark.parametrize(("status", "times"), [(404, 1), (403, 1), (503, 3)])
def test_refusals(server: Server, tmp_path: Path, status: int, times: int) -> None:
    server.status = status
    with pytest.raises(UserError, match=rf"set\.zip (answers|broke off).*{status}"):
        get(server, tmp_path / "set.zip", attempts=3)
    assert len(server.asked) == times and left(tmp_path) == []


def test_no_server_and_no_address(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"broke off \(.*refused.*\); 0 bytes"):
        fetch("http://127.0.0.1:9/set.zip", tmp_path / "set.zip", md5=MD5, attempts=2, wait_s=0.0)
    with pytest.raises(UserError, match=r"file:///etc/passwd is no http or https address; download it by hand to .*set\.zip"):
        fetch("file:///etc/passwd", tmp_path / "set.zip", md5=MD5)


def test_a_place_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"could not write .*set\.zip: .*; free some space or check the permissions"):
        get(server, tmp_path / "file" / "set.zip")
