"""Somebody's own recordings, by params.yaml alone: from a folder of each kind to splits and trained, sparse, early-exiting checkpoints."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from PIL import Image

from snn5 import checkpoint, config, record
from snn5.datasets import verify
from snn5.stages import p1_train, p4_sparsify, p5_cutoff, p7_data
from snn5.stages._stage import Stage

PARAMS = Path(__file__).parents[2] / "params.yaml"
CLASSES = ("left", "right")


def events(path: Path, label: int, rng: np.random.Generator) -> None:
    """Most of the events on the left or on the right."""
    side = (rng.random(80) < 0.9) == (label == 1)
    x = np.where(side, rng.integers(8, 16, 80), rng.integers(0, 8, 80))
    np.savez(path, t=np.sort(rng.integers(0, 10_000, 80)), x=x, y=rng.integers(0, 12, 80), p=rng.integers(0, 2, 80))


def image(path: Path, label: int, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 60, (12, 16, 3)).astype(np.uint8)
    pixels[:, 8 * label : 8 * label + 8] += 150
    Image.fromarray(pixels).save(path)


def sound(path: Path, label: int, rng: np.random.Generator) -> None:
    t = np.arange(3200) / 16000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * (300 + 1500 * label) * t) + 0.02 * rng.standard_normal(3200), 16000)


KINDS = {
    "event_folder": ("events", ".npz", events, {"folder": {"size": [12, 16]}}),
    "image_folder": ("frames", ".png", image, {"folder": {"size": [8, 8], "color": False}}),
    "audio_folder": ("events", ".wav", sound, {"cochlea": {"channels": 16, "duration_ms": 200.0}}),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_from_folder_to_checkpoints(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slot, suffix, make, own = KINDS[kind]
    rng = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (tmp_path / "recordings" / name).mkdir(parents=True)
        for i in range(24):
            make(tmp_path / "recordings" / name / f"{i}{suffix}", label, rng)
    (tmp_path / "recordings" / "left" / f"0{suffix}").write_bytes(b"")

    # what the user writes: one profile
    train = {"model_args": {"width": 8, "neuron_args": {"tau": 1.2}}, "epochs": 10, "batch_size": 4, "guard_epochs": 0, "shift_pixels": 0}
    folder = {"path": "recordings"} | own.get("folder", {})
    mine = {
        "seeds": [0],
        "data": {slot: {"dataset": kind, "time_steps": 4, "on_error": "skip"} | own | {"folder": folder}},
        "p1": {slot: train},
        "p3": {"data": slot, "max_epochs": 3},
        "p4": {"strengths": [0.0, 1.0], "epochs": 1},
        "p6": {"data": slot},
    }
    raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    raw["profiles"]["mine"] = mine
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNN5_DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("SNN5_WORKERS", "1")
    settings = config.load("params.yaml", "mine")

    def stage(script: str, *args: str) -> Stage:
        made = Stage(script=script, args=args, config=settings, root=tmp_path)
        made.out.mkdir(parents=True, exist_ok=True)
        return made

    data = stage("p7_data", slot)
    summary = p7_data.run(data).summary
    assert (summary["data/skipped"], summary["data/train_samples"] + summary["data/val_samples"] + summary["data/test_samples"]) == (1, 47)
    assert verify(data.out) == []
    for family in p1_train.FAMILIES:
        this = stage("p1_train", family, slot)
        found = p1_train.run(this)
        assert found.summary["test/acc"] > 0.8, (family, found.summary)  # the two sides differ at a glance
        record.save(found, this.out)
    for script, module, words in (("p4_sparsify", p4_sparsify, ()), ("p5_cutoff", p5_cutoff, (slot,))):
        this = stage(script, *words)
        record.save(module.run(this), this.out)
        made = sorted((this.out / "checkpoints").glob("*.safetensors"))
        assert made and all(checkpoint.load(path).card.dataset == kind for path in made)
