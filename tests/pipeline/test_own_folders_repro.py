"""Somebody's own images and event recordings through `dvc repro` with tiny settings, from the folders to the report, by a profile alone.

    SNN5_OWN_FOLDERS=1 SNN5_DATA_ROOT=... pytest -n 0 tests/pipeline/test_own_folders_repro.py     # about 8 minutes each; CI leaves it out

tests/stages/test_own_data.py does the same within one process, for each kind of folder, in every run of the tests.
"""

import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from PIL import Image
from sklearn.datasets import load_digits

from snn5.datasets import configured_root

ASKED = "SNN5_OWN_FOLDERS" in os.environ and configured_root() is not None
pytestmark = [pytest.mark.slow, pytest.mark.data, pytest.mark.skipif(not ASKED, reason="set SNN5_OWN_FOLDERS=1 and SNN5_DATA_ROOT")]
EACH, CLASSES = 60, 10


def sibling() -> ModuleType:
    """What clones the working tree and overlays settings."""
    spec = importlib.util.spec_from_file_location("own_folders_pipeline", Path(__file__).with_name("test_pipeline.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def images(folder: Path) -> None:
    """Scanned digits as PNGs of 8 x 8 pixels, 0 to 255."""
    digits = load_digits()
    for label in range(CLASSES):
        (folder / str(label)).mkdir(parents=True)
        for i, pixels in enumerate(digits.images[digits.target == label][:EACH]):
            Image.fromarray((pixels * 255 / 16).astype("uint8")).save(folder / str(label) / f"{i}.png")


def recordings(folder: Path) -> None:
    """N-MNIST's files, as they are."""
    root = configured_root()
    assert root is not None
    for label in range(CLASSES):
        (folder / str(label)).mkdir(parents=True)
        found = sorted(path for path in root.rglob("*.bin") if "nmnist" in str(path).lower() and path.parent.name == str(label))
        for path in found[:EACH]:
            shutil.copy(path, folder / str(label))


def sounds(folder: Path) -> None:
    """The English Heidelberg Digits, as they are."""
    root = configured_root()
    assert root is not None
    for label in range(CLASSES):
        (folder / str(label)).mkdir(parents=True)
        found = sorted((root / "HeidelbergDigits").rglob(f"lang-english*_digit-{label}.flac"))
        for path in found[:EACH]:
            shutil.copy(path, folder / str(label))


KINDS: dict[str, tuple[Callable[[Path], None], dict[str, Any]]] = {
    "event_folder": (recordings, {"folder": {"size": [34, 34]}, "binning": {"pixels": 2}}),
    "audio_folder": (sounds, {"cochlea": {"channels": 24}}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_own_folders_reach_the_report(kind: str, tmp_path: Path) -> None:
    tools, (fill, settings) = sibling(), KINDS[kind]
    images(tmp_path / "images")
    fill(tmp_path / "events")
    root = tools.clone(tmp_path / "clone")
    params = yaml.safe_load((root / "params.yaml").read_text())
    frames = {"dataset": "image_folder", "folder": {"path": str(tmp_path / "images"), "size": [8, 8], "color": False}}
    folder = {"path": str(tmp_path / "events"), **settings.get("folder", {})}
    events = {"dataset": kind, "time_steps": 3, **settings, "folder": folder}
    mine = {
        "data": {"frames": frames, "events": events},
        "p1": {"frames": {"epochs": 8}, "events": {"epochs": 6}},
        "p3": {"trials": 8, "max_epochs": 3},
    }
    params["profiles"]["mine"] = mine
    params["profile"] = "mine"
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    tools.run(root, "dvc", "repro")
    for slot, dataset in (("frames", "image_folder"), ("events", kind)):
        made = json.loads((root / "data" / "p7_data" / slot / "metrics.json").read_text())
        assert dataset in json.dumps(made)
        assert (root / "data" / "p6_integrate" / slot / "checkpoints" / "seed0.safetensors").is_file()
    lava = json.loads((root / "data" / "p5_lava" / "metrics.json").read_text())["summary"]
    assert lava["networks"] + lava["networks_unported"] == 6.0 and lava["networks_equal"] == lava["networks"] > 0
    report = (root / "reports" / "roadmap.html").read_text()
    assert "image_folder" in report and kind in report
