"""The P8.1 stage with a small liquid and coarse steps."""

from dataclasses import replace
from pathlib import Path

import pytest

from snn5 import config, record
from snn5.config import Camera, Data, Liquid
from snn5.datasets import prepare
from snn5.errors import UserError
from snn5.stages._stage import Stage
from snn5.stages.p8_lsm import run

ROOT = Path(__file__).parents[2]
LEARNING = ("ip", "ip_stdp", "ip_stdp_istdp")
GROUPS = (
    *("events", "events_gain0", "order_easy", "order_hard", "order_hard_gain0", "order_hard_theta2", "order_hard_theta4"),
    *(f"{task}_{rules}" for task in ("events", "order_hard") for rules in LEARNING),
)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    settings = config.load(ROOT / "params.yaml", profile="default")
    events = Data(dataset="digits_events", time_steps=5, camera=Camera(sensor=8, contrast=0.4))
    small = Liquid(neurons=60, dt_ms=5.0, delay_ms=5.0, refractory_ms=5.0, seeds=[0, 1])
    settings = replace(settings, data=replace(settings.data, events=events), p8=small)
    monkeypatch.chdir(tmp_path)
    prepare(settings, "events")
    return Stage(script="p8_lsm", args=(), config=settings, root=tmp_path)


def test_record(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run(stage)
    assert sorted(made.runs) == sorted(["input_counts", *(f"{group}-seed{seed}" for group in GROUPS for seed in (0, 1))])
    assert [path.name for path in stage.parents] == ["train.safetensors", "val.safetensors", "test.safetensors"]
    assert made.summary["verdict/deterministic"] == 1.0
    assert {row["name"] for row in made.details["claims"]} == {"deterministic", "accuracy", "order", "counts", "reversal", "recurrence"}
    assert made.summary["events/test/acc"] > 0.8 > 0.3 > made.summary["events/test/acc_reversed"]
    assert made.summary["events_gain0/cost/synops"] < made.summary["events/cost/synops"]
    assert made.summary["order_hard_theta4/cost/spike_rate"] < made.summary["order_hard_theta2/cost/spike_rate"]
    assert [name for name, one in made.runs.items() if "raster" in one.details] == ["events-seed0"]
    hashes = {made.runs[f"{group}-seed0"].details["sha256"]["wiring"] for group in ("events", *(f"events_{rules}" for rules in LEARNING))}
    assert len(hashes) == 4  # each rule has changed the liquid
    assert made.summary["ablation/events/ip/gain"] == pytest.approx(
        made.summary["events_ip/test/acc"] - made.summary["events/test/acc"], abs=1e-12
    )
    first, second = (made.runs[f"events-seed{seed}"] for seed in (0, 1))
    assert first.details["sha256"] != second.details["sha256"] and first.params == {"group": "events", "seed": 0}

    record.save(made, tmp_path / "one")
    monkeypatch.setenv("SNN5_WORKERS", "1")
    record.save(run(stage), tmp_path / "two")
    for name in ("metrics.json", "curves.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_missing_data(stage: Stage) -> None:
    Path("data/p7_data/events/val.safetensors").unlink()
    with pytest.raises(UserError, match=r"p8_lsm needs data/p7_data/events/val\.safetensors.*dvc repro p7_data"):
        run(stage)
