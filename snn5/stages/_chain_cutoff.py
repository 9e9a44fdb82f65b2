"""P6's last step, as validation sees it: how boldly a network leaves early, what that saves and what it costs."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from snn5.benchmark import Measurement, compare, measure
from snn5.checkpoint import Checkpoint
from snn5.config import Cutoff, Integration
from snn5.datasets import Splits
from snn5.inference import Tried, calibrate_cutoff, choose_epsilon, try_epsilons
from snn5.parallel import Tick, run_jobs


@dataclass(frozen=True, kw_only=True)
class Exit:
    """Epsilons of P5.1's list on the networks of all seeds.

    Attributes:
        epsilons, accuracies: by seed; the latter on validation, with the early exit. affordable: whether the target's energy allows them.
    """

    epsilons: tuple[float, ...]
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
    """For each network the most cautious epsilon whose share of its dense twin's energy stays within the target on validation.

    Each its own: a threshold is the largest of the gaps that were wrong, so that a single training sample decides what an epsilon costs a
    network (of three with the same one, one used 1/21 of its twin's energy, another 1/53). Accuracy has no say in it.
    Where a network has none within the target, P5.1's choice for all: accuracy is not sold for the target. (For the verdict the mean
    over networks counts.)

    Args:
        networks: by seed. twins: on validation, by seed. seed_of: the seed of a job from what names it.
    """
    train, val, seeds, epsilons = splits.train, splits.val, list(networks), sorted(cutoff.epsilons)

    def spend(seed: int, tick: Tick) -> tuple[float, float] | None:
        judged: dict[float, float] = {}

        def affordable(epsilon: float) -> bool:
            stopped = calibrate_cutoff(networks[seed], train, epsilon=epsilon, rule=cutoff.rule, seed=seed_of(seed))
            found = compare(measure(stopped, val, seed=seed, protocol="validation"), twins[seed])
            judged[epsilon] = found.accuracy
            share = found.ratios["ann_dense"]
            return share is not None and share["fp32"] <= settings.target_ratio

        place = bisect_left(epsilons, True, key=affordable)  # a bolder exit never costs more
        tick()
        return (epsilons[place], judged[epsilons[place]]) if place < len(epsilons) else None

    spent = run_jobs(spend, seeds, label=f"{label} exits", total=1)
    if all(spent):
        own, accuracies = zip(*filter(None, spent), strict=True)
        return Exit(epsilons=own, accuracies=accuracies, affordable=True)

    def again(seed: int, tick: Tick) -> Tried:
        tried = try_epsilons(networks[seed], train, {"val": val}, epsilons, rules=[cutoff.rule], seed=seed_of(seed))
        tick()
        return tried[cutoff.rule]["val"]

    tried = run_jobs(again, seeds, label=f"{label} epsilons", total=1)
    epsilon = choose_epsilon(tried, **cutoff.limits())
    place = epsilons.index(epsilon)
    return Exit(epsilons=(epsilon,) * len(seeds), accuracies=tuple(t.accuracy[place] for t in tried), affordable=False)
