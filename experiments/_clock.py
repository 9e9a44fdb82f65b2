"""Minutes of a training by epoch: of the wall's clock and of all processes' processor time, added up over interruptions."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from snn5.files import read_json, write_json

Now = Callable[[], tuple[float, float]]


def now() -> tuple[float, float]:
    """Seconds of the wall's clock, and of this process's time on processors, its threads' together."""
    return time.perf_counter(), time.process_time()


class Clock:
    """What each epoch cost. An epoch that was interrupted is done anew; only the time of those that ended is counted.

    Args:
        path: where it is kept from run to run.
        now: for tests.
    """

    def __init__(self, path: Path, now: Now = now) -> None:
        self.path, self.now = path, now
        self.epochs: list[dict[str, Any]] = read_json(path)["epochs"] if path.is_file() else []
        self._since = now()

    def note(self, epoch: int, **figures: Any) -> dict[str, Any]:
        """`epoch` (0-based) has ended: call on all ranks. -> its entry, minutes since the training's start."""
        seen = self.now()
        wall_s, cpu_s = (b - a for a, b in zip(self._since, seen, strict=True))
        self._since = seen
        if dist.is_initialized():
            sum_s = torch.tensor(cpu_s, dtype=torch.float64)
            dist.all_reduce(sum_s)
            cpu_s = sum_s.item()
        self.epochs = [entry for entry in self.epochs if entry["epoch"] < epoch]  # others are of a state that was never kept
        last = self.epochs[-1] if self.epochs else {"wall_min": 0.0, "cpu_min": 0.0}
        entry = {"epoch": epoch, "wall_min": last["wall_min"] + wall_s / 60, "cpu_min": last["cpu_min"] + cpu_s / 60, **figures}
        self.epochs.append(entry)
        if os.environ.get("RANK", "0") == "0":
            write_json(self.path, {"epochs": self.epochs})
        return entry
