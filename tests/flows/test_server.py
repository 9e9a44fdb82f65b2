"""`snn5 ui` for real: a server, a worker and MLflow on ports of 127.0.0.1; a run that somebody starts, and one that starts by itself."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import toy_pipeline

from snn5 import _servers, _ui

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Pages:
    root: Path
    api: str
    mlflow: str
    process: subprocess.Popen[str]
    printed: list[str]

    def ask(self, path: str, body: Any = None) -> Any:
        return _servers.call(self.api, path, body)

    def deployment(self, name: str) -> dict[str, Any]:
        return next(d for d in self.ask("deployments/filter", {}) if d["name"] == name)

    def runs(self, deployment: dict[str, Any]) -> list[dict[str, Any]]:
        return self.ask("flow_runs/filter", {"flow_runs": {"deployment_id": {"any_": [deployment["id"]]}}})

    def finished(self, deployment: dict[str, Any]) -> dict[str, Any]:
        """The one run of `deployment`, when it is over."""
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            for run in self.runs(deployment):
                if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
                    return run
            time.sleep(0.5)
        raise AssertionError((self.runs(deployment), (self.root / ".prefect/logs/worker.log").read_text()))

    def artifacts(self, run: dict[str, Any]) -> dict[str, Any]:
        found = self.ask("artifacts/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
        return {artifact["key"]: artifact["data"] for artifact in found}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    root = toy_pipeline.make(tmp_path_factory.mktemp("ui"))
    shutil.copytree(REPOSITORY / "flows", root / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "prefect.yaml", root)
    env = {**os.environ, "PREFECT_HOME": str(root / ".prefect"), "SNN5_TRACKING": "on"}
    env["PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS"] = "2"  # how often it looks for new schedules: 60 by default
    ports = [_servers.free_port(), _servers.free_port()]
    command = [sys.executable, "-c", "from snn5.cli import app; app()", "ui"]
    command += ["--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1])]
    with subprocess.Popen(command, cwd=root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout
            printed = []
            for line in process.stdout:
                printed.append(line)
                if "Ctrl-C" in line:
                    break
            api, mlflow = (f"http://127.0.0.1:{port}" for port in ports)
            yield Pages(root, f"{api}/api", mlflow, process, printed)
        finally:
            process.terminate()


def test_the_addresses_it_tells_answer(pages: Pages) -> None:
    text = "".join(pages.printed)
    assert f"{pages.api[:-4]}  9 deployments in snn5-pool, one worker" in text
    for page in (pages.api[:-4], pages.mlflow):
        with urllib.request.urlopen(page, timeout=30) as answer:
            assert b"<html" in answer.read().lower()
    with urllib.request.urlopen(f"{pages.api[:-4]}/ui-settings", timeout=30) as answer:
        assert json.load(answer)["api_url"] == pages.api
    assert _servers.running(pages.root) == pages.api


def test_a_run_that_somebody_starts(pages: Pages) -> None:
    deployment = pages.deployment("p1")
    assert [schedule["active"] for schedule in deployment["schedules"]] == [False]
    pages.ask(f"deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
    run = pages.finished(deployment)
    assert run["state_type"] == "COMPLETED", (pages.root / ".prefect/logs/worker.log").read_text()
    artifacts = pages.artifacts(run)
    outcomes = {row["stage"]: row["outcome"] for row in json.loads(artifacts["p1-stages"])}
    assert outcomes == {"p1_train@net-frames": "unchanged", "p1_train@twin-frames": "ran"}
    assert "| p1_train@twin-frames | test/acc | 0.96 | 0.01 | >= 0.95 | met |" in artifacts["p1-summary"]
    assert float(artifacts["p1-progress"]) == 100.0


def test_a_run_that_starts_by_itself_and_a_schedule_that_stays(pages: Pages) -> None:
    deployment = pages.deployment("p7")
    begin = datetime.now(UTC) + timedelta(seconds=8)
    once = {"rrule": f"DTSTART:{begin:%Y%m%dT%H%M%S}\nRRULE:FREQ=DAILY;COUNT=1", "timezone": "UTC"}
    pages.ask(f"deployments/{deployment['id']}/schedules", [{"schedule": once, "active": True}])
    run = pages.finished(deployment)
    assert run["state_type"] == "COMPLETED", (pages.root / ".prefect/logs/worker.log").read_text()
    assert run["auto_scheduled"]
    assert "p7-stages" in pages.artifacts(run)
    assert (pages.root / "data/p7_data/events/x").is_file()
    before = pages.deployment("p7")["schedules"]
    assert [("rrule" in s["schedule"], s["active"]) for s in before] in ([(True, True), (False, False)], [(False, False), (True, True)])
    assert _ui._deploy(pages.root, pages.api) == 9  # as the next `snn5 ui` does
    assert pages.deployment("p7")["schedules"] == before


def test_two_workers_share_the_pool_and_cancelling_ends_a_stage(pages: Pages, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(pages.root, clone, ignore=shutil.ignore_patterns(".prefect", ".mlflow"))
    worker = _ui._worker(clone, pages.api, tmp_path / "worker.log")
    try:
        slow, quick = pages.deployment("p5"), pages.deployment("p4")
        hanging = pages.ask(f"deployments/{slow['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
        places = {pages.root, clone}
        assert soon(lambda: len(stages_in(places)) == 1)
        (stage,) = stages_in(places)
        free = (places - {Path(stage.cwd())}).pop()
        before = {place: (place / "data/p4_late/x").stat().st_mtime_ns for place in places}
        pages.ask(f"deployments/{quick['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}, "parameters": {"force": True}})
        assert pages.finished(quick)["state_type"] == "COMPLETED"
        assert {place for place in places if (place / "data/p4_late/x").stat().st_mtime_ns != before[place]} == {free}
        assert [run["state_type"] for run in pages.runs(slow)] == ["RUNNING"]
        family = [stage, *stage.children(recursive=True)]
        assert len(family) == 2
        pages.ask(f"flow_runs/{hanging['id']}/set_state", {"state": {"type": "CANCELLING"}})
        assert pages.finished(slow)["state_type"] == "CANCELLED"
        assert soon(lambda: not any(lives(process) for process in family))
    finally:
        worker.stop()


def stages_in(places: set[Path]) -> list[psutil.Process]:
    """The processes that run slow.py in one of `places`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[1:2] == ["slow.py"] and Path(process.cwd()) in places:
                found.append(process)
    return found


def lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def soon(condition: Callable[[], bool], seconds: float = 120.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)
    return condition()


def test_sigterm_ends_all_of_it(pages: Pages) -> None:
    family = psutil.Process(pages.process.pid).children(recursive=True)
    assert len(family) >= 6  # three servers, each with its guard
    pages.process.send_signal(signal.SIGTERM)
    assert pages.process.wait(timeout=90) == 128 + signal.SIGTERM
    assert [process for process in family if lives(process)] == []
    assert _servers.running(pages.root) is None
