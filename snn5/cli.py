"""The `snn5` command. What a command needs it imports itself, so that `snn5 --help` answers at once."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from snn5._bench_cli import bench
from snn5._gate_cli import gate
from snn5._tables import show_table
from snn5.errors import UserError
from snn5.files import find_root


class _Commands(TyperGroup):
    """What the user can mend is one red line (or a few) on stderr and exit status 1; only our own mistakes have a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            message = Text.assemble(("error: ", "bold red"), (str(error), "red"))
            Console(stderr=True).print(message, soft_wrap=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Spiking networks, end to end."
)
data = typer.Typer(no_args_is_help=True, help="Data sets: list, download, prepare, verify.")
models = typer.Typer(no_args_is_help=True, help="The model registry: list, promote, pull.")
track = typer.Typer(no_args_is_help=True, help="MLflow's runs.")
app.add_typer(data, name="data")
app.add_typer(models, name="models")
app.add_typer(track, name="track")
app.add_typer(bench, name="bench")
app.add_typer(gate, name="gate")


@app.command()
def run(
    phases: Annotated[list[str] | None, typer.Argument(metavar="PHASE", help="p1 ... p8, or roadmap (the default).")] = None,
    upstream: Annotated[
        Literal["check", "rebuild"] | None,
        typer.Option(help="A stage of another phase is out of date: fail with its name, or rebuild it. [default: check; roadmap: rebuild]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run the stages of these phases even if they are up to date.")] = False,
) -> None:
    """Run phases of the roadmap; what is up to date is not run again."""
    from flows._run import run as run_flows

    options: dict[str, Any] = {"force": force} | ({"upstream": upstream} if upstream else {})
    run_flows(phases or ["roadmap"], **options)


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="Address to listen on; whoever reaches it can start runs.")] = "127.0.0.1",
    prefect_port: Annotated[int, typer.Option(help="Port of Prefect's pages and API.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow's pages.")] = 5000,
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Also run here what is triggered.")] = True,
) -> None:
    """Start Prefect's and MLflow's pages and a worker; Ctrl-C stops them."""
    from snn5._ui import serve

    try:
        serve(find_root(), host=host, prefect_port=prefect_port, mlflow_port=mlflow_port, worker=worker, say=typer.echo)
    except KeyboardInterrupt:
        typer.echo("Stopped.")


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing and what to do; exit status 1 when something required is missing."""
    from snn5._doctor import examine

    findings = examine(find_root())
    colours = {"ok": "green", "note": "yellow", "missing": "red"}
    show_table(["", "what", "found", "what to do"], [[Text(f.state, colours[f.state]), f.what, f.found, f.remedy] for f in findings])
    if any(f.state == "missing" for f in findings):
        raise typer.Exit(1)


@app.command()
def predict(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of the pipeline, e.g. of p6_integrate.")],
    files: Annotated[list[Path], typer.Argument(help="Images (.png, .jpg ...), or event recordings (.bin, .aedat4, .dat, .npz ...).")],
    slices: Annotated[Literal["time", "count"], typer.Option(help="Slices of a recording: of equal length, or of equal number.")] = "time",
    size: Annotated[int, typer.Option(min=0, help="Microseconds or events of a slice; 0 divides the recording.")] = 0,
) -> None:
    """Ask a network about files, one by one; a file that cannot be read is named, the others go on, and the exit status is 1."""
    from snn5 import checkpoint as checkpoints
    from snn5.inference import Predictor

    network = Predictor(checkpoints.load(checkpoint), method=slices, size=size)
    for note in network.notes:
        typer.echo(f"note: {note}", err=True)
    answers, errors = network.predict_all(files)
    rows = [
        [str(file), str(p.label), f"{p.confidence:.3f}", f"{p.step} of {network.time_steps}", f"{p.milliseconds:.2f}", str(p.synops or "-")]
        for file, p in answers
    ]
    if rows:
        show_table(["file", "class", "confidence", "exit step", "ms", "SynOps"], rows)
    for text in errors:
        Console(stderr=True).print(Text.assemble(("error: ", "bold red"), (text, "red")), soft_wrap=True)
    if errors:
        raise typer.Exit(1)


@data.command("list")
def list_data() -> None:
    """All data sets that SNN5 knows, and whether their files are there."""
    from snn5.datasets import describe

    columns = ["name", "kind", "classes", "state", "files", "licence"]
    show_table(columns, [[row[column] for column in columns] for row in describe()])


@data.command()
def prepare(
    slots: Annotated[list[str] | None, typer.Argument(metavar="SLOT", help="frames, events (default: both).")] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of params.yaml (default: the one it chooses).")] = None,
    to: Annotated[
        Path | None, typer.Option(help="A folder for <SLOT>/*.safetensors (default: where the stages look, data/p7_data).")
    ] = None,
) -> None:
    """Write the train, validation and test splits of the data sets that params.yaml chooses."""
    from rich.progress import Progress, TaskID

    from snn5 import config, datasets

    root = find_root()
    settings = config.load(root / "params.yaml", profile)
    for slot in slots or datasets.SLOTS:
        folder = (to or root / "data" / "p7_data") / slot
        with Progress(console=Console(stderr=True), transient=True) as bar:
            line = bar.add_task(slot, total=None)

            def advance(done: int, total: int, bar: Progress = bar, line: TaskID = line) -> None:
                bar.update(line, completed=done, total=total)

            splits = datasets.prepare(settings, slot, folder=folder, scratch=root / ".cache" / "prepare", progress=advance)
        typer.echo(f"{folder}: {len(splits.train)} train, {len(splits.val)} val, {len(splits.test)} test")
        for left_out in datasets.skipped(splits.train):
            typer.echo(f"  {left_out}", err=True)


@data.command()
def download(
    name: Annotated[str, typer.Argument(metavar="SET", help="See `snn5 data list`.")],
    to: Annotated[Path | None, typer.Option(help="A folder of data sets (default: SNN5_DATA_ROOT).")] = None,
) -> None:
    """Fetch the official archives of a data set, check their md5 and unpack them; what broke off goes on."""
    from rich.progress import DownloadColumn, Progress, TaskID, TransferSpeedColumn

    from snn5 import datasets

    with Progress(*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn(), console=Console(stderr=True)) as bar:
        rows: dict[str, TaskID] = {}

        def show(file: str, done: int, total: int) -> None:
            row = rows[file] if file in rows else rows.setdefault(file, bar.add_task(file))
            bar.update(row, completed=done, total=total or None)

        lines = datasets.download(name, to, say=show)
    for line in lines:
        typer.echo(line)


@data.command()
def verify(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Folders of splits, or names of data sets (default: both under data/p7_data).")
    ] = None,
) -> None:
    """Check prepared splits: hashes, counts, labels, and that no sample is in two of them; of a data set, the md5 of its official files."""
    from snn5 import datasets

    findings = []
    for folder in folders or [find_root() / "data" / "p7_data" / slot for slot in datasets.SLOTS]:
        if str(folder) in datasets.list_datasets() and not folder.is_dir():
            for line in datasets.verify_official(str(folder)):
                typer.echo(line)
            continue
        wrong = datasets.verify(folder)
        findings += wrong
        typer.echo(f"{folder}: {'something is wrong' if wrong else 'all is well'}")
    if findings:
        raise UserError("\n".join(findings))


@models.command("list")
def list_models() -> None:
    """All registered checkpoints."""
    from snn5 import tracking

    rows = tracking.list_models()
    cells = [[r.name, str(r.version), r.alias, r.path, r.md5, "" if r.accuracy is None else f"{r.accuracy:.4f}"] for r in rows]
    show_table(["name", "version", "alias", "path", "md5", "test/acc"], cells)


@models.command()
def promote(
    path: Annotated[Path, typer.Argument(help="A checkpoint that a stage made.")],
    alias: Annotated[str, typer.Argument(help="e.g. champion, p1-best, deployed-lava")],
    name: Annotated[str | None, typer.Option(help="The registered model (default: named after the path).")] = None,
) -> None:
    """Let ALIAS point to the checkpoint PATH."""
    from snn5 import tracking

    row = tracking.promote(path, alias, name)
    typer.echo(f"{row.name} version {row.version} ({row.md5}) is now {alias}")


@models.command()
def pull(
    alias: Annotated[str, typer.Argument(help="An alias, or MODEL@ALIAS.")],
    to: Annotated[Path, typer.Argument(help="A file, or a folder to put it into.")] = Path("."),
) -> None:
    """Copy the checkpoint that ALIAS points to."""
    from snn5 import tracking

    typer.echo(tracking.pull(alias, to))


@track.command()
def backfill() -> None:
    """Make the runs that MLflow lacks, from dvc.lock and the files it names."""
    from snn5 import tracking

    done = tracking.backfill()
    typer.echo(f"{len(done.made)} made, {len(done.present)} there already, {len(done.missing)} without their files here")
    for stage in done.missing:
        typer.echo(f"  {stage}: fetch its files with `dvc pull {stage}`, or make them with `dvc repro {stage}`")
