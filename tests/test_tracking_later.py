"""Runs that `make repro` logs for its stages: none is lost, none logged before its stage is done."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import toy_project as toy

from snn5 import tracking

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow", "ignore::ResourceWarning")  # MLflow's own
NOTE = Path(".cache", "unlogged", f"{toy.NAME}.json")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SNN5_TRACKING", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", tracking.LATER):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    toy.make(tmp_path)
    toy.database(tmp_path)
    return tmp_path


def starts(root: Path) -> dict[str, int]:
    """When the runs began, in ms, by name."""
    api = tracking.client(root)
    home = api.get_experiment_by_name("snn5")
    return {run.info.run_name: run.info.start_time for run in api.search_runs([home.experiment_id])} if home else {}


def leave(root: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setenv(tracking.LATER, "1")
    begun = time.time() - 60
    tracking.leave_or_log(toy.NAME, Path(toy.OUT), root=root, started=begun)
    return begun


def test_a_stage_of_its_own_logs_itself(root: Path) -> None:
    tracking.leave_or_log(toy.NAME, Path(toy.OUT), root=root, started=time.time())
    assert set(starts(root)) == {toy.NAME, "seed0", "seed1"} and not (root / NOTE).exists()


def test_what_a_stage_leaves_is_logged_with_its_own_beginning_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = leave(root, monkeypatch)
    assert starts(root) == {} and (root / NOTE).is_file()
    tracking.log_left(root)
    assert starts(root) == dict.fromkeys([toy.NAME, "seed0", "seed1"], round(begun * 1000)) and not (root / NOTE).exists()
    tracking.log_left(root)
    assert len(starts(root)) == 3


def test_what_is_still_to_run_waits(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(root, monkeypatch)
    tracking.log_left(root, but={toy.NAME})
    assert starts(root) == {} and (root / NOTE).is_file()


def test_a_note_stays_until_its_run_is_complete(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(root, monkeypatch)
    with monkeypatch.context() as broken:
        broken.setattr("snn5.tracking._later.log_stage", lambda *_args, **_how: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tracking.log_left(root)
    assert (root / NOTE).is_file()
    tracking.log_left(root)
    assert len(starts(root)) == 3


def test_a_note_keeps_what_was_true_when_it_was_left(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNN5_TRIGGER", "flow-7")
    leave(root, monkeypatch)
    monkeypatch.setenv("SNN5_TRIGGER", "flow-8")
    tracking.log_left(root)
    api = tracking.client(root)
    home = api.get_experiment_by_name("snn5")
    (run,) = api.search_runs([home.experiment_id], f"tags.`mlflow.runName` = '{toy.NAME}'")
    assert run.data.tags["snn5.trigger"] == "flow-7"


@pytest.mark.parametrize("gone", [True, False])
def test_outputs_that_are_no_longer_there_have_no_run(root: Path, monkeypatch: pytest.MonkeyPatch, gone: bool) -> None:
    leave(root, monkeypatch)
    record = root / toy.OUT / "metrics.json"
    if gone:
        record.unlink()
    else:
        record.write_text(record.read_text() + " ")  # DVC put an older one there
    tracking.log_left(root)
    assert starts(root) == {} and not (root / NOTE).exists()


def test_who_needs_the_outputs_finds_their_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make repro` was killed before it logged the stage; `dvc repro p6_integrate` goes on."""
    leave(root, monkeypatch)
    found = tracking.resolve(toy.SEED0, root=root)
    assert found.run_name == toy.NAME and not (root / NOTE).exists()


def test_a_backfill_makes_no_second_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = leave(root, monkeypatch)
    assert tracking.backfill(root).made == []
    tracking.log_left(root)
    assert starts(root) == dict.fromkeys([toy.NAME, "seed0", "seed1"], round(begun * 1000))


def test_switched_off_notes_wait(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(root, monkeypatch)
    with monkeypatch.context() as off:
        off.setenv("SNN5_TRACKING", "off")
        tracking.log_left(root)
    assert (root / NOTE).is_file()


def test_two_that_look_for_notes_at_once_log_each_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(root, monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: tracking.log_left(root), range(2)))
    assert len(starts(root)) == 3


def test_without_tracking_nothing_is_left(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNN5_TRACKING", "off")
    leave(root, monkeypatch)
    assert not (root / NOTE).exists()
