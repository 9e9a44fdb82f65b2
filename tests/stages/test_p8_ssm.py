"""The stage of the liquid's rival with a small network and long slices."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snn5 import config, record
from snn5.config import Camera, Data, Rival
from snn5.datasets import Split, prepare
from snn5.stages._stage import Stage
from snn5.stages.p8_ssm import run, square

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


def test_a_sounds_rows_become_channels_and_a_cameras_image_stays() -> None:
    """The network wants squares; a sound's slice is a column of channels."""
    x_TNCHW = np.arange(2 * 3 * 24, dtype=np.uint8).reshape(2, 3, 1, 24, 1)
    sound = Split(x_TNCHW=x_TNCHW, y_N=np.zeros(3, np.int64), index_N=np.arange(3), info={})
    assert square(sound).x_TNCHW.shape == (2, 3, 24, 1, 1) and np.array_equal(square(sound).x_TNCHW[..., 0, 0], x_TNCHW[:, :, 0, :, 0])
    camera = replace(sound, x_TNCHW=np.zeros((2, 3, 2, 8, 8), np.uint8))
    assert square(camera) is camera
