"""A phase's figures against the roadmap's targets, as a Markdown table in Prefect."""

import operator
from collections.abc import Mapping
from typing import Literal

from prefect.artifacts import create_markdown_artifact

from snn5.files import find_root, read_json

Target = tuple[Literal[">=", "<="], float]
Targets = Mapping[str, Target]

_COMPARE = {">=": operator.ge, "<=": operator.le}


def write_summary(key: str, stages: list[str], targets: Targets) -> None:
    """Write the artifact `<key>-summary` from data/<stage>/metrics.json of each of `stages` that has one."""
    figures = {stage: _figures(stage) for stage in stages}
    create_markdown_artifact(
        markdown(key, figures, targets), key=f"{key}-summary", description="Figures of each stage and the roadmap's targets."
    )


def markdown(title: str, figures: Mapping[str, Mapping[str, float]], targets: Targets) -> str:
    """One row per stage and metric with its deviation over seeds and, where the roadmap demands something, the demand and the verdict."""
    rows = []
    for stage, summary in figures.items():
        for metric, value in sorted(summary.items()):
            if metric.endswith("_sd") and metric.removesuffix("_sd") in summary:
                continue
            spread = f"{summary[f'{metric}_sd']:.2g}" if f"{metric}_sd" in summary else ""
            demand, verdict = "", ""
            if metric in targets:
                sign, bound = targets[metric]
                demand, verdict = f"{sign} {bound:g}", "met" if _COMPARE[sign](value, bound) else "not met"
            rows.append(f"| {stage} | {metric} | {value:.4g} | {spread} | {demand} | {verdict} |")
    if not rows:
        return f"# {title}\n\nIts stages wrote no figures.\n"
    head = ["| stage | metric | value | sd | target | verdict |", "| --- | --- | ---: | ---: | --- | --- |"]
    note = ["", "The targets are the roadmap's; it sets that of accuracy on CIFAR-10."] if targets else []
    return "\n".join([f"# {title}", "", *head, *rows, *note]) + "\n"


def _figures(stage: str) -> dict[str, float]:
    """The summary of a stage's record; empty for a stage that keeps none (data, report)."""
    path = find_root() / "data" / stage.replace("@", "/") / "metrics.json"
    return read_json(path).get("summary", {}) if path.is_file() else {}
