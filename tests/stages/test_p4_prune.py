"""P4.3's stage on networks and data small enough for a test: what it chooses, keeps and compares."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from snn5 import checkpoint, config, record
from snn5.compression import spike_distance
from snn5.datasets import Split, load_split, save_split
from snn5.files import md5
from snn5.models import create_model
from snn5.stages import p4_prune
from snn5.stages._stage import Stage
from snn5.training import evaluate, samples

SEEDS, SPARSITIES = [0, 2], [0.3, 0.6]
PARAMS = Path(__file__).parents[2] / "params.yaml"


def write_split(side: str, first: int, count: int) -> None:
    x = np.random.default_rng(first).integers(0, 3, (1, count, 1, 8, 8), dtype=np.uint8)
    info = {"dataset": "frames", "scale": 2, "split": side, "num_classes": 4}
    split = Split(x_TNCHW=x, y_N=np.arange(count) % 4, index_N=np.arange(first, first + count), info=info)
    save_split(split, f"data/p7_data/frames/{side}.safetensors")


def write_checkpoint(seed: int) -> None:
    args = {"width": 4, "in_channels": 1, "num_classes": 4, "image_size": 8, "time_steps": 3}
    model = create_model("sew_resnet8", neuron="plif", **args)
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(seed))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # current enough to spike
            torch.nn.init.constant_(module.weight, 4.0)
            torch.nn.init.constant_(module.bias, 1.0)
    card = checkpoint.Card(model=model.name, model_args=model.arguments, dataset="frames", time_steps=3, neuron="plif")
    checkpoint.save(checkpoint.of(model, card), f"data/p1_train/sew_resnet-frames/checkpoints/seed{seed}.safetensors")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNN5_WORKERS", "1")
    for side, first, count in (("train", 0, 40), ("val", 40, 20), ("test", 60, 20)):
        write_split(side, first, count)
    for seed in SEEDS:
        write_checkpoint(seed)
    return tmp_path


def stage(root: Path, *, max_loss: float = 1.0) -> Stage:
    settings = config.load(PARAMS)
    p4, prune = replace(settings.p4, max_accuracy_loss=max_loss), replace(settings.p4_prune, sparsities=SPARSITIES, samples_per_class=3)
    frames = {name: replace(getattr(settings, name), data="frames") for name in ("p3", "p6")}
    return Stage(script="p4_prune", args=(), config=replace(settings, seeds=SEEDS, p4=p4, p4_prune=prune, **frames), root=root)


def test_p4_prune(checkout: Path) -> None:
    this = stage(checkout)
    made = p4_prune.run(this)
    json.dumps(made.summary, allow_nan=False)
    record.save(made, this.out)
    assert record.load(this.out).summary == made.summary
    names = ["dense-0", *(f"{method}-{s:g}" for method in ("sbc_sequential", "sbc", "magnitude") for s in SPARSITIES)]
    assert sorted(made.runs) == sorted(f"{name}-seed{seed}" for name in names for seed in SEEDS)
    assert (made.summary["chosen_sparsity"], made.summary["sparsities_within_limit"]) == (0.6, 2.0)  # any loss is allowed
    val = samples(load_split("data/p7_data/frames/val.safetensors"))
    for seed in SEEDS:
        source = Path(f"data/p1_train/sew_resnet-frames/checkpoints/seed{seed}.safetensors")
        dense, kept = checkpoint.load(source), checkpoint.load(this.out / "checkpoints" / f"seed{seed}.safetensors")
        chosen = made.runs[f"sbc_sequential-0.6-seed{seed}"]
        assert chosen.params["n_calibration"] == 12 and chosen.params["n_test"] == 20
        assert chosen.metrics["val/acc"] == evaluate(kept.build(), val).accuracy
        assert chosen.metrics["prune/distance"] == spike_distance(dense, kept, val) > 0
        assert chosen.metrics["prune/sparsity"] == pytest.approx(0.6, abs=1e-3)
        assert "prune/distance" not in made.runs[f"dense-0-seed{seed}"].metrics
        last = kept.card.transforms[-1]
        assert last.name == "prune" and last.args == {"method": "sbc_sequential", "sparsity": 0.6, "samples": 12}
        assert last.parents[source.as_posix()] == md5(source) and source in this.parents
        nnz = {made.runs[f"{method}-0.6-seed{seed}"].metrics["model/params_nnz"] for method in ("sbc", "magnitude", "sbc_sequential")}
        assert len(nnz) == 1 and nnz.pop() < made.runs[f"dense-0-seed{seed}"].metrics["model/params_nnz"]
    assert made.summary["test/acc"] == made.summary["sbc_sequential-0.6/test/acc"]
    assert made.summary["prune/acc_change"] == pytest.approx(made.summary["test/acc"] - made.summary["dense-0/test/acc"])
    assert made.summary["prune/synops_ratio"] == pytest.approx(made.summary["cost/synops"] / made.summary["dense-0/cost/synops"])


def test_the_choice_is_made_on_validation(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation accuracies by zeros of the network: dense 0.9, 30 % 0.85, 60 % 0.8; magnitude's would be as good, and is not asked."""

    def scored(model: torch.nn.Module, _data: object) -> object:
        zeros = sum(int((p == 0).sum()) for p in model.parameters() if p.ndim > 1) / sum(
            p.numel() for p in model.parameters() if p.ndim > 1
        )
        return type("Evaluation", (), {"accuracy": 0.9 if zeros < 0.1 else 0.85 if zeros < 0.5 else 0.8})

    real, made = p4_prune.prune_many, {}

    def once(dense: checkpoint.Checkpoint, *rest: object, **parents: object) -> object:
        key = tuple(dense.state["head.weight"].flatten().tolist())
        if key not in made:
            made[key] = real(dense, *rest, **parents)
        return made[key]

    monkeypatch.setattr(p4_prune, "prune_many", once)
    monkeypatch.setattr(p4_prune, "evaluate", scored)
    monkeypatch.setattr(p4_prune, "spike_distance", lambda *_: 0.5)
    found = {loss: p4_prune.run(stage(checkout, max_loss=loss)).summary for loss in (0.01, 0.06, 0.2)}
    chosen = {loss: (s["chosen_sparsity"], s["sparsities_within_limit"]) for loss, s in found.items()}
    assert chosen == {0.01: (0.3, 0.0), 0.06: (0.3, 1.0), 0.2: (0.6, 2.0)}


def test_it_is_deterministic(checkout: Path) -> None:
    this = stage(checkout)
    first = p4_prune.run(this)
    kept = [md5(this.out / "checkpoints" / f"seed{seed}.safetensors") for seed in SEEDS]
    assert p4_prune.run(this) == first
    assert kept == [md5(this.out / "checkpoints" / f"seed{seed}.safetensors") for seed in SEEDS]
