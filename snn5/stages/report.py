"""The report: the roadmap's 23 tasks with state and figures, the three targets, curves, rasters, accuracy against energy.

    python -m snn5.stages.report

Reads the records of all stages and the results of the recorded experiments, nothing else. Wall time: 15 s on one core.
Out: reports/roadmap.html with a PNG per figure; metrics.json (states and verdicts), curves.csv.
"""

from pathlib import Path

from snn5 import report
from snn5.record import Record
from snn5.stages._stage import Stage, main


def run(stage: Stage) -> Record:
    """Build the page from what dvc.yaml lists as this stage's dependencies."""
    for name in report.STAGES:
        for file in ("metrics.json", "curves.csv"):
            stage.input(report.folder(name) / file)
    results = report.read(stage.root)
    report.write(report.build(results), Path("reports"))
    return report.record_of(results)


if __name__ == "__main__":
    main(run)
