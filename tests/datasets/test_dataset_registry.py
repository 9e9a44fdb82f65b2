"""Names, metadata and what is said when something is not there."""

from pathlib import Path

import pytest

from snn5.datasets import describe, list_datasets, load
from snn5.datasets._registry import Entry, find, register
from snn5.datasets._root import configured_root
from snn5.errors import UserError

CLASSES = {"cifar100": 100, "ncars": 2, "ssc": 0, "shd": 20, "heidelberg_cochlea": 20, "dvsgesture": 11, "ncaltech101": 0}


def test_known_names() -> None:
    assert list_datasets() == [
        *("audio_folder", "cifar10", "cifar100", "cifar10dvs", "digits", "digits_events", "dvsgesture", "event_folder"),
        *("fashion_mnist", "heidelberg_cochlea", "image_folder", "mnist", "ncaltech101", "ncars", "nmnist", "shd", "ssc"),
    ]


@pytest.mark.parametrize("name", list_datasets())
def test_every_set_states_its_terms(name: str) -> None:
    entry = find(name)
    assert entry.source and entry.licence and entry.citation
    assert len(set(entry.classes)) == len(entry.classes)
    assert len(entry.classes) == (0 if entry.own else CLASSES.get(name, 10))
    assert bool(entry.files) == (not name.startswith("digits")) and bool(entry.paths) == (bool(entry.files) and not entry.own)
    assert all(path in entry.files for path in entry.paths)


def test_unknown_name() -> None:
    with pytest.raises(UserError, match="unknown data set 'n_mnist'; did you mean nmnist"):
        load("n_mnist", time_steps=4)


def test_a_name_is_given_once() -> None:
    entry = find("digits")
    with pytest.raises(ValueError, match="'digits' of kind 'frames': the name is taken"):
        register(entry)
    with pytest.raises(ValueError, match="'other' of kind 'sound'"):
        register(Entry(name="other", kind="sound", classes=(), source="", licence="", citation="", loader=entry.loader))
    assert "other" not in list_datasets()


def test_root_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for empty in (None, ""):
        monkeypatch.delenv("SNN5_DATA_ROOT", raising=False) if empty is None else monkeypatch.setenv("SNN5_DATA_ROOT", empty)
        assert configured_root() is None
        with pytest.raises(UserError, match="'nmnist' is read from your disk; set SNN5_DATA_ROOT to a folder that holds NMNIST/Train"):
            load("nmnist", time_steps=4)
    monkeypatch.setenv("SNN5_DATA_ROOT", str(tmp_path / "gone"))
    with pytest.raises(UserError, match=r"the folder .*/gone does not exist; set SNN5_DATA_ROOT"):
        load("nmnist", time_steps=4)
    with pytest.raises(UserError, match="NMNIST is missing"):
        load("nmnist", time_steps=4, root=tmp_path)  # the argument goes before the variable


def test_time_steps_are_checked() -> None:
    with pytest.raises(UserError, match="time_steps=0; need at least 1"):
        load("digits", time_steps=0)


def test_describe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SNN5_DATA_ROOT", raising=False)
    rows = {row["name"]: row for row in describe()}
    assert sorted(rows) == list_datasets()
    assert rows["digits"]["state"] == "built in" and rows["nmnist"]["state"] == "SNN5_DATA_ROOT is not set"
    (tmp_path / "NMNIST").mkdir()
    monkeypatch.setenv("SNN5_DATA_ROOT", str(tmp_path))
    rows = {row["name"]: row for row in describe()}
    assert rows["nmnist"]["state"] == "found" and rows["cifar10"]["state"] == "files missing"
