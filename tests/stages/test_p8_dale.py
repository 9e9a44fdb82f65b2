"""The P8.2 stage with few steps."""

from dataclasses import replace
from pathlib import Path

import pytest

from snn5 import config, record
from snn5.config import Dale
from snn5.datasets import prepare
from snn5.errors import UserError
from snn5.stages._stage import Stage
from snn5.stages.p8_dale import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    settings = config.load(ROOT / "params.yaml", profile="default")
    settings = replace(
        settings,
        p8_dale=Dale(seeds=[0, 1], steps=500, n_e=20, n_i=5, digit_steps=20, stream_steps=1, strengths=[0.4, 0.4, 0.05, 0.2, 0.2, 0.1]),
    )
    monkeypatch.chdir(tmp_path)
    prepare(settings, "frames")
    return Stage(script="p8_dale", args=(), config=settings, root=tmp_path)


def test_record(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run(stage)
    assert sorted(made.runs) == sorted(f"{name}-seed{seed}" for name in ("istdp", "frozen", "stdp", "e_only") for seed in (0, 1))
    assert made.summary["verdict/dale"] == 1.0 and made.summary["istdp/n_seeds"] == 2
    assert {row["name"] for row in made.details["claims"]} == {"dale", "kept", "ratio", "control", "target", "needed", "alive"}
    assert [name for name, one in made.runs.items() if "raster" in one.details] == ["istdp-seed0"]
    assert made.runs["e_only-seed1"].details["n_test"] == 450 and len(made.runs["frozen-seed0"].curves["rate_e"]) == 100
    assert made.runs["istdp-seed0"].metrics != made.runs["istdp-seed1"].metrics

    record.save(made, tmp_path / "one")
    monkeypatch.setenv("SNN5_WORKERS", "1")
    record.save(run(stage), tmp_path / "two")
    for name in ("metrics.json", "curves.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_missing_data(stage: Stage) -> None:
    Path("data/p7_data/frames/test.safetensors").unlink()
    with pytest.raises(UserError, match=r"p8_dale needs data/p7_data/frames/test\.safetensors.*dvc repro p7_data"):
        run(stage)
