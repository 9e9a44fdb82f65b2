"""Somebody's own recordings, by params.yaml alone: from a folder of each kind to trained and compressed checkpoints and the report."""

import shutil
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from PIL import Image

from snn5 import checkpoint, config, record, report
from snn5.datasets import verify
from snn5.files import md5
from snn5.record import Record
from snn5.stages import p1_train, p3_tune, p4_prune, p4_quantize, p4_sparsify, p5_cutoff, p6_integrate, p7_benchmark, p7_data
from snn5.stages._stage import Stage

pytestmark = pytest.mark.slow

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


class Offline(Stage):
    """A stage whose ingredients are the files, with no server to account for them."""

    def ingredient(self, path):  # type: ignore[override]
        return SimpleNamespace(file=Path(path), path=Path(path).as_posix(), md5=md5(Path(path)))


def fill(folder: Path, suffix: str, make: Any) -> None:
    """24 files in each of two classes, one of them empty."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for i in range(24):
            make(folder / name / f"{i}{suffix}", label, rng)
    (folder / "left" / f"0{suffix}").write_bytes(b"")


def profile(kind: str) -> dict[str, Any]:
    """What the user writes."""
    slot, _, _, own = KINDS[kind]
    train = {"model_args": {"width": 8, "neuron_args": {"tau": 1.2}}, "epochs": 10, "batch_size": 4, "guard_epochs": 0, "shift_pixels": 0}
    folder = {"path": "recordings"} | own.get("folder", {})
    return {
        "seeds": [0],
        "data": {slot: {"dataset": kind, "time_steps": 4, "on_error": "skip"} | own | {"folder": folder}},
        "p1": {slot: train},
        "p3": {"data": slot, "trials": 2, "max_epochs": 9, "tradeoff_trials": 2, "tradeoff_epochs": 9},
        "p4": {"strengths": [0.0, 1.0], "epochs": 1},
        "p4_prune": {"sparsities": [0.5], "samples_per_class": 2},
        "p4_quantize": {"bits": [4], "epochs": 1},
        "p6": {"data": slot, "variants": [], "calibration_per_class": 2, slot: {"epochs": 2, "quantised_epochs": 2}},
    }


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_from_folder_to_report(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slot, suffix, make, _ = KINDS[kind]
    fill(tmp_path / "recordings", suffix, make)
    raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    raw["profiles"]["mine"] = profile(kind)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")

    monkeypatch.chdir(tmp_path)
    for name, value in (("SNN5_DATA_ROOT", str(tmp_path)), ("SNN5_WORKERS", "1"), ("SNN5_TRACKING", "off")):
        monkeypatch.setenv(name, value)
    settings = config.load("params.yaml", "mine")

    def run(module: ModuleType, *words: str) -> Record:
        this = Offline(script=module.__name__.rpartition(".")[2], args=words, config=settings, root=tmp_path)
        this.out.mkdir(parents=True, exist_ok=True)
        found: Record = module.run(this)
        record.save(found, this.out)
        return found

    summary = run(p7_data, slot).summary
    assert (summary["data/skipped"], summary["data/train_samples"] + summary["data/val_samples"] + summary["data/test_samples"]) == (1, 47)
    assert verify(f"data/p7_data/{slot}") == []
    for family in p1_train.FAMILIES:
        found = run(p1_train, family, slot)
        assert found.summary["test/acc"] > 0.8, (family, found.summary)  # the two sides differ at a glance
    for module, words in (
        (p3_tune, ()),
        (p4_sparsify, ()),
        (p4_prune, ()),
        (p4_quantize, ()),
        (p5_cutoff, (slot,)),
        (p6_integrate, (slot,)),
    ):
        run(module, *words)
        made = sorted(Path("data", module.__name__.rpartition(".")[2], *words, "checkpoints").glob("*.safetensors"))
        assert made and all(checkpoint.load(path).card.dataset == kind for path in made)
    final = checkpoint.load(made[0])
    assert [step.name for step in final.card.transforms][-5:] == ["sparsify", "prune", "fold_norms", "quantize", "calibrate_cutoff"]
    assert record.load(f"data/p6_integrate/{slot}").summary["test/acc"] > 0.6

    # P7.3 and the report look at both slots; the other one stands in for what the default profile would have made
    other = "frames" if slot == "events" else "events"
    for folder in ("p7_data/{}", *(f"p1_train/{family}-{{}}" for family in p1_train.FAMILIES)):
        shutil.copytree(Path("data", folder.format(slot)), Path("data", folder.format(other)))
    assert run(p7_benchmark).summary[f"sew_resnet-{slot}/test/acc"] > 0.8
    results = report.read(tmp_path)
    assert results.dataset(slot) == kind
    report.write(report.build(results), Path("reports"))
    page = Path("reports/roadmap.html").read_text(encoding="utf-8")
    assert kind in page and "2 empty or damaged recordings were left out" in page  # each slot's one
