"""The `snn5` command: what it prints, what it exits with, what it imports."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from snn5 import cli, datasets, tracking
from snn5._doctor import Finding
from snn5.errors import UserError
from snn5.tracking import Backfill, ModelRow

ROOT = Path(__file__).parents[1]
ROW = ModelRow(
    name="p1_train-a-seed0", version=2, alias="champion", path="data/p1_train/a/seed0.safetensors", md5="0" * 32, accuracy=0.98765
)


def snn5(*words: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of one command in this process."""
    result = CliRunner().invoke(cli.app, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(ROOT)


def test_help_names_the_commands_and_imports_little() -> None:
    code = """
import sys
from snn5.cli import app
try:
    app(["--help"])
finally:
    print([m for m in ("torch", "numpy", "prefect", "mlflow", "dvc", "optuna", "sklearn", "snn5.datasets", "flows") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *text, imported = done.stdout.splitlines()
    assert imported == "[]"
    assert all(any(word in line for line in text) for word in ("run", "data", "models", "track", "ui", "doctor"))


def test_an_error_of_the_user_is_one_line_without_traceback() -> None:
    assert snn5("run", "p9") == (1, "", "error: unknown phase 'p9'; did you mean p8, p7, p6?\n")


def test_a_long_error_is_not_broken_and_not_read_as_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    message = "[T,N,C,H,W] " + "x" * 500

    def broken() -> None:
        raise UserError(message)

    monkeypatch.setattr(tracking, "backfill", broken)
    assert snn5("track", "backfill") == (1, "", f"error: {message}\n")


def test_our_own_mistakes_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "backfill", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        snn5("track", "backfill")


def test_outside_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, error = snn5("doctor")
    assert status == 1
    assert "change into your SNN5 checkout" in error


@pytest.mark.parametrize(
    ("words", "phases", "parameters"),
    [
        ((), ["roadmap"], {"force": False}),
        (("p1", "p4_efficiency"), ["p1", "p4_efficiency"], {"force": False}),
        (("p2", "--force", "--upstream", "rebuild"), ["p2"], {"force": True, "upstream": "rebuild"}),
    ],
)
def test_run_passes_on_what_was_asked_for(
    words: tuple[str, ...], phases: list[str], parameters: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("flows._run.run", lambda phases, **parameters: asked.extend([phases, parameters]))
    assert snn5("run", *words)[0] == 0
    assert asked == [phases, parameters]


def test_run_knows_two_ways_with_upstream() -> None:
    status, _, error = snn5("run", "p1", "--upstream", "perhaps")
    assert status == 2
    assert "check" in error
    assert "rebuild" in error


@pytest.mark.parametrize(("states", "status"), [(["ok", "note"], 0), (["ok", "missing", "note"], 1)])
def test_doctor_fails_where_something_required_is_missing(states: list[str], status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [Finding(what=f"thing{n}", found="1.0", state=state, remedy="do this") for n, state in enumerate(states)]
    monkeypatch.setattr("snn5._doctor.examine", lambda root: findings)
    done = snn5("doctor")
    assert done[0] == status
    assert all(f.what in done[1] and f.state in done[1] for f in findings)


def test_data_list() -> None:
    status, text, _ = snn5("data", "list")
    assert status == 0
    assert all(name in text for name in datasets.list_datasets())
    assert text.count("[train|val|test/]<class>/") == 3  # not taken for markup


def test_data_prepare_and_verify(tmp_path: Path) -> None:
    status, text, _ = snn5("data", "prepare", "frames", "--to", str(tmp_path))
    assert (status, text) == (0, f"{tmp_path / 'frames'}: 1078 train, 269 val, 450 test\n")
    assert snn5("data", "verify", str(tmp_path / "frames"))[:2] == (0, f"{tmp_path / 'frames'}: all is well\n")
    (tmp_path / "frames" / "val.safetensors").unlink()
    status, text, error = snn5("data", "verify", str(tmp_path / "frames"))
    assert status == 1
    assert text == f"{tmp_path / 'frames'}: something is wrong\n"
    assert "val.safetensors is missing" in error


def test_data_prepare_of_an_unknown_slot() -> None:
    status, _, error = snn5("data", "prepare", "frame")
    assert status == 1
    assert "unknown data slot 'frame'; did you mean frames" in error


def test_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "list_models", lambda: [ROW])
    assert all(word in snn5("models", "list")[1] for word in ("p1_train-a-seed0", "champion", "0.9877"))
    monkeypatch.setattr(tracking, "promote", lambda path, alias, name: ROW if (str(path), alias, name) == ("a", "champion", None) else None)
    assert snn5("models", "promote", "a", "champion")[1] == f"p1_train-a-seed0 version 2 ({'0' * 32}) is now champion\n"
    monkeypatch.setattr(tracking, "pull", lambda alias, to: to / alias)
    assert snn5("models", "pull", "champion", str(tmp_path))[1] == f"{tmp_path / 'champion'}\n"


def test_backfill_counts_and_says_what_to_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "backfill", lambda: Backfill(made=["p1_a"], present=["p2_b", "p2_c"], missing=["p3_d"]))
    lines = snn5("track", "backfill")[1].splitlines()
    assert lines == [
        "1 made, 2 there already, 1 without their files here",
        "  p3_d: fetch its files with `dvc pull p3_d`, or make them with `dvc repro p3_d`",
    ]


def test_the_entry_point_is_a_typer() -> None:
    assert isinstance(cli.app, typer.Typer)
