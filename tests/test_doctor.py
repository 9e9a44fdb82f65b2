"""What `snn5 doctor` finds."""

from importlib import metadata
from pathlib import Path

import pytest

from snn5 import _doctor
from snn5._doctor import Finding, examine

ROOT = Path(__file__).parents[1]


def packages(root: Path, pins: str, required: str) -> dict[str, Finding]:
    (root / "constraints.txt").write_text(pins)
    (root / "pyproject.toml").write_text(f"[project]\ndependencies = [{required}]\n")
    return {finding.what: finding for finding in _doctor._packages(root)}


def test_this_checkout_is_well() -> None:
    findings = {finding.what: finding for finding in examine(ROOT)}
    assert [f for f in findings.values() if f.state == "missing"] == []
    assert findings["torch"].found == f"{metadata.version('torch')} (pinned 2.13.0)"
    assert findings["Lava"].found == "0.10.0, imports"
    assert "off (SNN5_TRACKING=off)" in findings["MLflow tracking"].found


def test_a_missing_requirement_is_missing(tmp_path: Path) -> None:
    found = packages(tmp_path, "nowhere-to-be-found==1.0  # a comment\n", '"Nowhere_To.be-found>=1"')
    assert found["nowhere-to-be-found"] == Finding(
        what="nowhere-to-be-found", found="not installed (pinned 1.0)", state="missing", remedy="run `make install`"
    )


def test_a_version_out_of_range_is_missing(tmp_path: Path) -> None:
    found = packages(tmp_path, "", '"typer>=99"')
    assert (found["typer"].state, found["typer"].remedy) == ("missing", "need >=99; run `make install`")


def test_another_version_than_pinned_is_worth_a_note(tmp_path: Path) -> None:
    found = packages(tmp_path, "typer==0.0.1\nrich==0.0.1\n", '"typer"')
    assert {name: found[name].state for name in ("typer", "rich")} == {"typer": "note", "rich": "note"}
    assert "pinned 0.0.1" in found["rich"].found


def test_a_local_label_is_the_same_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_doctor, "_installed", lambda name: "2.13.0+cpu")
    found = packages(tmp_path, "torch==2.13.0\n", '"torch>=2.6,<2.14"')
    assert found["torch"] == Finding(what="torch", found="2.13.0+cpu (pinned 2.13.0)")


def test_as_pinned_but_not_ours_is_silent(tmp_path: Path) -> None:
    found = packages(tmp_path, f"rich=={metadata.version('rich')}\n", "")
    assert list(found) == ["constraints.txt"]
    assert found["constraints.txt"].found == "1 of 1 pinned packages are installed"


def test_the_wrong_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 10, 9))
    (found,) = _doctor._python(ROOT)
    assert found.state == "missing"
    assert "Python 3.11" in found.remedy


def test_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNN5_DATA_ROOT", str(tmp_path))
    (found,) = _doctor._data(ROOT)
    assert (found.state, found.found) == ("ok", f"{tmp_path}: none of the known sets")
    (tmp_path / "NMNIST").mkdir()
    (found,) = _doctor._data(ROOT)
    assert found.found == f"{tmp_path}: nmnist"
    monkeypatch.setenv("SNN5_DATA_ROOT", str(tmp_path / "nowhere"))
    (found,) = _doctor._data(ROOT)
    assert found.state == "missing"


def test_dvc_remote_and_cache(tmp_path: Path) -> None:
    assert next(_doctor._dvc(tmp_path)).state == "missing"
    digest = "d41d8cd98f00b204e9800998ecf8427e"
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    remote = store\n['remote \"store\"']\n    url = /somewhere\n")
    lock = f"schema: '2.0'\nstages:\n  p1_a:\n    cmd: x\n    outs:\n    - path: data/a\n      md5: {digest}\n      size: 0\n"
    (tmp_path / "dvc.lock").write_text(lock)
    remote, cache = _doctor._dvc(tmp_path)
    assert (remote.state, remote.found) == ("ok", "store")
    assert (cache.state, cache.found) == ("note", "0 of 1 outputs of dvc.lock")
    place = tmp_path / ".dvc" / "cache" / "files" / "md5" / digest[:2]
    place.mkdir(parents=True)
    (place / digest[2:]).touch()
    assert list(_doctor._dvc(tmp_path))[1].state == "ok"


def test_tracking_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNN5_TRACKING", "on")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    (found,) = _doctor._tracking(tmp_path)
    assert found.state == "missing"
    assert "does not answer" in found.remedy
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/runs.db")
    (found,) = _doctor._tracking(tmp_path)
    assert (found.state, found.found) == ("ok", f"sqlite:///{tmp_path}/runs.db")
