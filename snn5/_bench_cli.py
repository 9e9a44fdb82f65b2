"""`snn5 bench`: what the clock says. What a command needs it imports itself."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from snn5._tables import show_table
from snn5.errors import UserError
from snn5.files import find_root

bench = typer.Typer(no_args_is_help=True, help="How fast this machine is with it.")


@bench.command("train")
def bench_train(
    quick: Annotated[bool, typer.Option("--quick", help="Smaller shapes and fewer repeats: about a minute.")] = False,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the figures there.")] = None,
) -> None:
    """Time training against stock SpikingJelly, both sides in turn; medians and their ratios. In bf16 where `precision: auto` takes it."""
    from snn5 import bench as benchmarks

    compare(benchmarks.train(quick=quick, say=_say), json)


@bench.command("cutoff")
def bench_cutoff(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint with an early exit, such as p5_cutoff makes.")],
    split: Annotated[Path, typer.Argument(help="Prepared samples, e.g. data/p7_data/events/test.safetensors.")],
    batch: Annotated[int, typer.Option(min=1, help="Samples that run together.")] = 64,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the figures there.")] = None,
) -> None:
    """Time an early exit against all steps, sides in turn; medians and their ratios."""
    from snn5 import bench as benchmarks
    from snn5 import checkpoint as checkpoints
    from snn5.datasets import load_split

    source, data = checkpoints.load(checkpoint), load_split(split)
    compare(benchmarks.cutoff(source, data, batch_size=batch, say=_say), json)


@bench.command("data")
def bench_data(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer recordings and repeats: a few seconds.")] = False,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the figures there.")] = None,
) -> None:
    """Time events to frames against tonic's ToFrame, both sides in turn and held to the same frames; medians and their ratios."""
    from snn5 import bench as benchmarks

    compare(benchmarks.data(quick=quick, say=_say), json)


@bench.command("infer")
def bench_infer(
    checkpoints: Annotated[list[Path] | None, typer.Argument(metavar="[CHECKPOINT SPLIT]...", help="Each with prepared samples.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer repeats and rates.")] = False,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the figures there.")] = None,
) -> None:
    """Time the event engine against dense twins (PyTorch, ONNX Runtime) and SpikingJelly: one sample, one thread, sides in turn."""
    from snn5 import bench as benchmarks
    from snn5 import checkpoint
    from snn5.datasets import load_split

    files = checkpoints or []
    if len(files) % 2:
        raise UserError(f"{len(files)} files; give pairs, a checkpoint and the samples it is asked about")
    pairs = [(checkpoint.load(source), load_split(split)) for source, split in zip(files[::2], files[1::2], strict=True)]
    compare(benchmarks.infer(pairs, quick=quick, say=_say), json)


@bench.command("suite")
def bench_suite(
    seed: Annotated[int, typer.Option(help="Of the checkpoints under data/ to time.")] = 0,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the figures there.")] = None,
) -> None:
    """Time every network that the stages keep, alone and in batches, in turn; medians and ranges per sample."""
    from snn5 import bench as benchmarks
    from snn5 import checkpoint as checkpoints
    from snn5.datasets import SLOTS, load_split
    from snn5.reproducible import one_thread

    root = find_root()
    splits = [load_split(root / "data" / "p7_data" / slot / "test.safetensors") for slot in SLOTS]
    networks = {name: checkpoints.load(path) for name, path in benchmarks.named(root, seed).items()}
    with one_thread():  # as the stages calculate
        rows = benchmarks.suite(networks, {str(s.info["dataset"]): s for s in splits}, say=_say)
    if json is not None:
        benchmarks.write(rows, json)
    columns = ["network", "data", "batch", "ms per sample", "range"]
    show_table(columns, [[r.network, r.data, str(r.batch), f"{r.ms:.2f}", f"{r.low:.2f} - {r.high:.2f}"] for r in rows])


def compare(rows: list[Any], json: Path | None) -> None:
    """Show rows of a benchmark; write them where a file is named."""
    from snn5 import bench as benchmarks

    if json is not None:
        benchmarks.write(rows, json)
    cells = [
        [
            r.name,
            r.baseline,
            f"{r.theirs:.3g} {r.unit}",
            f"{r.ours:.3g} {r.unit}",
            Text(f"{r.ratio:.2f}", "green" if r.reached else "yellow"),
            f"{r.low:.2f} - {r.high:.2f}",
            f"{r.target:g}",
        ]
        for r in rows
    ]
    show_table(["what", "against", "theirs", "ours", "ratio", "range", "target"], cells)


def _say(text: str) -> None:
    typer.echo(f"{text} ...", err=True)
