"""All phases in one run."""

import json
from pathlib import Path

import pytest
import toy_pipeline

from flows.roadmap import roadmap
from snn5._dvc import StageFailed


@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_the_roadmap_runs_every_phase_then_the_rest_and_goes_on_where_it_stopped(toy: Path) -> None:
    toy_pipeline.one_stage_a_phase(toy)
    text = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(text.replace("echo p5_x >", "false && echo p5_x >"))
    with pytest.raises(StageFailed, match="dvc repro p5_x"):
        roadmap()
    assert [path.name for path in sorted(Path("data").glob("p?_x")) if (path / "x").exists()] == ["p1_x", "p2_x", "p3_x", "p4_x", "p7_x"]
    Path("dvc.yaml").write_text(text)
    outcomes = roadmap()
    ran = [stage for stage, outcome in outcomes.items() if outcome == "ran"]
    assert ran == ["p5_x", "p6_x", "p8_x", "last"]
    assert json.loads(toy_pipeline.dvc(toy, "status", "--json")) == {}
