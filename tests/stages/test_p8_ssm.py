"""The stage of the liquid's rival with a small network and long slices."""

from dataclasses import replace
from pathlib import Path

import pytest

from snn5 import config, record
from snn5.config import Camera, Data, Rival
from snn5.datasets import prepare
from snn5.stages._stage import Stage
from snn5.stages.p8_ssm import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    settings = config.load(ROOT / "params.yaml", profile="default")
    events = Data(dataset="digits_events", time_steps=5, camera=Camera(sensor=8, contrast=0.4))
    train = replace(settings.p8_ssm.train, epochs=2, model_args={"width": 8, "depth": 1, "d_state": 2})
    small = Rival(dt_ms=60.0, order_epochs=2, seeds=[0, 1], target=0.1, train=train)
    liquid = replace(settings.p8, dt_ms=5.0, delay_ms=5.0, refractory_ms=5.0)
    settings = replace(settings, data=replace(settings.data, events=events), p8=liquid, p8_ssm=small)
    monkeypatch.chdir(tmp_path)
    prepare(settings, "events")
    return Stage(script="p8_ssm", args=(), config=settings, root=tmp_path)


def test_record(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run(stage)
    assert sorted(made.runs) == [f"{task}-seed{seed}" for task in ("events", "order_hard") for seed in (0, 1)]
    assert [path.name for path in stage.parents] == ["train.safetensors", "val.safetensors", "test.safetensors"]
    assert made.summary["verdict/deterministic"] == 1.0 and made.details["n_test"] == 450
    assert made.runs["events-seed0"].params["time_steps"] == 5 and made.runs["order_hard-seed0"].params["time_steps"] == 20
    assert made.summary["events/test/acc"] > 0.1  # two epochs: above chance, no more is asked
    hashes = {run.details["sha256"]["weights"] for run in made.runs.values()}
    assert len(hashes) == 4

    record.save(made, tmp_path / "one")
    monkeypatch.setenv("SNN5_WORKERS", "1")
    record.save(run(stage), tmp_path / "two")
    for name in ("metrics.json", "curves.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
