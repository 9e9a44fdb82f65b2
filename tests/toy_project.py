"""A project small enough for tests of tracking: one stage with two checkpoints, a dvc.lock as DVC would write it, and a ready database."""

import functools
import shutil
import tempfile
from pathlib import Path

import yaml

from snn5 import record, tracking
from snn5.files import md5, write_bytes
from snn5.record import Record, Run

NAME, OUT = "p1_toy@a-b", "data/p1_toy/a-b"
OUTS = (f"{OUT}/checkpoints", f"{OUT}/metrics.json", f"{OUT}/curves.csv")
SEED0 = f"{OUT}/checkpoints/seed0.safetensors"


def make(root: Path, *, seeds: int = 2) -> Path:
    """Write the project into the folder `root`."""
    (root / "dvc.yaml").write_text("stages: {}\n")
    for seed in range(seeds):
        write_bytes(root / OUT / f"checkpoints/seed{seed}.safetensors", bytes([seed]) * 10)
    runs = {
        f"seed{seed}": Run(
            params={"seed": seed, "tau": 2.5},
            metrics={"test/acc": 0.5 + seed / 10, "val/acc": 0.75},
            curves={"val/acc": [(0, 0.25), (1, 0.75), (2, 0.5)], "train/loss": [(0, 2.0), (1, 1.0), (2, 0.5)]},
        )
        for seed in range(seeds)
    }
    record.save(Record(summary={"test/acc": 0.55, "n_seeds": float(seeds)}, runs=runs), root / OUT)
    lock(root)
    return root


def lock(root: Path) -> None:
    """dvc.lock for the files as they are now."""
    outs = [{"path": path, "hash": "md5", "md5": md5(root / path)} for path in OUTS]
    params = {
        "params.yaml": {"p1.a": {"lr": 0.1, "model_args": {"width": 8}}, "seeds": [0, 1], "profile": "default", "profiles.default": {}}
    }
    stage = {"cmd": "python -m snn5.stages.p1_toy a b", "params": params, "outs": outs}
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {NAME: stage}}, sort_keys=False))


def database(root: Path) -> None:
    """Give `root` an empty database (made once for all tests of this process)."""
    (root / ".mlflow").mkdir()
    shutil.copyfile(_template(), root / ".mlflow" / "mlflow.db")


def cache(root: Path, path: str, *, manifest: bytes | None = None) -> Path:
    """Put the bytes of `path` where DVC caches them."""
    digest = md5(root / path)
    place = root / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    write_bytes(place, (root / path).read_bytes() if manifest is None else manifest)
    return place


@functools.cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="snn5-template-"))
    tracking.prepare(folder)
    return folder / ".mlflow" / "mlflow.db"
