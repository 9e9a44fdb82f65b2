"""A data set by name -> train, validation and test."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snn5.config import Augment, Binning, Camera, Cochlea, Folder
from snn5.datasets._collect import collect
from snn5.datasets._copies import with_copies
from snn5.datasets._partition import first_copies, partition, samples_sha256, split_sha256
from snn5.datasets._registry import Entry, Progress, Request, Samples, find
from snn5.datasets._root import data_root, own_folder
from snn5.datasets._source import Source
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
    binning: Binning | None = None,
    augment: Augment | None = None,
    folder: Folder | None = None,
    cochlea: Cochlea | None = None,
    on_error: str = "stop",
    progress: Progress | None = None,
) -> Splits:
    """Read a data set from its original format (nothing is downloaded) and divide it.

    Args:
        name: see `list_datasets`.
        time_steps: T >= 1. Events become T frames; a static image stays one frame, which the network sees at every step.
        root: folder of the real data sets; None takes SNN5_DATA_ROOT. Built-in sets need none.
        val_fraction, test_fraction: shares of each class; used only where the set has no official validation or test set.
        split_seed: >= 0; equal seeds give equal splits.
        camera, binning, augment, folder, cochlea: settings, for the sets that use them (see snn5.config); None takes the defaults.
        on_error: `stop` at the first empty or damaged recording, or `skip` it: `info["skipped"]` then names it.
        progress: called with (done, total) now and then.

    Returns:
        uint8 samples [T, N, C, H, W]; each split's `info` tells the set, its terms, how it was made and divided, and the hashes.

    Raises:
        UserError: unknown name, a missing or damaged file, or impossible settings.
    """
    request = Request(
        root=Path(),
        time_steps=time_steps,
        camera=camera or Camera(),
        binning=binning or Binning(),
        augment=augment or Augment(),
        folder=folder or Folder(),
        cochlea=cochlea or Cochlea(),
        progress=progress,
    )
    samples = gather(name, request, root=root, on_error=on_error, seed=split_seed)
    portions = divide(
        find(name), samples, time_steps=time_steps, val_fraction=val_fraction, test_fraction=test_fraction, split_seed=split_seed
    )

    def split(portion: Portion) -> Split:
        x_TNCHW = np.ascontiguousarray(samples.x_TNCHW[:, portion.chosen_N])
        info = portion.info | {"samples_sha256": samples_sha256(x_TNCHW)}
        return Split(x_TNCHW=x_TNCHW, y_N=portion.y_N, index_N=portion.index_N, info=info)

    train, val, test = map(split, portions)
    return Splits(train=train, val=val, test=test)


def gather(
    name: str, request: Request, *, root: str | Path | None = None, on_error: str = "stop", seed: int = 5, scratch: Path | None = None
) -> Samples:
    """All samples of a set, undivided; see `load`, and `collect` for `scratch`. `seed` is of the augmented copies."""
    entry = find(name)
    if request.time_steps < 1:
        raise UserError(f"time_steps={request.time_steps}; need at least 1")
    if on_error not in ("stop", "skip"):
        raise UserError(f"on_error={on_error!r}; need stop or skip")
    place = Path()
    if entry.own:
        place = own_folder(root, name, request.folder.path)
    elif entry.files:
        place = data_root(root, name, entry.files)
    found = entry.loader(replace(request, root=place))
    if request.augment.copies:
        if not isinstance(found, Source):
            raise UserError(f"data set {name!r} has no recordings for augment.copies={request.augment.copies}; set it to 0")
        found = with_copies(found, request.augment, seed)
    return collect(found, on_error=on_error, progress=request.progress, scratch=scratch) if isinstance(found, Source) else found


@dataclass(frozen=True, kw_only=True)
class Portion:
    """Who is in one split: positions in the samples, labels, indices in the source; and its file's header but for the samples' hash."""

    chosen_N: np.ndarray
    y_N: np.ndarray
    index_N: np.ndarray
    info: dict[str, Any]


def divide(
    entry: Entry, samples: Samples, *, time_steps: int, val_fraction: float, test_fraction: float, split_seed: int
) -> Iterator[Portion]:
    """Train, validation and test of `samples`, in this order."""
    classes = samples.classes or entry.classes
    count = len(samples.y_N) if samples.copy_of_N is None else int((samples.copy_of_N < 0).sum())  # augmented copies stand behind
    test_N, val_N = (None if marks is None else marks[:count] for marks in (samples.test_N, samples.val_N))
    parts = partition(
        samples.y_N[:count],
        first_copies(samples.x_TNCHW) if samples.first_N is None else samples.first_N[:count],
        test_N,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        seed=split_seed,
        val_N=val_N,
        keys_N=samples.keys_N,
    )
    copies = np.array([], np.int64)
    if samples.copy_of_N is not None:
        copies = np.flatnonzero((samples.copy_of_N >= 0) & np.isin(samples.copy_of_N, parts.train))
        parts = replace(parts, train=np.concatenate([parts.train, copies]))
    common: dict[str, Any] = {
        **samples.info,
        "dataset": entry.name,
        "kind": entry.kind,
        "num_classes": len(classes),
        "classes": list(classes),
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
    if samples.copy_of_N is not None:
        common["augmented"] = len(copies)
    if samples.val_N is not None:
        common |= {"official_val": True, "val_fraction": None}
    for side in SPLITS:
        chosen_N: np.ndarray = getattr(parts, side)
        y_N = samples.y_N[chosen_N]
        index_N = chosen_N if samples.index_N is None else samples.index_N[chosen_N]
        info = {**common, "split": side, "split_sha256": split_sha256(index_N, y_N)}
        yield Portion(chosen_N=chosen_N, y_N=y_N, index_N=index_N, info=info)
