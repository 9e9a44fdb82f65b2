"""The 23 tasks: complete, and never further than their figures."""

from collections import Counter

import pytest
import report_records

from snn5.record import Record, Run
from snn5.report import STAGES, TASKS, Results, record_of
from snn5.report._evidence import evidence


def test_all_tasks_of_the_roadmap() -> None:
    assert Counter(task.phase for task in TASKS) == {1: 4, 2: 3, 3: 1, 4: 3, 5: 3, 6: 2, 7: 3, 8: 4}
    assert [task.id for task in TASKS] == sorted({task.id for task in TASKS})
    assert all(task.title_ja and task.title for task in TASKS)


def test_nothing_is_measured_without_records() -> None:
    assert {task.state(Results({})) for task in TASKS} == {"not there yet"}
    assert {evidence(task, Results({})) for task in TASKS} == {""}


@pytest.mark.parametrize("task", [task for task in TASKS if task.stage], ids=lambda task: task.id)
def test_a_task_needs_its_figure(task: object) -> None:
    assert task.stage in STAGES
    full = report_records.results()
    assert task.state(full) == ("partly" if task.lacks else "measured")
    assert evidence(task, full)
    assert task.state(report_records.results(without=task.stage)) == "not there yet"
    del full.records[task.stage].summary[task.metric]
    assert task.state(full) == "not there yet"


@pytest.mark.parametrize(
    ("id_", "text"),
    [
        ("P1.1", "frames 97.0 ± 1.0 % (n = 450, 3 seeds)"),
        ("P1.1", "with 56 layers and a short training 96.0 ± 1.0 % (n = 450, 3 seeds) against 20.0 ± 1.0 % of the plain net"),
        ("P1.2", "with CML 98.0 ± 1.0 % (n = 450, 3 seeds), +2.0 points over its reference"),
        ("P1.4", "DTA 98.0 ± 1.0 % (n = 450, 3 seeds), +2.0 points over its reference; STAA 98.0"),
        ("P2.2", "GLIF 97.0 ± 0.0 % (n = 450, 3 seeds); with input-dependent gates 97.0 ± 0.0 %"),
        ("P2.1", "costs PLIF 2.0 points of test accuracy, LIF 55.0 (n = 450, 3 seeds)"),
        ("P2.3", "at 0.40 of its SynOps; claim met"),
        ("P3.1", "of 2 trials 1 ran to the end"),
        ("P4.1", "0.50 of the SynOps at 97.0 ± 1.0 %"),
        ("P4.2", "2 bit weights, 1/16.0 of the bytes: 97.5 ± 1.0 % (n = 450, 3 seeds), −0.5 points to float"),
        (
            "P4.3",
            "75 % of the weights gone without training: 97.0 ± 1.0 % (n = 450, 3 seeds), −1.0 points; magnitude pruning 80.0 ± 1.0 %",
        ),
        ("P5.1", "2.00× fewer steps; 97.0 ± 1.0 % (n = 450, 3 seeds), −0.2 points"),
        (
            "P5.3",
            "P6's network on frames: 0 spikes differ on NEST, 99.5 % same labels in s16.15, 24 cores of one 48-chip board (n = 200, "
            "1 seed); events: 0 spikes differ on NEST, 99.5 % same labels in s16.15, no place on one 48-chip board (n = 200, 1 seed)",
        ),
        ("P6.2", "of the dense ANN's arithmetic energy: frames 1/10.0 (1.00× of one that skips zeros); events 1/10.0"),
        ("P7.1", "by 0 in 24 comparisons"),
        ("P8.1", "order task 100.0 ± 0.0 % (n = 600, 5 seeds)"),
        ("P8.2", "to 1.05 ± 0.01 of what it was, 2.40 ± 0.01 where nothing learns (3 seeds); 0 weights against Dale's law"),
        ("P8.3", "rate back within 10 % after 2 000 steps at 4 times the gain and 2 000 at 1/4 (3 seeds); BCM alone is then 55 % off"),
        ("P8.4", "liquid: 4 of 4 seeds reach 90 %, 95.0 ± 0.8 % (n = 450, 4 seeds), the same bits again; gradients: 4 of 4"),
    ],
)
def test_evidence(id_: str, text: str) -> None:
    task = next(task for task in TASKS if task.id == id_)
    assert text in evidence(task, report_records.results()).replace("\u202f", " ")


def test_a_network_without_a_form_in_whole_numbers_is_told() -> None:
    full = report_records.results()
    lava = report_records.results().records["p5_lava"]
    lava.summary["networks_unported"] = 2.0
    board = Record(summary={"p1/nest/agreement": 1.0}, runs={"p6-seed0": Run(details={"not_portable": "x"})})
    found = Results({**full.records, "p5_lava": lava, "p5_spinnaker@frames": board})
    said = {id_: evidence(next(task for task in TASKS if task.id == id_), found).replace("\u202f", " ") for id_ in ("P5.2", "P5.3")}
    assert "; 2 cannot be ported" in said["P5.2"]
    lava.summary |= {"networks": 0.0, "networks_equal": 0.0}
    assert evidence(next(task for task in TASKS if task.id == "P5.2"), found).startswith("no network ran on Lava; 2 cannot be ported")
    assert said["P5.3"].startswith("P6's network on frames: not ported, as the chips cannot hold it; events: 0 spikes differ")
    assert said["P5.3"].endswith("(n = 200, 1 seed)")


def test_the_record_counts_the_states() -> None:
    found = record_of(report_records.results())
    states = Counter(run.params["state"] for run in found.runs.values())
    assert found.summary["tasks/not_there_yet"] == states["not there yet"] == 0
    assert sum(found.summary[f"tasks/{key}"] for key in ("measured", "partly", "not_there_yet")) == 23
    assert found.summary["target/2_reached"] == 0
