"""Which source of randomness spreads the results: a 2 x 2 x 2 design in which each of the three is held or varied."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

from snn5.bio.reproducibility._trial import Draws
from snn5.errors import UserError
from snn5.statistics import mean_sd

SOURCES = Draws._fields
EVERYTHING = "+".join(SOURCES)


def cells() -> list[tuple[str, ...]]:
    """The sources that vary, for each of the seven cells in which any does; where none does, R0 says what comes out."""
    return [chosen for size in (1, 2, 3) for chosen in combinations(SOURCES, size)]


def design(runs: int, *parts: object) -> dict[str, list[Draws]]:
    """The draws of every cell, by the names of what varies: `init`, `init+noise`, ...

    Run k takes its varied sources from one seed for k, the same in all cells, and the others from one base.

    Args:
        runs: trainings per cell, >= 2. parts: what the seeds are made of.
    """
    base = Draws.of(*parts, "base")
    varied = [Draws.of(*parts, k) for k in range(runs)]
    return {"+".join(cell): [base._replace(**{name: getattr(own, name) for name in cell}) for own in varied] for cell in cells()}


def decompose(accuracies: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Standard deviations of the cells, and how much of the variance each source brings.

        effect(a) = mean over the four settings of the other two of (variance with a varied - variance with a held)

    The variance of the cell in which nothing varies is 0 (R0). An effect is an estimate and may come out below 0. The three effects add
    up to the whole variance only where the sources do not work on each other. Variances of few runs are uncertain: with normal
    accuracies the standard error of a variance v from n runs is v sqrt(2 / (n - 1)), and from it follows that of an effect.

    Args:
        accuracies: test accuracies by cell, as `design` names them.

    Returns:
        `<cell>/sd`, and for each source `<source>/share` = effect over the variance where all three vary (0 where that is 0), with
        `<source>/share_se`, its standard error apart from that of the divisor.

    Raises:
        UserError: a cell is missing or has fewer than two runs.
    """
    names = ["+".join(cell) for cell in cells()]
    if sorted(accuracies) != sorted(names) or any(len(values) < 2 for values in accuracies.values()):
        raise UserError(f"cells {sorted(accuracies)}; need two runs or more in each of {sorted(names)}")
    spread = {name: mean_sd(values)[1] for name, values in accuracies.items()}
    variance: dict[frozenset[str], float] = {frozenset(): 0.0}
    variance |= {frozenset(name.split("+")): sd**2 for name, sd in spread.items()}
    whole = variance[frozenset(SOURCES)]
    error = math.sqrt(sum(2 * spread[name] ** 4 / (len(values) - 1) for name, values in accuracies.items())) / 4
    found = {f"{name}/sd": sd for name, sd in spread.items()}
    for source in SOURCES:
        held = [cell for cell in variance if source not in cell]
        effect = sum(variance[cell | {source}] - variance[cell] for cell in held) / len(held)
        found |= {f"{source}/share": effect / whole if whole else 0.0, f"{source}/share_se": error / whole if whole else 0.0}
    return found
