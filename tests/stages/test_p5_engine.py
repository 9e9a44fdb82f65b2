"""P5.2's stage on networks and data small enough for a test."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from snn5 import checkpoint, config, record
from snn5.datasets import Split, save_split
from snn5.errors import UserError
from snn5.hardware import to_integer
from snn5.inference import engine
from snn5.models import create_model
from snn5.report._results import Results
from snn5.report.sections import _engine
from snn5.stages import p5_engine
from snn5.stages._stage import Stage

SEEDS = [0, 2]
PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNN5_WORKERS", "1")
    x = np.random.default_rng(0).integers(0, 3, (1, 20, 1, 8, 8), dtype=np.uint8)
    info = {"dataset": "frames", "scale": 2, "split": "test", "num_classes": 4}
    split = Split(x_TNCHW=x, y_N=np.arange(20) % 4, index_N=np.arange(20), info=info)
    save_split(split, "data/p7_data/frames/test.safetensors")
    for seed in SEEDS:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = create_model("sew_resnet8", width=4, neuron="plif", in_channels=1, num_classes=4, image_size=8, time_steps=3)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # current enough to spike
                torch.nn.init.constant_(module.weight, 4.0)
                torch.nn.init.constant_(module.bias, 1.0)
        args = {"model": model.name, "model_args": model.arguments, "dataset": "frames", "time_steps": 3, "neuron": "plif"}
        card = checkpoint.Card(**args, preprocessing={"scale": 2})
        checkpoint.save(checkpoint.of(model, card), f"data/p1_train/sew_resnet-frames/checkpoints/seed{seed}.safetensors")
        early = replace(card, cutoff={"rule": "gap", "epsilon": 0.0, "thresholds": [0.1, 0.1, 0.1]})
        checkpoint.save(checkpoint.of(model, early), f"data/p6_integrate/frames/checkpoints/seed{seed}.safetensors")
    return tmp_path


def stage(root: Path, *args: str) -> Stage:
    return Stage(script="p5_engine", args=args, config=replace(config.load(PARAMS), seeds=SEEDS), root=root)


def test_both_networks_are_compared(checkout: Path) -> None:
    this = stage(checkout, "frames")
    made = p5_engine.run(this)
    json.dumps(made.summary, allow_nan=False)
    record.save(made, this.out)
    assert record.load(this.out).summary == made.summary
    assert set(made.runs) == {"p1-seed0", "p1-seed2", "p6-seed0", "p6-seed2"}
    for source in ("p1", "p6"):
        assert made.summary[f"{source}/engine/differences"] == 0 and made.summary[f"{source}/n_seeds"] == 2
    assert made.summary["p1/cost/steps_mean"] == 3 and 1 <= made.summary["p6/cost/steps_mean"] < 3
    assert made.summary["p6/cost/synops"] < made.summary["p1/cost/synops"]
    for run in made.runs.values():
        assert run.metrics["engine/compared"] > 20 * 3 * 64 * 4
        assert run.metrics["engine/acc_change"] == pytest.approx(run.metrics["test/acc"] - run.metrics["float/test/acc"])
        assert run.params["n_test"] == 20 and len(run.curves["test/acc_by_step"]) == 3
    for seed in SEEDS:
        assert made.runs[f"p1-seed{seed}"].curves["test/acc_by_step"][-1][1] == made.runs[f"p1-seed{seed}"].metrics["test/acc"]


def test_a_difference_is_counted(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine gets another network than the reference."""
    real = engine.compile

    def wrong(network: object) -> object:
        first, *others = network.populations  # type: ignore[attr-defined]
        return real(replace(network, populations=(replace(first, threshold=first.threshold + 9), *others)))  # type: ignore[type-var]

    monkeypatch.setattr(engine, "compile", wrong)
    assert p5_engine.run(stage(checkout, "frames")).summary["p1/engine/differences"] > 0


def test_a_network_without_a_form_in_whole_numbers_is_a_result(checkout: Path) -> None:
    for seed in SEEDS:
        path = f"data/p6_integrate/frames/checkpoints/seed{seed}.safetensors"
        found = checkpoint.load(path)
        card = replace(found.card, model_args={**found.card.model_args, "neuron_args": {"v_reset": None}})
        checkpoint.save(replace(found, card=card), path)
    made = p5_engine.run(stage(checkout, "frames"))
    run = made.runs["p6-seed2"]
    assert run.metrics == {} and "cannot be ported to whole numbers" in run.details["not_portable"]
    assert "p6/n_seeds" not in made.summary and made.summary["p1/engine/differences"] == 0
    titles = [part.title for part in _engine.parts(Results({"p5_engine@frames": made}))]
    assert titles == ["The event-driven engine: exact, and what whole numbers cost", "Not ported: p6 (p5_engine@frames)"]


def test_the_words_are_checked(checkout: Path) -> None:
    with pytest.raises(UserError, match="p5_engine frame: need one argument, frames or events"):
        p5_engine.run(stage(checkout, "frame"))


def test_the_fixture_spikes(checkout: Path) -> None:
    network = to_integer(checkpoint.load("data/p1_train/sew_resnet-frames/checkpoints/seed0.safetensors"))
    x = np.random.default_rng(0).integers(0, 3, (1, 20, 1, 8, 8))
    assert all(spikes.any() for spikes in network.run(x).spikes.values())
