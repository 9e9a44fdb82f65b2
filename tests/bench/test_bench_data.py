"""`snn5 bench data`: both sides make the same frames, or there is no figure."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from snn5 import bench
from snn5.bench import _data
from snn5.cli import app
from snn5.errors import UserError


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNN5_DATA_ROOT", raising=False)
    few = _data.recordings(2)
    monkeypatch.setattr(_data, "recordings", lambda count: few)


def test_rows() -> None:
    said: list[str] = []
    rows = bench.data(quick=True, say=said.append)
    assert [r.name.split(",")[0] for r in rows] == said and len(rows) == 4
    assert all(r.theirs > 0 and r.ours > 0 and r.target == 5 and r.repeats == 5 and "2 random recordings" in r.name for r in rows)


def test_other_frames_are_no_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: object, **options: object) -> np.ndarray:
        return _data.__dict__["_right"](*arguments, **options) + 1

    monkeypatch.setattr(_data, "_right", _data.frames_from_events, raising=False)
    monkeypatch.setattr(_data, "frames_from_events", wrong)
    with pytest.raises(UserError, match="10 slices of equal length: recording 0 gives other frames than tonic's"):
        bench.data(quick=True)


def test_command(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "data", "--quick", "--json", str(tmp_path / "a.json")])
    assert done.exit_code == 0, done.output
    assert "tonic ToFrame" in done.stdout and len(json.loads((tmp_path / "a.json").read_text())["rows"]) == 4
