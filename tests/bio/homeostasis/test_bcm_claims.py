"""BCM's stability bound and what it does to a population (C8.9), and the verdict over seeds."""

from dataclasses import replace
from typing import Any

import pytest

from snn5.bio.homeostasis import VARIANTS, bcm_at_loop_gain, stability_bound, trial, verdict
from snn5.config import Homeostasis
from snn5.record import Run


@pytest.mark.parametrize(("gain", "stable"), [(0.3, True), (0.8, True), (1.25, False), (2.0, False)])
def test_the_bound_lies_at_a_loop_gain_of_one(gain: float, stable: bool) -> None:
    found = bcm_at_loop_gain(gain, steps=4000)
    assert found["loop_gain"] == pytest.approx(gain)
    assert (found["end"] < found["start"]) == stable
    assert (found["y_max"] < 1.1) == stable


def test_what_is_not_as_predicted_would_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {"loop_gain": 0.5, "start": 0.1, "end": 0.2, "y_max": 2.0}
    monkeypatch.setattr("snn5.bio.homeostasis._verdict.bcm_at_loop_gain", lambda gain: seen | {"loop_gain": gain})
    assert [row["as_predicted"] for row in stability_bound((0.5, 2.0))] == [0.0, 1.0]


def test_bcm_becomes_selective_and_its_threshold_follows_the_second_moment() -> None:
    settings = Homeostasis(seeds=[0], neurons=10, first_steps=80000, steps=2000, window=1000, back_steps=1000)
    found = trial(settings, VARIANTS["bcm"], 0).metrics
    assert found["x1/selectivity"] > 0.7 and found["bcm/theta_error"] < 0.05
    plain = trial(replace(settings, first_steps=10000), VARIANTS["threshold"], 0).metrics
    assert plain["x1/selectivity"] < 0.4 and "bcm/theta_error" not in plain


def made(**changes: float) -> Run:
    metrics = {
        f"{phase}/{key}": value for phase in ("x1", "x4", "x0.25") for key, value in (("settled_steps", 2000.0), ("selectivity", 0.8))
    }
    return Run(metrics=metrics | {"bcm/theta_error": 0.01} | {name.replace("__", "/"): value for name, value in changes.items()})


def test_the_verdict_is_the_worst_seeds() -> None:
    settings = Homeostasis()
    never = {"x4/settled_steps": 12000.0, "x0.25/settled_steps": 12000.0}
    groups: dict[str, list[Run]] = {name: [made(), made()] for name in ("threshold", "both", "bcm")}
    groups["none"] = [made(**never), made(**never)]
    bound: list[dict[str, Any]] = [{"as_predicted": 1.0}] * 4
    summary, rows = verdict(settings, groups, bound)
    assert summary["verdict/all"] == 1.0 and len(rows) == 6
    for group, change, missed in (
        ("threshold", {"x0.25/settled_steps": 6000.0}, "threshold"),
        ("both", {"x4/settled_steps": 6000.0}, "both"),
        ("both", {"x4/selectivity": 0.6}, "selective"),
        ("bcm", {"bcm/theta_error": 0.06}, "moment"),
        ("none", {"x4/settled_steps": 2000.0}, "control"),
    ):
        worse = groups | {group: [groups[group][0], Run(metrics=groups[group][1].metrics | change)]}
        found, _ = verdict(settings, worse, bound)
        assert found[f"verdict/{missed}"] == 0.0 == found["verdict/all"], missed
    assert verdict(settings, groups, [*bound[1:], {"as_predicted": 0.0}])[0]["verdict/bound"] == 0.0
