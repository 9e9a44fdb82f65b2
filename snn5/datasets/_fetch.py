"""One file over HTTP, whole and right or not there: what a broken connection left is kept and continued, not fetched again.

The bytes go to `.<name>.part` beside the file. Each try asks for what is missing (Range); the server's tag of the file, kept in
`.<name>.tag`, goes along (If-Range), so that a file that changed meanwhile is begun anew. Only with the right md5 it gets its name.
"""

import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snn5.errors import UserError
from snn5.files import md5 as md5_of

Progress = Callable[[int, int], None]
_BLOCK = 1 << 20
_AGAIN = {408, 429, 500, 502, 503, 504}  # of a busy or broken server; other answers will not change


class _BrokenOffError(OSError):
    """The connection ended before the file did."""


def fetch(
    url: str,
    path: Path,
    *,
    md5: str,
    progress: Progress = lambda _done, _total: None,
    attempts: int = 5,
    timeout_s: float = 60.0,
    wait_s: float = 1.0,
) -> bool:
    """Download `url` to `path`, unless the right file is there already; returns whether anything was fetched.

    Args:
        md5: of the whole file. progress: called with (bytes there, bytes in all).
        attempts: connections without a byte of progress, one after the other, before it gives up; >= 1. timeout_s: of silence.
        wait_s: before the second attempt; doubled each time.

    Raises:
        UserError: no http(s) address, the server refuses, the connection breaks off too often (what came is kept), the disk is full, or
            the md5 is another (nothing is kept).
    """
    if not url.startswith(("http://", "https://")):
        raise UserError(f"{url} is no http or https address; download it by hand to {path}")
    if path.is_file() and md5_of(path) == md5:
        return False
    part, tag = (path.with_name(f".{path.name}.{end}") for end in ("part", "tag"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _whole(url, part, tag, progress, attempts, timeout_s, wait_s)
        found = md5_of(part)
        if found != md5:
            part.unlink()
            tag.unlink(missing_ok=True)
            raise UserError(f"{url} came with the md5 {found}, the official file has {md5}; nothing was kept: try again, or another host")
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        tag.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"could not write {path}: {error.strerror or error}; free some space or check the permissions, then run again"
        ) from error
    return True


def _whole(url: str, part: Path, tag: Path, progress: Progress, attempts: int, timeout_s: float, wait_s: float) -> None:
    """Connect until the file is whole."""
    tries = 0
    while True:
        before = _size(part)
        try:
            return _go_on(url, part, tag, progress, timeout_s)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in _AGAIN:
                raise UserError(
                    f"{url} answers {error.code} {error.reason}; download {part.name[1:-5]} by hand to {part.parent}"
                ) from error
            last: Exception = error
        except (http.client.HTTPException, urllib.error.URLError, ConnectionError, TimeoutError, _BrokenOffError) as error:
            last = error
        tries = 1 if _size(part) > before else tries + 1
        if tries >= attempts:
            raise UserError(f"{url} broke off ({last}); {_size(part)} bytes are kept in {part}: run the same command to go on")
        time.sleep(wait_s * 2 ** (tries - 1))


def _go_on(url: str, part: Path, tag: Path, progress: Progress, timeout_s: float) -> None:
    """One connection: ask for what is missing, or for all, and write it as it comes."""
    have = _size(part)
    headers = {"User-Agent": "snn5", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if tag.is_file():
            headers["If-Range"] = tag.read_text(encoding="latin-1")
    try:
        answer: Any = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout_s)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        error.close()
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return  # it was whole
        part.unlink()
        raise _BrokenOffError("the server has fewer bytes than are here; begun anew") from error
    with answer:
        if answer.status == 206 and not str(answer.headers.get("Content-Range")).startswith(f"bytes {have}-"):
            part.unlink()
            raise _BrokenOffError(f"the server sent {answer.headers.get('Content-Range')}, not what was asked for; begun anew")
        have = have if answer.status == 206 else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length is not None else 0
        etag = str(answer.headers.get("ETag", ""))
        if etag and not etag.startswith("W/"):  # a weak tag promises no equal bytes
            tag.write_text(etag, encoding="latin-1")
        else:
            tag.unlink(missing_ok=True)
        with part.open("ab" if have else "wb") as file:
            while block := answer.read(_BLOCK):
                file.write(block)
                have += len(block)
                progress(have, total)
    if total and have != total:
        raise _BrokenOffError(f"{have} of {total} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
