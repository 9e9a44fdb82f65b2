"""A data set by name -> train, validation and test."""

from pathlib import Path
from typing import Any

import numpy as np

from snn5.config import Camera
from snn5.datasets._partition import first_copies, partition, samples_sha256, split_sha256
from snn5.datasets._registry import Progress, Request, find, loader_of
from snn5.datasets._root import data_root
from snn5.datasets._split import Split, Splits
from snn5.errors import UserError

SPLITS = ("train", "val", "test")


def load(
    name: str,
    *,
    time_steps: int,
    root: str | Path | None = None,
    val_fraction: float = 0.15,
    test_fraction: float = 0.25,
    split_seed: int = 5,
    camera: Camera | None = None,
    progress: Progress | None = None,
) -> Splits:
    """Read a data set from its original format (nothing is downloaded) and divide it.

    Args:
        name: see `list_datasets`.
        time_steps: T >= 1. Events become T frames; a static image stays one frame, which the network sees at every step.
        root: folder of the real data sets; None takes SNN5_DATA_ROOT. Built-in sets need none.
        val_fraction, test_fraction: shares of each class; `test_fraction` only where the set has no official test set.
        split_seed: >= 0; equal seeds give equal splits.
        camera: settings of the simulated event camera (`digits_events`); None takes the defaults.
        progress: called with (done, total) now and then.

    Returns:
        uint8 samples [T, N, C, H, W]; each split's `info` tells the set, its terms, how it was made and divided, and the hashes.

    Raises:
        UserError: unknown name, no loader yet, a missing or damaged file, or impossible settings.
    """
    entry = find(name)
    read = loader_of(entry)
    if time_steps < 1:
        raise UserError(f"time_steps={time_steps}; need at least 1")
    place = data_root(root, name, entry.files) if entry.files else Path()
    samples = read(Request(root=place, time_steps=time_steps, camera=camera or Camera(), progress=progress))
    first_N = first_copies(samples.x_TNCHW)
    parts = partition(samples.y_N, first_N, samples.test_N, val_fraction=val_fraction, test_fraction=test_fraction, seed=split_seed)
    common: dict[str, Any] = {
        **samples.info,
        "dataset": name,
        "kind": entry.kind,
        "num_classes": len(entry.classes),
        "classes": list(entry.classes),
        "scale": samples.scale,
        "time_steps": time_steps,
        "split_seed": split_seed,
        "val_fraction": val_fraction,
        "test_fraction": None if samples.test_N is not None else test_fraction,
        "official_test": samples.test_N is not None,
        "duplicates": parts.duplicates,
        "dropped": len(parts.dropped),
        "counts": {side: len(getattr(parts, side)) for side in SPLITS},
        "licence": entry.licence,
        "source": entry.source,
    }

    def split(side: str) -> Split:
        index_N: np.ndarray = getattr(parts, side)
        x_TNCHW, y_N = samples.x_TNCHW[:, index_N], samples.y_N[index_N]
        info = {**common, "split": side, "split_sha256": split_sha256(index_N, y_N), "samples_sha256": samples_sha256(x_TNCHW)}
        return Split(x_TNCHW=x_TNCHW, y_N=y_N, index_N=index_N, info=info)

    return Splits(train=split("train"), val=split("val"), test=split("test"))
