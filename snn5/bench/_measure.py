"""Two or more sides measured in turn, so that a busy machine slows all of them."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from snn5.errors import UserError

Side = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Args:
        name: what was measured. baseline: whose figure it is compared with.
        unit: ms or MiB, of the medians `theirs` and `ours`.
        ratio: the median of the repeats' own ratios theirs/ours; low, high: their range, wide on a busy machine.
        target: the ratio it should reach. repeats: how often each side was measured.
        most: the ratio it should not leave upwards, where the two figures should be alike.
    """

    name: str
    baseline: str
    unit: str
    theirs: float
    ours: float
    ratio: float
    low: float
    high: float
    target: float
    repeats: int
    most: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the ratio is at least the target, and at most `most`."""
        return self.ratio >= self.target and (self.most is None or self.ratio <= self.most)


def in_turn(sides: Mapping[str, Side], repeats: int, clock: Callable[[], float] = time.perf_counter) -> dict[str, list[float]]:
    """Milliseconds of each side's calls, A B C A B C ..., after one call of each that does not count.

    Args:
        clock: seconds. `time.thread_time` counts this thread's own work only: right where every side has one thread, on a busy machine too.
    """
    for side in sides.values():
        side()
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            begin = clock()
            side()
            found[name].append(1e3 * (clock() - begin))
    return found


def row(
    name: str, baseline: str, theirs: list[float], ours: list[float], target: float, unit: str = "ms", most: float | None = None
) -> Row:
    """The comparison of two lists of figures that were taken in turn."""
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    median = statistics.median
    return Row(
        name=name,
        baseline=baseline,
        unit=unit,
        theirs=median(theirs),
        ours=median(ours),
        ratio=median(ratios),
        low=min(ratios),
        high=max(ratios),
        target=target,
        repeats=len(ours),
        most=most,
    )


def to_json(rows: Sequence[Any]) -> dict[str, Any]:
    """The rows (dataclasses), with what the figures depend on."""
    machine = {
        "cpu": platform.processor() or platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        **{name: version(name) for name in ("torch", "spikingjelly", "numba")},
    }
    return {"machine": machine, "rows": [asdict(r) | ({"reached": r.reached} if isinstance(r, Row) else {}) for r in rows]}


def write(rows: Sequence[Any], file: Path) -> None:
    """`to_json` of the rows as a file.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        file.write_text(json.dumps(to_json(rows), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}; name a file in a folder that exists") from error
