"""What each rule is worth to a liquid that learns: the four ablations side by side, whatever they say."""

from collections.abc import Mapping, Sequence

from snn5.bio._paired import half_width, paired_gain
from snn5.bio._plastic import ABLATIONS
from snn5.record import Run
from snn5.statistics import mean_sd

TASKS = ("events", "order_hard")


def group_of(task: str, ablation: str) -> str:
    """The group of runs: a frozen liquid's is called after its task alone."""
    return task if ablation == "frozen" else f"{task}_{ablation}"


def ablation_summary(groups: Mapping[str, Sequence[Run]]) -> dict[str, float]:
    """Accuracy of each ablation and its gain over the frozen liquid, paired over seeds, with the half widths of 95 % intervals.

    Args:
        groups: runs by group, one per seed in the seeds' order; a task counts where it has all four ablations and two seeds or more.

    Returns:
        `ablation/<task>/<ablation>/acc`, `acc_ci95`, `gain`, `gain_ci95`.
    """
    summary: dict[str, float] = {}
    for task in TASKS:
        if any(len(groups.get(group_of(task, name), ())) < 2 for name in ABLATIONS):
            continue
        for name in ABLATIONS:
            runs = groups[group_of(task, name)]
            mean, sd = mean_sd(run.metrics["test/acc"] for run in runs)
            gain, _, half = paired_gain(runs, groups[group_of(task, "frozen")])
            figures = {"acc": mean, "acc_ci95": half_width(sd, len(runs)), "gain": gain, "gain_ci95": half}
            summary |= {f"ablation/{task}/{name}/{key}": value for key, value in figures.items()}
    return summary
