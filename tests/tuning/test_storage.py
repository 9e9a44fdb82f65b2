"""Where studies are kept."""

import json
import subprocess
import sys
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import optuna
import pytest

from snn5.errors import UserError
from snn5.tuning import open_storage


@pytest.fixture(autouse=True)
def no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNN5_OPTUNA_STORAGE", raising=False)


def names(storage: optuna.storages.BaseStorage) -> list[str]:
    found = sorted(optuna.get_all_study_names(storage))
    storage.remove_session()
    return found


def test_default_lies_in_the_checkouts_cache_and_lasts(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    optuna.create_study(study_name="kept", storage=storage)
    storage.remove_session()
    assert (tmp_path / ".cache" / "optuna" / "studies.db").is_file()
    assert names(open_storage(tmp_path)) == ["kept"]
    assert not list((tmp_path / ".cache" / "optuna").glob("*.part"))


def test_the_environment_and_an_argument_name_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNN5_OPTUNA_STORAGE", f"sqlite:///{tmp_path}/env.db")
    optuna.create_study(study_name="a", storage=open_storage(tmp_path))
    optuna.create_study(study_name="b", storage=open_storage(tmp_path, f"sqlite:///{tmp_path}/own.db"))
    assert names(open_storage(tmp_path)) == ["a"] and (tmp_path / "own.db").is_file()
    assert not (tmp_path / ".cache").exists()


def test_a_journal_file(tmp_path: Path) -> None:
    url = f"journal://{tmp_path}/studies.log"
    optuna.create_study(study_name="kept", storage=open_storage(tmp_path, url))
    assert optuna.get_all_study_names(open_storage(tmp_path, url)) == ["kept"]


def test_optuna_dashboard_shows_a_study(tmp_path: Path) -> None:
    """The page's own data, as its server hands them out."""
    optuna_dashboard = pytest.importorskip("optuna_dashboard")
    storage = open_storage(tmp_path)
    optuna.create_study(study_name="shown", storage=storage)
    said: list[str] = []
    environ: dict[str, object] = {}
    setup_testing_defaults(environ)
    environ["PATH_INFO"] = "/api/studies"
    body = b"".join(optuna_dashboard.wsgi(storage)(environ, lambda status, _headers, *_: said.append(status)))
    assert said == ["200 OK"] and "shown" in [s["study_name"] for s in json.loads(body)["study_summaries"]]
    storage.remove_session()


@pytest.mark.parametrize("url", ["postgresql+nothing://x", "not a url", "sqlite:////no/such/folder/s.db"])
def test_a_storage_that_cannot_be_opened(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match=r"(?s)cannot open the study storage .*; start its server, or unset SNN5_OPTUNA_STORAGE"):
        open_storage(tmp_path, url)


def test_four_processes_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Optuna itself crashes here: two of its migrations run at once."""
    code = (
        "import optuna, sys; from snn5.tuning import open_storage;"
        "optuna.create_study(study_name=sys.argv[2], storage=open_storage(sys.argv[1]))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"s{k}"], stderr=subprocess.PIPE, text=True) for k in range(4)
    ]
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    assert names(open_storage(tmp_path)) == ["s0", "s1", "s2", "s3"]
