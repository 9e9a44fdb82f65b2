"""P6's chain for all seeds, from the boldest of P4's choices to the mildest, until validation is content."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from snn5.benchmark import measure
from snn5.checkpoint import Checkpoint
from snn5.config import Cutoff, Effort, Integration, Train
from snn5.datasets import Splits
from snn5.inference import Tried, try_epsilons
from snn5.parallel import Tick, run_jobs
from snn5.stages._chain import Choices, near, recipe_of, shrunk, sparse_of
from snn5.statistics import mean_sd


@dataclass(frozen=True, kw_only=True)
class Climb:
    """What was made.

    Attributes:
        steps: by seed, the checkpoints `start`, `sparse`, `pruned` and `quantised` of the chosen variant.
        tried: the epsilons on each seed's quantised network. chosen: the variant's place.
        accuracies: on validation, mean over seeds, of every variant that was tried. twin: the twins'.
    """

    steps: dict[int, dict[str, Checkpoint]]
    tried: list[Tried]
    chosen: int
    accuracies: list[float]
    twin: float


def climb(
    start: Mapping[int, Checkpoint],
    twins: Mapping[int, Checkpoint],
    splits: Splits,
    slot: Train,
    settings: Integration,
    effort: Effort,
    cutoff: Cutoff,
    choices: Choices,
    *,
    parents: Mapping[int, Mapping[str, str]],
    seed_of: Callable[..., int],
    label: str,
) -> Climb:
    """The first variant that is `near` its twins on validation, else the one that is most accurate there.

    Args:
        start, twins: by seed. slot: its recipe. effort: epochs.
        parents: by seed, md5 of the files of start and twin. seed_of: the seed of a job from what names it.
    """
    first, second = (recipe_of(slot, settings, epochs) for epochs in (effort.epochs, effort.quantised_epochs))
    seeds = list(start)

    def thin(seed: int, tick: Tick) -> tuple[Checkpoint, float]:
        files = parents[seed]
        made = sparse_of(start[seed], twins[seed], splits, first, settings, choices, seed=seed_of(seed), parents=files, tick=tick)
        return made, measure(twins[seed], splits.val, seed=seed, protocol="validation").accuracy

    sparse = dict(zip(seeds, run_jobs(thin, seeds, label=f"{label} sparse", total=effort.epochs), strict=True))
    twin = [sparse[seed][1] for seed in seeds]
    rungs: list[list[tuple[dict[str, Checkpoint], Tried]]] = []
    content = False
    for variant in choices.variants:

        def shrink(seed: int, tick: Tick, variant: tuple[float, int] = variant) -> tuple[dict[str, Checkpoint], Tried]:
            own = seed_of(seed, *variant)
            made = shrunk(sparse[seed][0], twins[seed], splits, second, settings, choices, variant, seed=own, tick=tick)
            tried = try_epsilons(made["quantised"], splits.train, {"val": splits.val}, cutoff.epsilons, rules=[cutoff.rule], seed=own)
            return made, tried[cutoff.rule]["val"]

        named = f"{label} {100 * variant[0]:g} % zeros, {variant[1]} bits"
        rungs.append(run_jobs(shrink, seeds, label=named, total=effort.quantised_epochs))
        content = near([t.full_accuracy for _, t in rungs[-1]], twin, settings.max_accuracy_gap, settings.standard_errors)
        if content:
            break
    means = [mean_sd(t.full_accuracy for _, t in rung)[0] for rung in rungs]
    chosen = len(rungs) - 1 if content else means.index(max(means))
    steps = {seed: {"start": start[seed], "sparse": sparse[seed][0], **made} for seed, (made, _) in zip(seeds, rungs[chosen], strict=True)}
    return Climb(steps=steps, tried=[t for _, t in rungs[chosen]], chosen=chosen, accuracies=means, twin=mean_sd(twin)[0])
