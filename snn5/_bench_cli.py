"""What `snn5 bench suite` does: find checkpoints and test sets, time them, show the table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from snn5 import bench, checkpoint
from snn5.datasets import SLOTS, load_split
from snn5.reproducible import one_thread

COLUMNS = ["network", "data", "batch", "ms per sample", "range"]


def time_suite(root: Path, seed: int, json: Path | None, show: Callable[[list[str], list[list[Any]]], None]) -> None:
    """Time on one thread, as the stages calculate.

    Raises:
        UserError: the data or all checkpoints of the seed are missing.
    """
    splits = [load_split(root / "data" / "p7_data" / slot / "test.safetensors") for slot in SLOTS]
    networks = {name: checkpoint.load(path) for name, path in bench.named(root, seed).items()}
    with one_thread():
        rows = bench.suite(networks, {str(s.info["dataset"]): s for s in splits}, say=lambda text: typer.echo(f"{text} ...", err=True))
    if json is not None:
        bench.write(rows, json)
    show(COLUMNS, [[r.network, r.data, str(r.batch), f"{r.ms:.2f}", f"{r.low:.2f} - {r.high:.2f}"] for r in rows])
