"""Runs in MLflow: what is logged, that it can be made again, and what is said when it cannot."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_project as toy

from snn5 import lockfile, tracking
from snn5.errors import UserError
from snn5.files import md5
from snn5.tracking._plan import effective, flatten

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow", "ignore::ResourceWarning")  # MLflow's own


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    for name in ("SNN5_TRACKING", "SNN5_TRIGGER", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "DVC_EXP_NAME"):
        monkeypatch.delenv(name, raising=False)
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    yield
    assert not list(here.iterdir())  # MLflow's own default for artifacts is ./mlruns


@pytest.fixture
def root(tmp_path: Path) -> Path:
    toy.make(tmp_path)
    toy.database(tmp_path)
    return tmp_path


def runs(root: Path) -> dict[str, Any]:
    """All runs by name."""
    api = tracking.client(root)
    home = api.get_experiment_by_name("snn5")
    return {run.info.run_name: run for run in api.search_runs([home.experiment_id])} if home else {}


def content(root: Path) -> dict[str, Any]:
    """What the runs hold, without what differs between two loggings of the same files."""
    api, own = tracking.client(root), ("mlflow.", "snn5.backfill", "snn5.process")
    found = {}
    for name, run in runs(root).items():
        curves = {key: [(m.step, m.value) for m in api.get_metric_history(run.info.run_id, key)] for key in run.data.metrics}
        tags = {key: value for key, value in run.data.tags.items() if not key.startswith(own)}
        files = sorted(file.path for file in api.list_artifacts(run.info.run_id))
        found[name] = (run.info.status, run.data.params, run.data.metrics, curves, tags, files)
    return found


def test_log_stage_makes_a_parent_and_a_child_per_run(root: Path) -> None:
    parent = tracking.log_stage(toy.NAME, Path(toy.OUT), root=root)
    found = runs(root)
    assert sorted(found) == [toy.NAME, "seed0", "seed1"]
    top = found[toy.NAME]
    assert top.info.run_id == parent and top.info.status == "FINISHED"
    assert top.data.metrics == {"test/acc": 0.55, "n_seeds": 2.0}
    assert top.data.tags["dvc.stage"] == toy.NAME and top.data.tags["snn5.phase"] == "p1" and top.data.tags["snn5.trigger"] == "manual"
    assert {k: v for k, v in top.data.tags.items() if k.startswith("out.")} == {f"out.{path}": md5(root / path) for path in toy.OUTS}
    assert top.data.tags[f"file.{toy.SEED0}"] == md5(root / toy.SEED0)
    child = found["seed1"]
    assert child.data.tags["mlflow.parentRunId"] == parent
    assert child.data.params == {"seed": "1", "tau": "2.5"}
    # The chosen epoch's 0.75 is what a table shows, though the curve ends at 0.5.
    assert child.data.metrics == {"test/acc": 0.6, "val/acc": 0.75, "train/loss": 0.5}
    history = tracking.client(root).get_metric_history(child.info.run_id, "val/acc")
    assert [(m.step, m.value) for m in history] == [(0, 0.25), (1, 0.75), (2, 0.5), (2, 0.75)]


def test_trigger_is_logged(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNN5_TRIGGER", "flow-7")
    tracking.log_stage(toy.NAME, Path(toy.OUT), root=root)
    assert runs(root)[toy.NAME].data.tags["snn5.trigger"] == "flow-7"


def test_off_logs_nothing_and_opens_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNN5_TRACKING", "off")
    (root / ".mlflow" / "mlflow.db").unlink()
    assert tracking.log_stage(toy.NAME, Path(toy.OUT), root=root) is None
    tracking.check(root)
    assert not (root / ".mlflow" / "mlflow.db").exists()
    with pytest.raises(UserError, match="SNN5_TRACKING=off"):
        tracking.backfill(root)
    monkeypatch.setenv("SNN5_TRACKING", "offf")
    with pytest.raises(UserError, match="SNN5_TRACKING='offf'; need on or off"):
        tracking.check(root)


def test_backfill_makes_the_same_runs_and_only_once(root: Path) -> None:
    assert tracking.backfill(root).made == [toy.NAME]
    first = content(root)
    assert first[toy.NAME][1] == {"p1.a.lr": "0.1", "p1.a.model_args.width": "8", "seeds": "[0, 1]", "profile": "default"}
    assert first[toy.NAME][5] == ["curves.csv", "metrics.json"]
    assert tracking.backfill(root) == tracking.Backfill(present=[toy.NAME])
    assert len(runs(root)) == 3

    (root / ".mlflow" / "mlflow.db").unlink()
    toy.shutil.rmtree(root / ".mlflow")
    toy.database(root)
    _forget()
    assert tracking.backfill(root).made == [toy.NAME]
    assert content(root) == first


def _forget() -> None:
    """MLflow keeps a connection to a database that the test replaces."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from mlflow.tracking._tracking_service import utils

    for engine in SqlAlchemyStore._engine_map.values():
        engine.dispose()
    SqlAlchemyStore._engine_map.clear()
    utils._tracking_store_registry._get_store_with_resolved_uri.cache_clear()


