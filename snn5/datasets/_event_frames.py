"""A recording from a file -> one sample: the settings of `binning` applied, and the file named where something is wrong."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snn5.config import Binning
from snn5.datasets._frames import count_frames
from snn5.datasets._recording import Recording, damaged
from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Frames:
    """How all recordings of a set become samples.

    Attributes:
        sensor: (H, W) of the recordings, in pixels. time_steps: T.
        binning: slices, and how many pixels each way are counted as one.
    """

    sensor: tuple[int, int]
    time_steps: int
    binning: Binning

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(T, 2, ceil(H / pixels), ceil(W / pixels)).

        Raises:
            UserError: slices are to lie side by side, which only the one column of a sound's channels has room for.
        """
        if self.binning.columns:
            raise UserError(f"binning.columns={self.binning.columns}; a camera's events fill their frames: set it to 0")
        height, width = (-(-side // self.binning.pixels) for side in self.sensor)
        return self.time_steps, 2, height, width

    @property
    def info(self) -> dict[str, Any]:
        """What a split's header says about it."""
        binning = {"frames_size": self.binning.size, "bin_pixels": self.binning.pixels} if self.binning != Binning() else {}
        return {"frames": self.binning.by, "channels": ["off", "on"], **binning}

    def of(self, path: Path, found: Recording) -> tuple[np.ndarray, int]:
        """The sample, uint8 of `shape`, and how many events lie behind its last slice.

        Raises:
            UserError: an event off the sensor; names the file.
        """
        height, width = self.sensor
        for name, values, limit in (("x", found.x, width), ("y", found.y, height)):
            if values.max() >= limit:
                what = (
                    f"events have {name} from {values.min()} to {values.max()}; a sensor of {height}x{width} pixels needs 0 to {limit - 1}"
                )
                raise damaged(path, what)
        x, y = (found.x, found.y) if self.binning.pixels == 1 else (found.x // self.binning.pixels, found.y // self.binning.pixels)
        options: dict[str, Any] = {"time_steps": self.time_steps, "method": self.binning.by, "size": self.binning.size}
        try:
            return count_frames(found.t, x, y, found.p, sensor=self.shape[2:], **options)
        except UserError as error:
            raise damaged(path, str(error)) from error
