"""What `snn5 bench suite` and `snn5 bench infer` do: find checkpoints and samples, time them, show the table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from snn5 import bench, checkpoint
from snn5.datasets import SLOTS, load_split
from snn5.errors import UserError
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


def time_infer(files: list[Path], quick: bool, json: Path | None, show: Callable[[list[Any], Path | None], None]) -> None:
    """Time the event engine on checkpoints, each with the samples it is asked about.

    Raises:
        UserError: an odd number of files.
    """
    if len(files) % 2:
        raise UserError(f"{len(files)} files; give pairs, a checkpoint and the samples it is asked about")
    pairs = [(source.stem, checkpoint.load(source), load_split(split)) for source, split in zip(files[::2], files[1::2], strict=True)]
    show(bench.infer(pairs, quick=quick, say=lambda text: typer.echo(f"{text} ...", err=True)), json)
