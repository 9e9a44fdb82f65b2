"""A phase: what it checks, what it runs, what it leaves in Prefect."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.exceptions import ParameterTypeError
from toy_pipeline import dvc

from flows._phase import Upstream, run_phase
from flows.p4_efficiency import p4_efficiency
from snn5._dvc import StageFailed
from snn5.errors import UserError

pytestmark = pytest.mark.usefixtures("server")


@flow
def phase(name: str, upstream: Upstream = "check", force: bool = False) -> dict[str, str]:
    return run_phase(name, upstream, force, {"test/acc": (">=", 0.95)})


def artifact(key: str) -> Any:
    async def latest() -> Any:
        async with get_client() as client:
            return next(a for a in await client.read_latest_artifacts() if a.key == key)

    return asyncio.run(latest())


def test_a_phase_reports(toy: Path) -> None:
    Path("data/p4_late/x").unlink()
    assert phase("p4") == {"p4_early": "unchanged", "p4_late": "cached"}
    rows = json.loads(artifact("p4-stages").data)
    assert [(row["stage"], row["outcome"]) for row in rows] == [("p4_early", "unchanged"), ("p4_late", "cached")]
    assert all(float(row["seconds"]) > 0 for row in rows)
    assert float(artifact("p4-progress").data) == 100.0
    assert "| p4_late | test/acc | 0.96 | 0.01 | >= 0.95 | met |" in artifact("p4-summary").data


def test_stale_stages_of_other_phases_are_named_or_rebuilt(toy: Path) -> None:
    before = Path("dvc.lock").read_bytes()
    Path("params.yaml").write_text("a: 2\n")
    with pytest.raises(UserError, match=r"p4 depends on 1 stage whose results are out of date: p7_data@frames; .* --upstream rebuild"):
        phase("p4")
    assert Path("dvc.lock").read_bytes() == before
    outcomes = phase("p4", upstream="rebuild")
    assert outcomes == dict.fromkeys(["p7_data@frames", "p1_train@net-frames", "p4_early", "p4_late"], "ran")
    rows = {row["stage"]: row for row in json.loads(artifact("p4-stages").data)}
    assert rows["p7_data@frames"]["seconds"] == ""  # ran for the sake of p1_train@net-frames


def test_force_runs_the_phase_and_nothing_else(toy: Path) -> None:
    assert phase("p4", force=True) == {"p4_early": "ran", "p4_late": "ran"}
    assert json.loads(dvc(toy, "status", "--json", "last")) == {}


def test_force_does_not_use_old_inputs(toy: Path) -> None:
    Path("params.yaml").write_text("a: 3\n")
    phase("p4", upstream="rebuild", force=True)
    assert "a: 3" in Path("data/p4_late/x").read_text()


def test_a_failure_is_reported_and_logged_without_traceback(toy: Path, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("prefect").addHandler(caplog.handler)
    try:
        with pytest.raises(StageFailed):
            phase("p6")
    finally:
        logging.getLogger("prefect").removeHandler(caplog.handler)
    assert [row["outcome"] for row in json.loads(artifact("p6-stages").data)] == ["failed"]
    logged = [record for record in caplog.records if record.name == "prefect.flow_runs" and "its last lines" in record.getMessage()]
    assert logged
    assert not any(record.exc_info for record in logged)


def test_a_phase_without_stages_says_what_there_is(toy: Path) -> None:
    with pytest.raises(UserError, match=r"dvc.yaml has no stage p9_\.\.\.; it has .*p4_late"):
        phase("p9")


def test_a_flow_takes_check_or_rebuild(toy: Path) -> None:
    with pytest.raises(ParameterTypeError, match="upstream"):
        p4_efficiency(upstream="perhaps")


def test_a_killed_run_is_mended_first(toy: Path) -> None:
    Path("dvc.lock").write_bytes(Path("dvc.lock").read_bytes()[:-40])
    outcomes = phase("p4", upstream="rebuild")
    assert outcomes == dict.fromkeys(["p7_data@frames", "p1_train@net-frames", "p4_early", "p4_late"], "cached")
