"""P6's last step: how boldly it leaves early, so that the energy which the target leaves is spent on accuracy."""

from collections.abc import Callable, Mapping
from math import inf, sqrt

from snn5.benchmark import compare, measure
from snn5.checkpoint import Checkpoint
from snn5.config import Cutoff, Integration
from snn5.datasets import Splits
from snn5.inference import calibrate_cutoff, choose_epsilon
from snn5.parallel import Tick, run_jobs
from snn5.stages._chain_climb import Climb
from snn5.statistics import mean_sd


def epsilon_of(
    made: Climb,
    twins: Mapping[int, Checkpoint],
    splits: Splits,
    settings: Integration,
    cutoff: Cutoff,
    *,
    seed_of: Callable[..., int],
    label: str,
) -> float:
    """The smallest epsilon, at most P5.1's choice, with which validation still costs at most `target_ratio` of the dense twin's energy.

        mean_s(share_s) + standard_errors sd_s(share_s) / sqrt(S) <= target_ratio

    Where P5.1's choice costs more than that it stays: accuracy is not sold for the target.

    Args:
        twins: by seed. seed_of: the seed of a job from what names it.
    """
    epsilon = choose_epsilon(made.tried, max_accuracy_loss=cutoff.max_accuracy_loss, standard_errors=cutoff.standard_errors)
    bolder = sorted((e for e in cutoff.epsilons if e <= epsilon), reverse=True)
    for place, one in enumerate(bolder):

        def ratio(seed: int, tick: Tick, one: float = one) -> float:
            stopped = calibrate_cutoff(made.steps[seed]["quantised"], splits.train, epsilon=one, rule=cutoff.rule, seed=seed_of(seed))
            found = [measure(network, splits.val, seed=seed, protocol="validation") for network in (stopped, twins[seed])]
            tick()
            share = compare(*found).ratios["ann_dense"]
            return share["fp32"] if share else inf

        share, sd = mean_sd(run_jobs(ratio, list(twins), label=f"{label} epsilon {one:g}", total=1))
        if share + settings.standard_errors * sd / sqrt(len(twins)) > settings.target_ratio:
            return bolder[max(place - 1, 0)]
    return bolder[-1]
