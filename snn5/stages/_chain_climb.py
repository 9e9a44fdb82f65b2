"""P6's chain for all seeds, from the boldest of P4's choices to the mildest, until validation is content."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from snn5.benchmark import Measurement, measure
from snn5.checkpoint import Checkpoint
from snn5.config import Cutoff, Effort, Integration, Train
from snn5.datasets import Splits
from snn5.errors import UserError
from snn5.parallel import Tick, run_jobs
from snn5.stages._chain import Choices, recipe_of, shown_for, shrunk, sparse_of
from snn5.stages._chain_cutoff import Exit, exit_of
from snn5.stages._near import near
from snn5.statistics import mean_sd


@dataclass(frozen=True, kw_only=True)
class Climb:
    """What was made.

    Attributes:
        steps: by seed, the checkpoints `start`, `sparse`, `pruned` and `quantised` of the chosen variant.
        exits: the early exit of every variant that was tried. chosen: the variant's place.
        twin: the twins' accuracy on validation, mean over seeds.
    """

    steps: dict[int, dict[str, Checkpoint]]
    exits: list[Exit]
    chosen: int
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
    """The first variant that, with its early exit, is within the target's energy and `near` its twins on validation.

    Where none is: of those within the target's energy the most accurate there; where no energy is, the most accurate.

    Args:
        start, twins: by seed. slot: its recipe. effort: epochs.
        parents: by seed, md5 of the files of start and twin. seed_of: the seed of a job from what names it.
    """
    first, second = (recipe_of(slot, settings, epochs) for epochs in (effort.epochs, effort.quantised_epochs))
    seeds, still = list(start), splits.train.x_TNCHW.shape[0] == 1

    def thin(seed: int, tick: Tick) -> tuple[Checkpoint, Measurement]:
        files, begun = parents[seed], _shorter(start[seed], settings.most_steps) if still else start[seed]
        made = sparse_of(begun, twins[seed], splits, first, settings, choices, seed=seed_of(seed), parents=files, tick=tick)
        return made, measure(twins[seed], splits.val, seed=seed, protocol="validation")

    sparse = dict(zip(seeds, run_jobs(thin, seeds, label=f"{label} sparse", total=effort.epochs), strict=True))
    judges = {seed: judge for seed, (_, judge) in sparse.items()}
    twin = [judge.accuracy for judge in judges.values()]
    rungs: list[dict[int, dict[str, Checkpoint]]] = []
    exits: list[Exit] = []
    for variant in choices.variants:

        def shrink(seed: int, tick: Tick, variant: tuple[float, int] = variant) -> dict[str, Checkpoint]:
            own = seed_of(seed, *variant)
            return shrunk(sparse[seed][0], twins[seed], splits, second, settings, choices, variant, seed=own, tick=tick)

        named = f"{label} {100 * variant[0]:g} % zeros, {variant[1]} bits"
        rungs.append(dict(zip(seeds, run_jobs(shrink, seeds, label=named, total=effort.quantised_epochs), strict=True)))
        small = {seed: made["quantised"] for seed, made in rungs[-1].items()}
        exits.append(exit_of(small, judges, splits, settings, cutoff, seed_of=seed_of, label=label))
        if exits[-1].affordable and near(exits[-1].accuracies, twin, settings.max_accuracy_gap, settings.standard_errors):
            chosen = len(exits) - 1
            break
    else:
        chosen = max(range(len(exits)), key=lambda i: (exits[i].affordable, mean_sd(exits[i].accuracies)[0]))
    steps = {seed: {"start": start[seed], "sparse": sparse[seed][0], **rungs[chosen][seed]} for seed in seeds}
    return Climb(steps=steps, exits=exits, chosen=chosen, twin=mean_sd(twin)[0])


def _shorter(source: Checkpoint, most_steps: int) -> Checkpoint:
    """The network with at most so many steps; 0: as it is.

    Raises:
        UserError: some of its weights belong to a step (GLIF, attention over time).
    """
    if not 0 < most_steps < source.card.time_steps:
        return source
    made = shown_for(source, most_steps)
    try:
        made.build()
    except UserError as error:
        raise UserError(
            f"p6.most_steps={most_steps}: {error}; this network has weights for each of its steps, set p6.most_steps=0"
        ) from error
    return made
