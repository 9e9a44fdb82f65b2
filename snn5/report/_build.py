"""From records to files: `roadmap.html` and a PNG per figure."""

import os
from collections.abc import Mapping
from pathlib import Path

from snn5.files import write_bytes
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.report import _figures
from snn5.report._html import page
from snn5.report._parts import Drawing
from snn5.report._results import STAGES, Results
from snn5.report._style import png, styled, svg
from snn5.report._targets import targets
from snn5.report._tasks import TASKS
from snn5.report.sections import SECTIONS

PAGE = "roadmap.html"


def build(results: Results) -> dict[str, bytes]:
    """All files of the report by name; equal records give equal bytes."""
    with styled():
        sections = {phase: parts(results) for phase, parts in SECTIONS.items()}
        drawings = [part for parts in sections.values() for part in parts if isinstance(part, Drawing)]
        # on all cores, whatever $SNN5_WORKERS says: in `make repro` nothing else runs any more
        drawn = run_jobs(_draw, drawings, label="figures", total=1, workers=os.cpu_count() or 1)
        images = {drawing.name: image for drawing, (image, _) in zip(drawings, drawn, strict=True)}
        files = {f"{drawing.name}.png": data for drawing, (_, data) in zip(drawings, drawn, strict=True)}
        return {PAGE: page(results, sections, images).encode(), _figures.FILE: _figures.figures(results), **files}


def _draw(drawing: Drawing, tick: Tick) -> tuple[str, bytes]:
    """As the page shows it and as a file."""
    data = png(drawing.figure)
    image = svg(drawing.figure, drawing.name, drawing.alt)
    tick()
    return image, data


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Make `folder` hold `files` and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.name not in files and old.is_file():
            old.unlink()
    for name, data in files.items():
        write_bytes(folder / name, data)


HEADLINES = (
    "val/acc",
    "test/acc",
    "test/acc_last",
    "cost/synops",
    "cost/spike_rate",
    "cost/energy_pj",
    "cost/steps_mean",
    "cost/ratio_ann_dense",
)


def record_of(results: Results) -> Record:
    """The verdicts in numbers: how many tasks are in which state, which targets are reached, and the state of each task."""
    states = {task.id: task.state(results) for task in TASKS}
    summary = {
        f"tasks/{state.replace(' ', '_')}": float(list(states.values()).count(state)) for state in ("measured", "partly", "not there yet")
    }
    summary |= {f"target/{t.number}_reached": float(t.verdict == "reached") for t in targets(results)}
    # The headline figures of every stage, so that `dvc metrics diff` has one small file to read.
    for stage in STAGES:
        found = results.get(stage)
        summary |= {f"{stage}/{name}": found.summary[name] for name in HEADLINES if name in found.summary} if found else {}
    runs = {task.id: Run(params={"title": task.title, "state": states[task.id]}) for task in TASKS}
    return Record(summary=summary, runs=runs)