def test_backfill_takes_bytes_from_the_cache(root: Path) -> None:
    folder = root / toy.OUTS[0]
    entries = [{"md5": md5(f), "relpath": f.name} for f in sorted(folder.iterdir())]
    toy.cache(root, toy.OUTS[0], manifest=json.dumps(entries, sort_keys=True).encode())
    for path in toy.OUTS[1:]:
        toy.cache(root, path)
    toy.shutil.rmtree(root / "data")
    assert tracking.backfill(root).made == [toy.NAME]
    assert runs(root)[toy.NAME].data.tags[f"file.{toy.SEED0}"] == entries[0]["md5"]


def test_backfill_names_what_it_lacks(root: Path) -> None:
    place = toy.cache(root, toy.OUTS[1])
    toy.shutil.rmtree(root / "data")
    place.write_bytes(place.read_bytes()[:-1])  # a damaged object is as good as none
    assert tracking.backfill(root) == tracking.Backfill(missing=[toy.NAME])


def test_a_new_result_of_the_same_stage_is_a_new_run(root: Path) -> None:
    tracking.backfill(root)
    (root / toy.SEED0).write_bytes(b"other")
    toy.lock(root)
    assert tracking.backfill(root).made == [toy.NAME]


def test_a_run_that_a_killed_process_left_open_is_closed(root: Path) -> None:
    api = tracking.client(root)
    home = api.create_experiment("snn5", artifact_location=(root / "artifacts").as_uri())
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    owner = {"dvc.stage": toy.NAME, "snn5.process": f"{socket.gethostname()}/{gone.pid}"}
    dead = api.create_run(home, tags=owner).info.run_id
    child = api.create_run(home, tags={"mlflow.parentRunId": dead}).info.run_id
    mine = api.create_run(home, tags=owner | {"snn5.process": f"{socket.gethostname()}/{os.getpid()}"}).info.run_id
    assert tracking.backfill(root).made == [toy.NAME]  # an open run does not count as present
    assert [api.get_run(run).info.status for run in (dead, child, mine)] == ["KILLED", "KILLED", "RUNNING"]


def test_first_use_by_two_processes_at_once(tmp_path: Path) -> None:
    toy.make(tmp_path)
    code = f"from snn5 import tracking; from pathlib import Path; tracking.log_stage({toy.NAME!r}, Path({toy.OUT!r}), root=Path.cwd())"
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(p.communicate()[1], p.returncode) for p in both] == [("", 0), ("", 0)]
    api = tracking.client(tmp_path)
    assert len(api.search_runs([api.get_experiment_by_name("snn5").experiment_id])) == 6


def test_a_creation_that_was_killed_leaves_no_database(tmp_path: Path) -> None:
    code = "from snn5 import tracking; from pathlib import Path; tracking.prepare(Path.cwd())"
    child = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    folder, deadline = tmp_path / ".mlflow", time.monotonic() + 60
    while not [f for f in folder.glob(".mlflow.db.*.part") if f.stat().st_size > 0] and time.monotonic() < deadline:
        time.sleep(0.005)
    child.kill()
    child.wait()
    assert list(folder.glob(".mlflow.db.*.part")) and not (folder / "mlflow.db").exists()
    tracking.prepare(tmp_path)
    assert not list(folder.glob(".mlflow.db.*.part*"))
    tracking.check(tmp_path)


