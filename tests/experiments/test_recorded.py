"""What an experiment keeps: finished trainings by their settings, entries of the committed table likewise."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from experiments import _recorded
from experiments._recorded import Job, recorded, results
from snn5.config import Train
from snn5.files import write_json
from snn5.record import Run

SETTINGS = Train(model="sew_resnet8", epochs=2)


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trainings that only note in a file that they ran (they run in processes)."""
    log = tmp_path / "log"

    def train_one(settings: Train, splits: Any, *, seed: int, **_: Any) -> tuple[None, Run]:
        with log.open("a") as file:
            file.write(f"{settings.lr} {splits}\n")
        return None, Run(params={"seed": seed}, metrics={"test/acc_last": settings.lr}, details={"rates": {}})

    monkeypatch.setattr(_recorded, "train_one", train_one)
    monkeypatch.chdir(tmp_path)
    return log


def jobs(**lr: float) -> dict[str, Job]:
    return {name: Job(settings=replace(SETTINGS, lr=x), splits=lambda: "digits", time_steps=3, seed=(name,)) for name, x in lr.items()}


def test_what_is_kept_is_not_trained_again(trained: Path) -> None:
    first = results("toy", jobs(a=0.5, b=0.25))
    assert {name: found["metrics"]["test/acc_last"] for name, found in first.items()} == {"a": 0.5, "b": 0.25}
    assert first["a"]["params"]["seed"] != first["b"]["params"]["seed"]
    assert sorted(trained.read_text().split()) == sorted(["0.5", "digits", "0.25", "digits"])
    assert results("toy", jobs(a=0.5, b=0.25)) == first
    assert len(trained.read_text().splitlines()) == 2


def test_other_settings_are(trained: Path) -> None:
    results("toy", jobs(a=0.5, b=0.25))
    assert results("toy", jobs(a=0.5, b=0.125))["b"]["metrics"]["test/acc_last"] == 0.125
    assert len(trained.read_text().splitlines()) == 3
    assert results("other", jobs(a=0.5))["a"]["metrics"] == {"test/acc_last": 0.5}  # another experiment keeps its own
    assert len(trained.read_text().splitlines()) == 4


def test_the_suites_figures_are_made_where_they_are_wanted(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that is kept without them is done anew; its own figures go first."""

    class Test:
        test = "test"

    def figures(source: Any, test: str, seed: int, name: str) -> Run:
        return Run(metrics={"cost/synops": 7.0, "test/acc_last": 0.0})

    monkeypatch.setattr(_recorded, "figures", figures)
    plain = jobs(a=0.5)
    results("toy", plain)
    wanted = {"a": replace(plain["a"], suite=True, splits=Test)}
    assert results("toy", wanted)["a"]["metrics"] == {"cost/synops": 7.0, "test/acc_last": 0.5}
    assert len(trained.read_text().splitlines()) == 2
    assert results("toy", wanted) == results("toy", plain)  # both are content with what is kept now
    assert len(trained.read_text().splitlines()) == 2


def test_entries_of_the_table_count_only_with_the_same_settings_and_data(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    now = {"a": asdict(SETTINGS), "b": asdict(SETTINGS)}
    assert recorded(path, "families", now) == {}
    entries = {"a": {"settings": now["a"], "n": 3}, "b": {"settings": {**now["b"], "lr": 0.9}}, "gone": {"settings": {}}}
    write_json(path, {"data": {"folds": 5}, "families": entries})
    assert recorded(path, "families", now, data={"folds": 5}) == {"a": entries["a"]}
    assert recorded(path, "families", now, data={"folds": 4}) == {}
