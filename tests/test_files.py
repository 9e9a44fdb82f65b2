"""Files are whole or absent, JSON is the same bytes every time, and md5 is DVC's."""

import errno
import hashlib
import json
import math
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from snn5 import files
from snn5.errors import UserError, unknown
from snn5.files import atomic_path, find_root, md5, read_json, write_bytes, write_json, write_text


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- atomic


def test_written_whole_with_its_folders(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b" / "f.bin", b"\x00\xff")
    write_text(tmp_path / "t.txt", "τ\n")
    assert contents(tmp_path) == {"a/b/f.bin": b"\x00\xff", "t.txt": "τ\n".encode()}
    assert (tmp_path / "t.txt").stat().st_mode & 0o777 == 0o644


def test_nothing_stands_at_the_place_before_the_end(tmp_path: Path) -> None:
    target = tmp_path / "f"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old" and temporary.parent == target.parent
    assert contents(tmp_path) == {"f": b"new"}


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("before", [None, "old"])
def test_an_exception_leaves_what_was_there(tmp_path: Path, error: BaseException, before: str | None) -> None:
    target = tmp_path / "f"
    if before is not None:
        target.write_text(before)
    with pytest.raises(type(error)), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error
    assert contents(tmp_path) == ({} if before is None else {"f": before.encode()})


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """The kernel refuses files longer than `limit` bytes, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_kernel_that_takes_no_more_bytes(tmp_path: Path) -> None:
    target = tmp_path / "f"
    target.write_text("old")
    with small_files(1000), pytest.raises(UserError, match=r"could not write .*/f: File too large; free some space"):
        write_bytes(target, b"x" * 100_000)
    assert contents(tmp_path) == {"f": b"old"}


def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount a small disk; test_failing_calls simulates it")
    try:
        write_bytes(disk / "f", b"old")
        with pytest.raises(UserError, match=r"could not write .*/f: No space left on device; free some space or check the permissions"):
            write_bytes(disk / "f", b"x" * 200_000)
        assert contents(disk) == {"f": b"old"}
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES])
def test_failing_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    def fail(*_a: object) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "f").write_text("old")
    if call == "fsync":
        monkeypatch.setattr(files.os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(UserError, match=f"could not write .*/f: {os.strerror(number)}"):
        write_text(tmp_path / "f", "new")
    assert contents(tmp_path) == {"f": b"old"}


def test_an_error_that_is_not_the_disks_passes_through(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError), atomic_path(tmp_path / "f"):
        raise TimeoutError(errno.ETIMEDOUT, "x")
    assert contents(tmp_path) == {}


def test_a_file_where_a_folder_is_needed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    for place in (tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"):
        with pytest.raises(UserError, match="could not write"):
            write_text(place, "y")


def test_a_folder_where_the_file_should_go(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(UserError, match=r"could not write .*/a: Is a directory"):
        write_text(tmp_path / "a", "y")
    assert contents(tmp_path) == {}


# --- JSON


def test_json_round_trip_and_equal_bytes(tmp_path: Path) -> None:
    value = {"b": [1, 2.5, None, True], "a": {"z": "τ", "y": 0.1 + 0.2}}
    write_json(tmp_path / "1", value)
    write_json(tmp_path / "2", {"a": {"y": 0.1 + 0.2, "z": "τ"}, "b": [1, 2.5, None, True]})
    assert read_json(tmp_path / "1") == value
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert (tmp_path / "1").read_bytes().endswith(b"}\n") and "τ".encode() in (tmp_path / "1").read_bytes()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_json_takes_no_nan(tmp_path: Path, bad: float) -> None:
    (tmp_path / "f").write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "f", {"x": [bad]})
    assert contents(tmp_path) == {"f": b"old"}


def test_json_that_is_missing_or_broken_names_its_maker(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.json is missing; make it with `dvc repro p4`"):
        read_json(tmp_path / "x.json", "dvc repro p4")
    (tmp_path / "x.json").write_bytes(b'{"a": ')
    with pytest.raises(UserError, match=r"x\.json is not valid JSON \(.*\); delete it and make it again with `dvc repro`"):
        read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is not valid JSON"):
        read_json(tmp_path / "x.json")


# --- md5


def folder(at: Path) -> Path:
    """Names whose order differs by part and by whole path, nested folders, an empty file, letters beyond ASCII."""
    for name, data in {"b/c": b"1", "b-a": b"2", "b.txt": b"", "a/z/1": b"3" * 70_000, "a/é ü": b"4", "Z": b"5", "a.b/c": b"6"}.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_bytes(data)
    return at


def test_md5_by_hand(tmp_path: Path) -> None:
    assert md5(folder(tmp_path) / "Z") == hashlib.md5(b"5").hexdigest()
    (tmp_path / "two" / "x").mkdir(parents=True)
    (tmp_path / "two" / "x" / "f").write_bytes(b"5")
    manifest = [{"md5": hashlib.md5(b"5").hexdigest(), "relpath": "x/f"}]
    assert md5(tmp_path / "two") == hashlib.md5(json.dumps(manifest).encode()).hexdigest() + ".dir"


def test_md5_is_what_dvc_writes(tmp_path: Path) -> None:
    folder(tmp_path / "data")
    environment = {
        **os.environ,
        "HOME": str(tmp_path / "home"),
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(tmp_path / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(tmp_path / "system"),
    }
    script = "from dvc.repo import Repo\nrepo = Repo.init(no_scm=True)\nrepo.add(['data', 'data2/one'])\n"
    (tmp_path / "data2").mkdir()
    (tmp_path / "data2" / "one").write_bytes(b"7" * 1000)
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True, capture_output=True)
    for target in ("data", "data2/one"):
        (entry,) = yaml.safe_load((tmp_path / f"{target}.dvc").read_text())["outs"]
        assert md5(tmp_path / target) == entry["md5"]


def test_md5_of_a_folder_sees_names_and_bytes(tmp_path: Path) -> None:
    first = md5(folder(tmp_path / "a"))
    assert first == md5(folder(tmp_path / "b"))
    (tmp_path / "b" / "Z").write_bytes(b"6")
    assert md5(tmp_path / "b") != first
    (tmp_path / "b" / "Z").write_bytes(b"5")
    (tmp_path / "b" / "Z").rename(tmp_path / "b" / "Y")
    assert md5(tmp_path / "b") != first


# --- root, and the error for names


def test_find_root_is_the_nearest_above(tmp_path: Path) -> None:
    inner = tmp_path / "checkout" / "a" / "b"
    inner.mkdir(parents=True)
    with pytest.raises(UserError, match=r"no dvc\.yaml in .*/a/b or above it; change into your SNN5 checkout first"):
        find_root(inner)
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "checkout" / "dvc.yaml").touch()
    assert find_root(inner) == tmp_path / "checkout"


def test_unknown_names_the_closest_or_all() -> None:
    known = ["sew_resnet20", "sew_resnet56", "hsvt"]
    assert str(unknown("model", "sew_resnet21", known)) == "unknown model 'sew_resnet21'; did you mean sew_resnet20, sew_resnet56?"
    assert str(unknown("model", "qqq", known, "(see x)")) == "unknown model 'qqq'; known: hsvt, sew_resnet20, sew_resnet56 (see x)"
    assert str(unknown("model", "q", [])) == "unknown model 'q'; known: none"
