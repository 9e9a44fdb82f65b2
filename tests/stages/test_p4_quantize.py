"""P4.2's stage on networks and data small enough for a test."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from snn5 import checkpoint, config, record
from snn5.benchmark import packed_bytes
from snn5.compression import integer_weights, unpack
from snn5.datasets import Split, save_split
from snn5.files import md5
from snn5.models import create_model, initialise
from snn5.stages import p4_quantize
from snn5.stages._stage import Stage

SEEDS, BITS = [0, 2], [4, 2]
PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNN5_WORKERS", "1")
    for side, first, count in (("train", 0, 48), ("val", 48, 24), ("test", 72, 24)):
        x = np.random.default_rng(first).integers(0, 3, (1, count, 1, 8, 8), dtype=np.uint8)
        info = {"dataset": "frames", "scale": 2, "split": side, "num_classes": 4}
        split = Split(x_TNCHW=x, y_N=np.arange(count) % 4, index_N=np.arange(first, first + count), info=info)
        save_split(split, f"data/p7_data/frames/{side}.safetensors")
    for seed in SEEDS:
        neuron = {"tau": 1.2, "v_threshold": 0.4}
        model = create_model("sew_resnet8", width=4, in_channels=1, num_classes=4, image_size=8, time_steps=3, neuron_args=neuron)
        initialise(model, torch.Generator().manual_seed(seed))
        card = checkpoint.Card(model=model.name, model_args=model.arguments, dataset="frames", time_steps=3, neuron="plif")
        checkpoint.save(checkpoint.of(model, card), f"data/p1_train/sew_resnet-frames/checkpoints/seed{seed}.safetensors")
    return tmp_path


def stage(root: Path, max_loss: float, *, seeds: list[int] = SEEDS, shared: tuple[int, ...] = ()) -> Stage:
    settings = config.load(PARAMS)
    p4, p1 = (
        replace(settings.p4, max_accuracy_loss=max_loss),
        replace(settings.p1, frames=replace(settings.p1.frames, batch_size=16, precision="fp32")),
    )
    own = replace(settings.p4_quantize, bits=BITS, epochs=1, shared_bits=list(shared))
    return Stage(script="p4_quantize", args=(), config=replace(settings, seeds=seeds, p1=p1, p4=p4, p4_quantize=own), root=root)


def test_p4_quantize(checkout: Path) -> None:
    this = stage(checkout, max_loss=1.0, shared=(4,))
    made = p4_quantize.run(this)
    record.save(made, this.out)
    assert record.load(this.out).summary == made.summary
    assert (made.summary["chosen_bits"], made.summary["bits_within_limit"], made.summary["n_seeds"]) == (2.0, 2.0, 2.0)
    groups = ("float32", "rtn4", "rtn2", "qat4", "qat2", "mint4")
    assert set(made.runs) == {f"{group}-seed{seed}" for group in groups for seed in SEEDS}
    for seed in SEEDS:
        source = Path(f"data/p1_train/sew_resnet-frames/checkpoints/seed{seed}.safetensors")
        kept = checkpoint.load(this.out / "checkpoints" / f"seed{seed}.safetensors")
        assert kept.card.transforms[-1].parents == {source.as_posix(): md5(source)} and source in this.parents
        assert integer_weights(kept)["blocks.0.branch.0.0"].bits == 2
        packed = this.out / "packed" / f"seed{seed}.safetensors"
        assert unpack(packed.read_bytes()).card == kept.card
        chosen, parent = made.runs[f"qat2-seed{seed}"], made.runs[f"float32-seed{seed}"]
        assert chosen.metrics["model/file_bytes"] == packed.stat().st_size < parent.metrics["model/file_bytes"] == source.stat().st_size
        assert chosen.metrics["model/bytes"] == packed_bytes(kept.state, kept.card.quantisation["bits"])
        assert chosen.metrics["compare/acc_loss"] == pytest.approx(parent.metrics["test/acc"] - chosen.metrics["test/acc"])
        assert len(chosen.curves["val/acc"]) == 1 and not made.runs[f"rtn2-seed{seed}"].curves
        assert chosen.metrics["val/acc"] == chosen.curves["val/acc"][-1][1]
    sizes = [made.summary[f"{group}/model/bytes"] for group in ("float32", "qat4", "qat2")]
    assert sizes == sorted(sizes, reverse=True) and sizes[2] < sizes[0] / 4


def test_validation_chooses_and_the_most_bits_are_the_last_resort(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four bits lose 0.05 on validation, two bits 0.2, whatever test says."""
    accuracy = {32: 0.9, 4: 0.85, 2: 0.7}

    def evaluation(model: torch.nn.Module, _data: object) -> object:
        inner = model.get_submodule("blocks.0.branch.0.0")
        levels = len((inner.weight / inner.weight_step[:, None, None, None]).round().unique()) if hasattr(inner, "weight_step") else 99
        return type("E", (), {"accuracy": accuracy[32 if levels == 99 else 2 if levels <= 3 else 4]})

    monkeypatch.setattr(p4_quantize, "evaluate", evaluation)
    for max_loss, chosen, within in ((0.3, 2.0, 2.0), (0.1, 4.0, 1.0), (0.01, 4.0, 0.0)):
        summary = p4_quantize.run(stage(checkout, max_loss=max_loss, seeds=SEEDS[:1])).summary
        assert (summary["chosen_bits"], summary["bits_within_limit"]) == (chosen, within)


def test_it_is_deterministic(checkout: Path) -> None:
    first, second = (p4_quantize.run(stage(checkout, max_loss=1.0, seeds=SEEDS[:1], shared=(4,))) for _ in range(2))
    assert first == second
