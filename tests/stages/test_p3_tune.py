"""P3.1's stage on a network and data small enough for a test."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from snn5 import checkpoint, config, record
from snn5.datasets import Split, save_split
from snn5.stages import p3_tune
from snn5.stages._stage import Stage
from snn5.tuning import open_storage

PARAMS = Path(__file__).parents[2] / "params.yaml"


def write_split(side: str, first: int, count: int) -> None:
    """Images whose brighter half is the class."""
    y_N = np.arange(count) % 2
    x = np.random.default_rng(first).integers(0, 9, (1, count, 1, 8, 8), dtype=np.uint8)
    for n, y in enumerate(y_N):
        x[0, n, 0, 4 * y : 4 * y + 4] += 8
    info = {"dataset": "frames", "scale": 4, "split": side, "num_classes": 2}
    save_split(Split(x_TNCHW=x, y_N=y_N, index_N=np.arange(first, first + count), info=info), f"data/p7_data/frames/{side}.safetensors")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNN5_WORKERS", "1")
    monkeypatch.delenv("SNN5_OPTUNA_STORAGE", raising=False)
    for side, first, count in (("train", 0, 32), ("val", 40, 16), ("test", 60, 16)):
        write_split(side, first, count)
    return tmp_path


def stage(root: Path, **changes: int) -> Stage:
    settings = config.load(PARAMS)
    lively = {"width": 4, "neuron_args": {"tau": 1.2, "v_threshold": 0.4}}
    frames = replace(settings.p1.frames, model_args=lively, epochs=2, batch_size=8, shift_pixels=0, precision="fp32")
    p3 = replace(settings.p3, **({"trials": 3, "max_epochs": 2, "tradeoff_trials": 3, "tradeoff_epochs": 2} | changes))
    p1 = replace(settings.p1, frames=frames)
    return Stage(script="p3_tune", args=(), config=replace(settings, seeds=[0], p1=p1, p3=p3), root=root)


def test_p3_tune(checkout: Path) -> None:
    this = stage(checkout)
    made = p3_tune.run(this)
    json.dumps([made.summary, made.details], allow_nan=False)
    record.save(made, this.out)
    assert record.load(this.out).summary == made.summary
    assert [name for name in made.runs if name.startswith("trial")] == ["trial000", "trial001", "trial002"]
    assert made.summary["study/complete"] + made.summary["study/pruned"] == made.summary["tradeoff/trials"] == 3
    assert made.summary["study/epochs"] == sum(len(run.curves.get("val/acc", [])) for run in made.runs.values() if "state" in run.params)
    assert made.summary["study/epochs_unpruned"] == 6
    # the retrained point is the best trial's, with its rate penalty in the history
    point = made.details["point"]
    assert point == {k: made.runs[f"trial{made.details['trial']:03d}"].params[k] for k in point}
    card = checkpoint.load(this.out / "checkpoints" / "seed0.safetensors").card
    assert card.model_args["neuron_args"]["tau"] == point["tau"] and card.model_args["neuron_args"]["surrogate"] == point["surrogate"]
    assert card.transforms[-1].args["strength"] == point["rate_penalty"]
    assert card.transforms[-1].args["regulariser"] == {"name": "MeanRate"}
    # nothing on the front is beaten
    trials = {n: made.runs[f"tradeoff{n:03d}"].metrics for n in range(3)}
    on = [trials[n] for n in made.details["front"]]
    assert on and len(on) == made.summary["tradeoff/front"]
    for one in on:
        for other in filter(None, trials.values()):
            assert other == one or other["val/acc"] < one["val/acc"] or other["cost/synops"] > one["cost/synops"]


def test_the_same_on_every_run(checkout: Path) -> None:
    small = {"trials": 2, "tradeoff_trials": 2}
    assert p3_tune.run(stage(checkout, **small)) == p3_tune.run(stage(checkout, **small))


def test_several_workers_share_both_studies(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes per study: every trial is there once, and the storage says who did it."""
    monkeypatch.setenv("SNN5_WORKERS", "2")
    made = p3_tune.run(stage(checkout, workers=2, trials=2, tradeoff_trials=2))
    assert made.summary["study/complete"] + made.summary["study/pruned"] == made.summary["tradeoff/trials"] == 2
    storage = open_storage(checkout)
    trials = [t for name in optuna.get_all_study_names(storage) for t in optuna.load_study(study_name=name, storage=storage).get_trials()]
    assert len(trials) == 4 and all(len(t.user_attrs["worker"]) == 3 for t in trials)
