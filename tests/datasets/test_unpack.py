"""Archives: unpacked whole or not at all; no member leaves its folder."""

import hashlib
import io
import shutil
import stat
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from snn5.cli import app
from snn5.datasets import _download, download, list_datasets
from snn5.datasets._download import REMOTES
from snn5.datasets._registry import find
from snn5.datasets._unpack import unpack
from snn5.errors import UserError


def make_zip(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, *members: tuple[str, bytes | None, bytes]) -> Path:
    """(name, content or None, type)."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data or b""), "/etc/passwd"
            archive.addfile(info, io.BytesIO(data) if data is not None else None)
    return path


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_zip_and_tar(tmp_path: Path) -> None:
    files = {"Train/0/a.bin": b"a", "Train/1/b.bin": b"b" * 3_000_000, "empty": b""}
    assert unpack(make_zip(tmp_path / "a.zip", **files), tmp_path / "zip") == ["Train", "empty"]
    members = [("./", None, tarfile.DIRTYPE), *((f"./{name}", data, tarfile.REGTYPE) for name, data in files.items())]
    assert unpack(make_tar(tmp_path / "a.tar.gz", *members), tmp_path / "tar") == ["Train", "empty"]
    for kind in ("zip", "tar"):
        assert everything(tmp_path / kind) == sorted(files)
        assert {name: (tmp_path / kind / name).read_bytes() for name in files} == files


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "out" / "Train").mkdir(parents=True)
    (tmp_path / "out" / "Train" / "own").write_bytes(b"own")
    archive = make_zip(tmp_path / "a.zip", **{"Train/a": b"a", "Test/b": b"b"})
    for _ in range(2):
        assert unpack(archive, tmp_path / "out") == ["Test", "Train"]
        assert everything(tmp_path / "out") == ["Test/b", "Train/own"]


OUTSIDE = ["../evil", "a/../../evil", "/tmp/evil", "a\\..\\..\\evil", "C:/evil", "..", "a/..", "\\evil"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_no_member_leaves_the_folder(tmp_path: Path, name: str, kind: str) -> None:
    folder = tmp_path / "deep" / "folder"
    if kind == "zip":
        archive = make_zip(tmp_path / "a.zip", **{"good": b"good", name: b"evil"})
    else:
        archive = make_tar(tmp_path / "a.tar.gz", ("good", b"good", tarfile.REGTYPE), (name, b"evil", tarfile.REGTYPE))
    with pytest.raises(UserError, match=r"a\.(zip|tar\.gz): the member .* would leave .*folder; this is not the official archive"):
        unpack(archive, folder)
    assert everything(tmp_path) == [archive.name]  # nothing anywhere, not even the good member


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_of_a_tar(tmp_path: Path, kind: bytes) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("good", b"good", tarfile.REGTYPE), ("link", None, kind), ("link/x", b"x", tarfile.REGTYPE))
    with pytest.raises(UserError, match="the member 'link' is a link or a device"):
        unpack(archive, tmp_path / "out")
    assert everything(tmp_path) == ["a.tar.gz"]


def test_links_of_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UserError, match="the member 'link' is a link or a device"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert everything(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_damaged_archives_leave_nothing(tmp_path: Path, kind: str) -> None:
    content = hashlib.sha256(b"x").digest() * 4000
    make = {"zip": lambda p: make_zip(p, a=content, b=content), "tar.gz": lambda p: make_tar(p, ("a", content, tarfile.REGTYPE))}[kind]
    whole = make(tmp_path / f"whole.{kind}").read_bytes()
    bad = tmp_path / f"bad.{kind}"
    for data in (b"", b"PK\x03\x04", whole[: len(whole) // 2], whole[:40] + bytes(60) + whole[100:]):
        bad.write_bytes(data)
        with pytest.raises(UserError, match=rf"bad\.{kind}"):
            unpack(bad, tmp_path / "out")
        assert everything(tmp_path / "out") == []


def test_what_cannot_be_unpacked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"a\.rar is no \.zip, \.tar\.gz or \.tar; unpack it by hand into"):
        unpack(tmp_path / "a.rar", tmp_path)
    with pytest.raises(UserError, match=r"a\.zip is missing; download it first"):
        unpack(tmp_path / "a.zip", tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10, 8, 2))  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"a\.zip unpacks to 0\.0 GB, .* has 0\.0 GB free; free some space"):
        unpack(make_zip(tmp_path / "a.zip", a=b"three"), tmp_path / "out")


# --- the command


def test_download_checks_and_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archives = {name: make_zip(tmp_path / name, **{f"{name[:-4].title()}/0/1.bin": b"events"}) for name in ("train.zip", "test.zip")}
    sums = {name: hashlib.md5(path.read_bytes()).hexdigest() for name, path in archives.items()}
    monkeypatch.setattr(_download, "find", lambda name: replace(find(name), md5=sums))
    asked: list[str] = []

    def fetched(url: str, path: Path, *, md5: str, progress: object) -> bool:
        asked.append(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(archives[path.name], path)
        assert md5 == sums[path.name]
        return True

    monkeypatch.setattr(_download, "fetch", fetched)
    done = CliRunner().invoke(app, ["data", "download", "nmnist", "--to", str(tmp_path / "root")])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].endswith("NMNIST/train.zip: downloaded, the official file, unpacked to Train")
    assert lines[1].endswith("NMNIST/test.zip: downloaded, the official file, unpacked to Test")
    assert len(asked) == 2 and len(set(asked)) == 2
    assert (tmp_path / "root/NMNIST/Train/0/1.bin").read_bytes() == b"events"


@pytest.mark.parametrize("name", sorted(REMOTES))
def test_every_address_belongs_to_a_file_with_an_md5(name: str) -> None:
    entry, remote = find(name), REMOTES[name]
    names = remote.names or tuple(entry.md5)
    assert names and set(names) <= set(entry.md5)
    addresses = [remote.address(file) for file in names]
    assert len(set(addresses)) == len(names) and all(a.startswith("http") and "{" not in a for a in addresses)
    assert remote.folder in (*entry.paths, "")  # CIFAR's archives hold the folder themselves


@pytest.mark.parametrize("name", sorted(set(list_datasets()) - set(REMOTES)))
def test_sets_without_an_address_say_what_to_do(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"no address of its archives is known; (get it from http.* and provide |there is nothing to download)"
    ):
        download(name, tmp_path)


def test_without_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNN5_DATA_ROOT", raising=False)
    with pytest.raises(UserError, match="set SNN5_DATA_ROOT to one, or pass --to"):
        download("mnist")
