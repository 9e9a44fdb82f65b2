"""A split: samples and labels, packed in one file that is whole or absent.

Shapes: T steps (1 for a static image, which the network sees at every step), N samples, C channels, H x W pixels.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from snn5.errors import UserError
from snn5.files import write_bytes


@dataclass(frozen=True, kw_only=True)
class Split:
    """Samples of one split.

    Attributes:
        x_TNCHW: uint8; intensities 0..`scale`, or event counts.
        y_N: int64 class numbers.
        index_N: int64 position of each sample in its source, unique over all splits of a set.
        info: dataset, num_classes, scale (the value that stands for 1.0) and how the samples were made; plain JSON values.
    """

    x_TNCHW: np.ndarray
    y_N: np.ndarray
    index_N: np.ndarray
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        x, n = self.x_TNCHW, len(self.y_N)
        if x.ndim != 5 or x.dtype != np.uint8 or x.shape[1] != n or len(self.index_N) != n:
            raise UserError(
                f"a split needs uint8 samples [T,N,C,H,W] and N labels and indices; got {x.dtype}{list(x.shape)}, "
                f"{n} labels, {len(self.index_N)} indices"
            )

    def __len__(self) -> int:
        return len(self.y_N)


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Train, validation and test, disjoint by `index_N`."""

    train: Split
    val: Split
    test: Split


def save_split(split: Split, path: str | Path) -> None:
    """Write one `.safetensors` file; equal splits give equal bytes."""
    arrays = {"x": np.ascontiguousarray(split.x_TNCHW), "y": split.y_N.astype(np.int64), "index": split.index_N.astype(np.int64)}
    write_bytes(path, to_bytes(arrays, metadata={"snn5_split": json.dumps(split.info, sort_keys=True, allow_nan=False)}))


def load_split(path: str | Path) -> Split:
    """Read a split.

    Raises:
        UserError: the file is missing, truncated or something else.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"data file {path} is missing; make it with `dvc repro p7_data`, or fetch it with `dvc pull`")
    try:
        with safe_open(path, framework="np") as file:
            info = json.loads((file.metadata() or {})["snn5_split"])
            return Split(x_TNCHW=file.get_tensor("x"), y_N=file.get_tensor("y"), index_N=file.get_tensor("index"), info=info)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"data file {path} is truncated or corrupt ({error}); delete it and run `dvc repro p7_data`") from error
    except KeyError as error:
        raise UserError(f"{path} holds no SNN5 split ({error} is missing); delete it and run `dvc repro p7_data`") from error
