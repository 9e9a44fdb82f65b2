"""Publishing, the stage script, and dvc.yaml's part."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import report_records
import yaml

from snn5 import record
from snn5.errors import UserError
from snn5.files import find_root, md5
from snn5.report import STAGES, folder
from snn5.report.publish import publish, stale
from snn5.stages import report as stage_script

ROOT = find_root(Path(__file__).parent)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "roadmap.html").write_text("<p>x</p>")
    (tmp_path / "reports" / "a.png").write_bytes(b"png")
    lock(tmp_path)
    return tmp_path


def lock(root: Path) -> None:
    outs = [{"path": "reports", "hash": "md5", "md5": md5(root / "reports")}]
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"report": {"cmd": "x", "outs": outs}}}))


def test_publish_copies_and_removes_what_is_old(project: Path) -> None:
    (project / "docs/results").mkdir(parents=True)
    (project / "docs/results/old.png").write_bytes(b"old")
    assert [path.name for path in publish(project)] == ["a.png", "roadmap.html"]
    assert md5(project / "docs/results") == md5(project / "reports")
    assert stale(project) is None


def test_only_the_bytes_of_dvc_lock_are_published(project: Path) -> None:
    (project / "reports/a.png").write_bytes(b"other")
    with pytest.raises(UserError, match=r"reports/ has md5 \w+\.dir, dvc\.lock says .*run `dvc repro report`"):
        publish(project)
    assert not (project / "docs").exists()


def test_publish_without_a_report(project: Path) -> None:
    (project / "dvc.lock").unlink()
    with pytest.raises(UserError, match=r"never made; make it with `dvc repro report`"):
        publish(project)


def test_publish_without_the_files(tmp_path: Path, project: Path) -> None:
    for file in (project / "reports").iterdir():
        file.unlink()
    (project / "reports").rmdir()
    with pytest.raises(UserError, match=r"reports/ is missing; .*dvc checkout reports"):
        publish(project)


def test_stale_results_are_found(project: Path) -> None:
    assert stale(project) is None  # nothing published yet
    publish(project)
    (project / "docs/results/a.png").write_bytes(b"other")
    assert "run `make publish`" in (stale(project) or "")


def test_what_git_keeps_is_what_dvc_lock_names() -> None:
    assert stale(ROOT) is None


def test_dvc_yaml_lists_every_record_that_the_report_reads() -> None:
    deps = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["report"]["deps"]
    records = {path for path in deps if path.startswith("data/")}
    assert records == {(folder(stage) / name).as_posix() for stage in STAGES for name in ("metrics.json", "curves.csv")}
    assert {"snn5/report", "snn5/stages/report.py"} <= set(deps)


def test_the_stage_reads_its_records_and_writes_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, made in report_records.results().records.items():
        record.save(made, folder(name))
    asked: list[Path] = []
    found = stage_script.run(SimpleNamespace(root=tmp_path, input=lambda path: asked.append(path) or path))
    assert len(asked) == 2 * len(STAGES) and all(path.is_file() for path in asked)
    names = {path.name for path in (tmp_path / "reports").iterdir()}
    assert {"roadmap.html", "training.png", "coding_raster.png", "liquid_raster.png", "energy.png"} <= names
    assert found.runs["P1.1"].params["state"] == "partly"
