"""p5_lava on two small networks: what is compared, what is recorded, and a difference that it must report."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from snn5 import checkpoint, config, record
from snn5.datasets import Split, save_split
from snn5.errors import UserError
from snn5.hardware import IntegerNetwork, Trace, lava
from snn5.models import create_model
from snn5.report._parts import Missing
from snn5.report._results import Results
from snn5.report.sections import _lava
from snn5.stages import p5_lava
from snn5.stages._stage import Stage

PARAMS = Path(__file__).parents[2] / "params.yaml"
P1 = "data/p1_train/sew_resnet-frames/checkpoints/seed{}.safetensors"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNN5_WORKERS", "1")
    monkeypatch.setattr(p5_lava, "NETWORKS", {"dense": ("frames", ""), "p1-frames": ("frames", P1)})
    for slot in ("frames", "events"):
        for side, first, count in (("train", 0, 40), ("val", 40, 12), ("test", 60, 12)):
            x = np.random.default_rng(first).integers(0, 3, (1, count, 1, 8, 8), dtype=np.uint8)
            info = {"dataset": slot, "scale": 2, "split": side, "num_classes": 4}
            split = Split(x_TNCHW=x, y_N=np.arange(count) % 4, index_N=np.arange(first, first + count), info=info)
            save_split(split, f"data/p7_data/{slot}/{side}.safetensors")
    shape = {"in_channels": 1, "num_classes": 4, "image_size": 8, "time_steps": 3}
    model = create_model("sew_resnet8", width=2, neuron="if", **shape)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.bias, 0.4)
    args = {"model": model.name, "model_args": model.arguments, "dataset": "frames", "time_steps": 3, "neuron": "if"}
    checkpoint.save(checkpoint.of(model, checkpoint.Card(**args, preprocessing={"scale": 2})), P1.format(0))
    settings = config.load(PARAMS)
    small = replace(settings, seeds=[0], p5_lava=replace(settings.p5_lava, samples=5, width=8, epochs=2))
    return Stage(script="p5_lava", args=(), config=small, root=tmp_path)


def test_both_networks_are_proved_and_recorded(stage: Stage) -> None:
    made = p5_lava.run(stage)
    assert made.summary["networks"] == made.summary["networks_equal"] == 2.0
    for name in ("dense", "p1-frames"):
        run = made.runs[f"{name}-seed0"]
        assert run.metrics["int/acc_change"] == pytest.approx(run.metrics["test/acc"] - run.metrics["float/acc"])
        assert run.details["lava"]["samples"] == 5 and run.details["lava"]["differing"] == 0
        assert run.details["resources"]["total"]["cores"] > 1
        assert run.params["n_test"] == 12
    assert made.summary["p1-frames/lava/spikes"] > 0
    record.save(made, stage.out)
    assert record.load(stage.out).summary == made.summary
    assert checkpoint.load(stage.out / "checkpoints" / "dense-seed0.safetensors").card.model == "spiking_mlp"


def test_one_spike_that_differs_is_counted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(network: IntegerNetwork, x_TNCHW: np.ndarray) -> Trace:
        trace = network.run(x_TNCHW)
        first = next(iter(trace.spikes.values()))
        first[0, 0, 0, 0, 0] ^= 1
        return trace

    monkeypatch.setattr(lava, "run", wrong)
    made = p5_lava.run(stage)
    assert made.summary["networks_equal"] == 0.0
    assert made.summary["dense/lava/differing"] == made.summary["p1-frames/lava/differing"] == 1.0
    assert list(made.runs["dense-seed0"].details["lava"]["first"].values()) == [[0, 0, 0]]


def test_a_network_without_such_a_form_is_a_result(stage: Stage) -> None:
    found = checkpoint.load(P1.format(0))
    card = replace(found.card, model_args={**found.card.model_args, "neuron_args": {"v_reset": None}})
    checkpoint.save(replace(found, card=card), P1.format(0))
    made = p5_lava.run(stage)
    run = made.runs["p1-frames-seed0"]
    assert "cannot be ported to whole numbers" in run.details["not_portable"] and "reset" in run.details["not_portable"]
    assert run.metrics == {} and made.summary["networks"] == made.summary["networks_equal"] == made.summary["networks_unported"] == 1.0
    assert not any(name.startswith("p1-frames/") for name in made.summary)
    shown = _lava.parts(Results({"p5_lava": made}))
    assert [part.title for part in shown if isinstance(part, Missing)] == ["Not ported: p1-frames (p5_lava)"]


@pytest.mark.parametrize(
    ("limit", "said", "known"),
    [
        ("snn5.hardware._integer_network.V_MAX", "leaves 24 bits; use a smaller weight scale", False),
        ("snn5.hardware._lava_run.LARGEST_CURRENT", "leaves Loihi's 16 bits; port with fewer bits", True),  # seen on Lava
        ("snn5.hardware.lava.LARGEST_CURRENT", "leaves Loihi's 16 bits; port with fewer bits", True),  # seen in the whole test set
    ],
)
def test_a_network_too_loud_for_loihi_is_a_result(
    limit: str, said: str, known: bool, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bright images of one's own: where only Lava refuses, what whole numbers cost is known all the same."""
    monkeypatch.setattr(limit, 10)
    made = p5_lava.run(stage)
    for name in ("dense", "p1-frames"):
        run = made.runs[f"{name}-seed0"]
        assert said in run.details["not_portable"] and "lava" not in run.details and f"{name}/cores" not in made.summary
        assert ("int/peak_current" in run.metrics) == (f"{name}/test/acc" in made.summary) == known
    assert (made.summary["networks"], made.summary["networks_equal"], made.summary["networks_unported"]) == (0.0, 0.0, 2.0)
    shown = _lava.parts(Results({"p5_lava": made}))
    assert [part.title for part in shown if isinstance(part, Missing)] == ["Not ported: dense (p5_lava)", "Not ported: p1-frames (p5_lava)"]


def test_a_missing_network_names_the_command(stage: Stage) -> None:
    Path(P1.format(0)).unlink()
    with pytest.raises(UserError, match=r"p5_lava needs .*seed0.safetensors, which is missing; make it with `dvc repro p1_train`"):
        p5_lava.run(stage)
