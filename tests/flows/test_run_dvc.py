"""DVC as Prefect tasks: outcomes, errors, retries, order."""

import json
import os
import sys
from pathlib import Path

import pytest
from prefect import flow
from toy_pipeline import dvc

from flows import _dvc
from flows._dvc import repro, stale
from snn5._dvc import Graph, StageFailed, environment, read_graph


@flow
def one(stage: str, force: bool = False) -> dict[str, str]:
    return repro(stage, force)


def test_the_graph_has_every_stage_after_those_it_reads_from(toy: Path) -> None:
    graph = read_graph()
    assert set(graph.parents) == set(dvc(toy, "stage", "list", "--name-only").split())
    order = list(graph.parents)
    assert all(order.index(parent) < order.index(stage) for stage, parents in graph.parents.items() for parent in parents)
    assert graph.stages("p4") == ["p4_early", "p4_late"]  # dvc.yaml has them the other way round
    assert graph.before(["p4_early", "p4_late"]) == ["p7_data@frames", "p1_train@net-frames"]


def test_a_phase_is_a_whole_prefix() -> None:
    graph = Graph(parents={"p1_a": [], "p1_b@x": ["p1_a"], "p10_c": [], "p1": []})
    assert graph.stages("p1") == ["p1_a", "p1_b@x"]


@pytest.mark.usefixtures("server")
def test_outcomes_follow_what_dvc_did(toy: Path) -> None:
    stage = "p1_train@twin-frames"
    assert one(stage) == {"p7_data@frames": "unchanged", stage: "ran"}
    assert one(stage) == {"p7_data@frames": "unchanged", stage: "unchanged"}
    Path("data/p1_train/twin-frames/x").unlink()
    assert one(stage)[stage] == "cached"
    assert one(stage, force=True) == {stage: "ran"}


@pytest.mark.usefixtures("server")
def test_a_failed_stage_says_its_last_lines_and_runs_once(toy: Path) -> None:
    with pytest.raises(StageFailed, match=r"`dvc repro p6_broken` failed with exit status \d+") as caught:
        one("p6_broken")
    assert len(caught.value.tail) == 15
    assert caught.value.tail[-2] == "line 29"
    assert "exited with 3" in caught.value.tail[-1]
    assert Path("attempts").read_text() == "x"


@pytest.mark.usefixtures("server")
def test_only_a_held_lock_is_tried_again(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []

    def busy_twice(*arguments: str, show: object) -> None:
        calls.append(arguments)
        if len(calls) < 3:
            raise StageFailed("dvc", 255, ["ERROR: 'data/x' is busy, it is being blocked by:"])

    monkeypatch.setattr(_dvc, "_run", busy_twice)

    @flow
    def patient() -> dict[str, str]:
        return repro.with_options(retry_delay_seconds=0)("p4_late")

    assert patient() == {}
    assert calls == [("repro", "p4_late")] * 3


def test_dvc_says_busy_in_the_words_we_know(toy: Path) -> None:
    holder = {"pid": os.getpid(), "cmd": "another dvc"}
    Path(".dvc/tmp/rwlock").write_text(json.dumps({"write": {str(toy / "data/p4_early/x"): holder}}))
    with pytest.raises(StageFailed) as caught:
        _dvc._run("repro", "--force", "--single-item", "p4_early", show=lambda line: None)
    assert caught.value.busy


@pytest.mark.usefixtures("server")
def test_stale_are_those_whose_inputs_moved_on(toy: Path) -> None:
    @flow
    def look() -> list[str]:
        return stale(["p7_data@frames", "p1_train@net-frames", "p4_early"])

    assert look() == []
    Path("params.yaml").write_text("a: 2\n")
    assert look() == ["p7_data@frames"]


@pytest.mark.usefixtures("server")
def test_a_stage_learns_who_triggered_it(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []
    monkeypatch.setattr("snn5._dvc.run", lambda *_arguments, show, extra: seen.append(extra))

    @flow
    def look() -> None:
        _dvc._run("version", show=print)

    state = look(return_state=True)
    _dvc._run("version", show=print)
    assert seen == [{"SNN5_TRIGGER": str(state.state_details.flow_run_id)}, {}]  # the second outside of a flow


def test_a_stage_finds_our_python() -> None:
    found = environment({"SNN5_TRIGGER": "x"})
    assert found["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert found["DVC_NO_ANALYTICS"] == "1" and found["SNN5_TRIGGER"] == "x"
