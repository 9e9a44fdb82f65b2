"""P7.2: the data set of one slot, packed into train, validation and test.

Claim: the splits are the same bytes on every machine, disjoint, stratified by class, and free of copies of one sample on two sides.
Expected: 1797 digits -> 1078 / 269 / 450; as events about 1100 a sample; at T = 5 no frame is empty and the largest count is 7.
Wall time: frames 2 s, events 4 s on one core.
Command: python -m snn5.stages.p7_data frames   (or events)
"""

from dataclasses import asdict

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from snn5.datasets import SLOTS, SPLITS, Split, Splits, prepare, skipped, statistics
from snn5.errors import UserError
from snn5.record import Record, Run
from snn5.stages._stage import Stage, main


def run(stage: Stage) -> Record:
    """Write the three files of `p7_data frames|events` and record what is in them.

    Raises:
        UserError: other arguments than one slot; see `snn5.datasets.prepare`.
    """
    if len(stage.args) != 1:
        raise UserError(f"p7_data {' '.join(stage.args)}: need one argument out of {', '.join(SLOTS)}")
    slot = stage.args[0]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"data for {slot}", total=None)
        splits = prepare(stage.config, slot, folder=stage.out, progress=lambda done, total: bar.update(task, completed=done, total=total))
    for line in skipped(splits.train):
        console.print(line, soft_wrap=True, markup=False)
    return _record(splits)


def _record(splits: Splits) -> Record:
    info = splits.train.info
    shared = {key: info[key] for key in sorted(info) if key not in ("split", "split_sha256", "samples_sha256")}
    return Record(
        summary={f"data/{side}_samples": float(len(getattr(splits, side))) for side in SPLITS}
        | {"data/duplicates": float(info["duplicates"]), "data/dropped": float(info["dropped"])}
        | ({"data/skipped": float(len(info["skipped"]))} if "skipped" in info else {}),
        runs={side: _run(getattr(splits, side)) for side in SPLITS},
        details=shared,
    )


def _run(split: Split) -> Run:
    """Figures of one split; curves over the step (`sum_per_step`) and over the class number (`class_count`)."""
    found = statistics(split)
    details = {key: split.info[key] for key in ("split_sha256", "samples_sha256")} | {"shape": list(split.x_TNCHW.shape)}
    metrics = {f"data/{k}": float(v) for k, v in asdict(found).items() if isinstance(v, int | float)}
    curves = {
        "data/sum_per_step": [(t, value) for t, value in enumerate(found.mean_sum_per_step)],
        "data/class_count": [(label, float(n)) for label, n in enumerate(found.classes)],
    }
    return Run(params={"split": split.info["split"]}, metrics=metrics, curves=curves, details=details)


if __name__ == "__main__":
    main(run)