def test_a_server_that_is_not_there_is_told_quickly(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:secret@127.0.0.1:{port}")
    begin = time.monotonic()
    with pytest.raises(UserError) as caught:
        tracking.check(root)
    assert time.monotonic() - begin < 10
    text = str(caught.value)
    assert f"http://127.0.0.1:{port} does not answer" in text and "secret" not in text
    assert f"`mlflow server --host 127.0.0.1 --port {port}`" in text and "SNN5_TRACKING=off" in text
    with pytest.raises(UserError, match=f"`dvc commit -f {toy.NAME}` keeps them, and `snn5 track backfill`"):
        tracking.log_stage(toy.NAME, Path(toy.OUT), root=root)


def test_a_server_that_goes_away_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr("snn5.tracking._client.check_server", lambda where: None)  # it was there a moment ago
    begin = time.monotonic()
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9 does not answer .* switch tracking off with SNN5_TRACKING=off"):
        tracking.backfill(root)
    assert time.monotonic() - begin < 10


def test_a_broken_database_is_told(root: Path) -> None:
    (root / ".mlflow" / "mlflow.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(UserError, match=r"mlflow\.db cannot be used .* `snn5 track backfill`"):
        tracking.check(root)


def test_a_throw_away_copy_of_dvc_uses_the_real_database(tmp_path: Path) -> None:
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "standalone" / "tmp123"
    assert tracking.uri(copy) == tracking.uri(tmp_path) == f"sqlite:///{tmp_path}/.mlflow/mlflow.db"


def test_flatten_and_profile_overlay() -> None:
    assert flatten({"a": {"b": {"c": 1}, "d": {}}, "e.f": [1]}) == {"a.b.c": 1, "a.d": {}, "e.f": [1]}
    params = {
        "profile": "big",
        "p1.frames": {"lr": 0.1, "model_args": {"width": 8, "depth": 2}},
        "profiles.big": {"p1": {"frames": {"lr": 0.2, "model_args": {"width": 64}}, "events": {"lr": 9}}, "p4": {"epochs": 3}},
    }
    # As snn5.config lays it: leaves replace leaves, model_args as a whole; what the stage does not track stays out.
    assert effective(params) == {"profile": "big", "p1.frames.lr": 0.2, "p1.frames.model_args.width": 64}


def test_lockfile_reads_outputs_and_finds_their_maker(root: Path) -> None:
    lock = lockfile.read(root)
    stage = lock.stage(toy.NAME)
    assert stage.out == toy.OUT and set(stage.outs) == set(toy.OUTS)
    assert lock.producer(toy.SEED0) == (stage, toy.OUTS[0])
    assert lock.md5_of(toy.SEED0) == md5(root / toy.SEED0)
    assert lock.producer(f"{toy.OUT}/checkpoints2") is None and lock.md5_of("data/x") is None
    with pytest.raises(UserError, match=r"unknown stage in dvc\.lock 'p1_toy@a-c'; did you mean p1_toy@a-b"):
        lock.stage("p1_toy@a-c")


def test_lockfile_that_is_cut_short_is_told(root: Path) -> None:
    text = (root / "dvc.lock").read_text()
    for cut in (0, len("schema: '2.0'\nsta"), text.index("md5:") + 2):
        (root / "dvc.lock").write_text(text[:cut])
        with pytest.raises(UserError, match=r"`python -m snn5\.recover`"):
            lockfile.read(root)
    (root / "dvc.lock").unlink()
    assert lockfile.read(root).stages == {}


def test_cache_folder_follows_dvc_config(root: Path) -> None:
    (root / ".dvc").mkdir()
    assert lockfile.cache_folder(root) == root / ".dvc" / "cache"
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n[cache]\n    dir = ../elsewhere\n")
    assert lockfile.cache_folder(root) == root / "elsewhere"
