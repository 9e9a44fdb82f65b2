"""Which server a flow talks to when it runs in the caller's process."""

import os
from pathlib import Path
from typing import Any

import pytest

from flows import _run
from snn5 import _servers
from snn5.errors import UserError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Flows that only note that they were called, servers that are only addresses."""
    calls: list[Any] = []

    class Module:
        def __init__(self, name: str) -> None:
            setattr(self, name.removeprefix("flows."), lambda **parameters: calls.append((name, os.environ["PREFECT_API_URL"], parameters)))

    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_API_URL", "")
    monkeypatch.setattr(_run, "import_module", Module)
    monkeypatch.setattr(_run, "_temporary_server", lambda root: "temporary")
    return calls


def test_a_temporary_server_where_there_is_none(asked: list[Any]) -> None:
    _run.run(["p1", "roadmap"], force=True)
    assert asked == [("flows.p1_architectures", "temporary", {"force": True}), ("flows.roadmap", "temporary", {"force": True})]


def test_the_one_of_the_ui_where_it_runs(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_servers, "running", lambda root: "ui")
    _run.run(["p1"])
    assert asked == [("flows.p1_architectures", "ui", {})]


def test_the_one_that_the_user_names(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere/api")
    monkeypatch.setattr(_servers, "running", lambda root: "ui")
    _run.run(["p8"])
    assert asked == [("flows.p8_bio", "http://elsewhere/api", {})]


def test_a_wrong_name_is_found_before_anything_runs(asked: list[Any]) -> None:
    with pytest.raises(UserError, match="unknown phase 'p11'"):
        _run.run(["p1", "p11"])
    assert asked == []
    assert os.environ["PREFECT_API_URL"] == ""
