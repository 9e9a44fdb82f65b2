"""The md5 of official files: found, missing, wrong."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from snn5.cli import app
from snn5.datasets import _official, verify_official
from snn5.datasets._registry import find
from snn5.errors import UserError
from snn5.files import md5


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MNIST with two of four files, whose md5 the registry knows."""
    entry = find("mnist")
    (tmp_path / "MNIST/raw").mkdir(parents=True)
    known = dict(entry.md5)
    for name, folder in zip(sorted(known)[:2], ("MNIST", "MNIST/raw"), strict=True):
        (tmp_path / folder / name).write_bytes(gzip.compress(name.encode(), mtime=0))
        known[name] = md5(tmp_path / folder / name)
    monkeypatch.setattr(_official, "find", lambda name: replace(entry, md5=known))
    return tmp_path


def test_every_file_has_a_line(root: Path) -> None:
    lines = verify_official("mnist", root)
    assert len(lines) == 4 and sum(line.endswith(": the official file") for line in lines) == 2
    assert sum("not here" in line for line in lines) == 2


def test_another_file_is_named(root: Path) -> None:
    path = next((root / "MNIST/raw").iterdir())
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match=rf"{path.name} has the md5 \w+, the official file has \w+; download it again"):
        verify_official("mnist", root)


def test_sets_without_md5(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'event_folder': no md5 of official files is known; of your own folder a SHA256SUMS is checked"):
        verify_official("event_folder", tmp_path)
    with pytest.raises(UserError, match="unknown data set 'minst'; did you mean mnist"):
        verify_official("minst", tmp_path)


def test_command(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNN5_DATA_ROOT", str(root))
    done = CliRunner().invoke(app, ["data", "verify", "mnist"])
    assert done.exit_code == 0 and done.stdout.count("the official file") == 2
