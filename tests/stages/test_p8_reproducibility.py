"""The P8.4 stage with small learners."""

from dataclasses import replace
from pathlib import Path

import pytest

from snn5 import config, record
from snn5.config import Liquid, Train
from snn5.datasets import Split, load_split, prepare, save_split
from snn5.errors import UserError
from snn5.stages._stage import Stage
from snn5.stages.p8_reproducibility import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    settings = config.load(ROOT / "params.yaml", profile="default")
    train = Train(
        model="spiking_mlp", model_args={"hidden": [16]}, epochs=8, batch_size=16, lr=2e-2, loss="rate", shift_pixels=0, guard_epochs=0
    )
    own = replace(settings.p8_reproducibility, seeds=[0, 1], runs=2, neurons=30, liquid_steps=12, train_steps=4, train=train, bins=1)
    settings = replace(settings, p8=Liquid(neurons=30), p8_reproducibility=own)
    monkeypatch.chdir(tmp_path)
    prepare(settings, "frames")
    for side in ("train", "val", "test"):  # a tenth of the samples
        path = Path(f"data/p7_data/frames/{side}.safetensors")
        split = load_split(path)
        save_split(Split(x_TNCHW=split.x_TNCHW[:, ::10], y_N=split.y_N[::10], index_N=split.index_N[::10], info=split.info), path)
    return Stage(script="p8_reproducibility", args=(), config=settings, root=tmp_path)


def test_record(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run(stage)
    assert (made.summary["bio/r0/bits"], made.summary["sg/r0/bits"]) == (1.0, 1.0)
    assert made.summary["bio/test/acc"] > 0.3 < made.summary["sg/test/acc"]  # chance is 0.1
    assert [row["name"].split("_")[1] for row in made.details["claims"]] == 2 * [
        "bits",
        "success",
        "proved",
        "steady",
        "spread",
        "agreement",
    ]
    assert made.details["bio"]["differs"]["other process"] == []
    assert {"bio-seeds-seed0", "sg-seeds-seed1", "bio-bits-one_at_a_time", "bio-sources-init+noise-run1", "bio-codes-ttfs-seed1"} <= set(
        made.runs
    )
    assert not any(name.startswith("sg-sources") for name in made.runs)
    first, second = (made.runs[f"sg-seeds-seed{seed}"] for seed in (0, 1))
    assert first.details["sha256"] != second.details["sha256"] and first.params["seed"] == 0 and first.details["n_test"] == 45
    assert made.runs["bio-seeds-seed0"].params["init"] == made.runs["bio-sources-init+noise-run0"].params["init"]

    record.save(made, tmp_path / "one")
    monkeypatch.setenv("SNN5_WORKERS", "1")
    record.save(run(stage), tmp_path / "two")
    for name in ("metrics.json", "curves.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_missing_data(stage: Stage) -> None:
    Path("data/p7_data/frames/val.safetensors").unlink()
    with pytest.raises(UserError, match=r"p8_reproducibility needs data/p7_data/frames/val\.safetensors.*dvc repro p7_data"):
        run(stage)
