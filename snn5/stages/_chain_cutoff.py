"""P6's last step, as validation sees it: how boldly a network leaves early, what that saves and what it costs."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, sqrt

from snn5.benchmark import Measurement, compare, measure
from snn5.checkpoint import Checkpoint
from snn5.config import Cutoff, Integration
from snn5.datasets import Splits
from snn5.inference import Tried, calibrate_cutoff, choose_epsilon, try_epsilons
from snn5.parallel import Tick, run_jobs
from snn5.statistics import mean_sd


@dataclass(frozen=True, kw_only=True)
class Exit:
    """An epsilon of P5.1's list on the networks of all seeds.

    Attributes:
        accuracies: on validation, by seed, with the early exit. affordable: whether the target's energy allows it.
    """

    epsilon: float
    accuracies: tuple[float, ...]
    affordable: bool


def exit_of(
    networks: Mapping[int, Checkpoint],
    twins: Mapping[int, Measurement],
    splits: Splits,
    settings: Integration,
    cutoff: Cutoff,
    *,
    seed_of: Callable[..., int],
    label: str,
) -> Exit:
    """The most cautious epsilon whose share of the dense twin's energy stays within the target on validation.

        mean_s(share_s) + standard_errors sd_s(share_s) / sqrt(S) <= target_ratio

    The margin is for networks and samples that differ from these; it is no error of the test figure, which is the mean of the same seeds.
    Where no epsilon is within the target, P5.1's choice: accuracy is not sold for the target.

    Args:
        networks: by seed. twins: on validation, by seed. seed_of: the seed of a job from what names it.
    """
    train, val, seeds = splits.train, splits.val, list(networks)
    epsilons = sorted(cutoff.epsilons)
    judged: dict[float, Exit] = {}

    def look(epsilon: float) -> bool:
        def judge(seed: int, tick: Tick) -> tuple[float, float]:
            stopped = calibrate_cutoff(networks[seed], train, epsilon=epsilon, rule=cutoff.rule, seed=seed_of(seed))
            found = compare(measure(stopped, val, seed=seed, protocol="validation"), twins[seed])
            share = found.ratios["ann_dense"]
            tick()
            return found.accuracy, share["fp32"] if share else inf

        accuracies, shares = zip(*run_jobs(judge, seeds, label=f"{label} epsilon {epsilon:g}", total=1), strict=True)
        mean, sd = mean_sd(shares)
        affordable = mean + settings.standard_errors * sd / sqrt(len(seeds)) <= settings.target_ratio
        judged[epsilon] = Exit(epsilon=epsilon, accuracies=accuracies, affordable=affordable)
        return affordable

    place = bisect_left(epsilons, True, key=look)  # a bolder exit never costs more
    if place < len(epsilons):
        return judged[epsilons[place]]

    def again(seed: int, tick: Tick) -> Tried:
        tried = try_epsilons(networks[seed], train, {"val": val}, epsilons, rules=[cutoff.rule], seed=seed_of(seed))
        tick()
        return tried[cutoff.rule]["val"]

    tried = run_jobs(again, seeds, label=f"{label} epsilons", total=1)
    epsilon = choose_epsilon(tried, max_accuracy_loss=cutoff.max_accuracy_loss, standard_errors=cutoff.standard_errors)
    return Exit(epsilon=epsilon, accuracies=tuple(t.accuracy[epsilons.index(epsilon)] for t in tried), affordable=False)
