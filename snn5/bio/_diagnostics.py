"""Is the liquid alive, and is it any good: rates with a guard, separation, rank, branching, irregularity.

Shapes: T steps, N samples, n neurons, p features.
"""

import torch
from torch import Tensor

from snn5.errors import UserError

SILENT, RUNAWAY = 1e-4, 0.5  # spikes per neuron and step


def population_rates(spikes_Nn: Tensor, sign_n: Tensor, steps: int) -> dict[str, float]:
    """Spikes per neuron and step of each population that has neurons.

    Args:
        spikes_Nn: counts over `steps` steps. sign_n: +1 excitatory, -1 inhibitory.
    """
    members = {"excitatory": sign_n > 0, "inhibitory": sign_n < 0}
    return {name: float(spikes_Nn[:, own].double().mean()) / steps for name, own in members.items() if bool(own.any())}


def guard(rates: dict[str, float]) -> None:
    """Stop at a population that is silent or saturated: what is read from it means nothing.

    Raises:
        UserError: a rate below 1e-4 or above 0.5 spikes per neuron and step; names the population.
    """
    for name, rate in rates.items():
        if not rate >= SILENT:
            raise UserError(f"the {name} population is silent: {rate:.2g} spikes per neuron and step, below {SILENT:g}; raise p8.drive")
        if rate > RUNAWAY:
            raise UserError(
                f"the {name} population runs away: {rate:.2g} spikes per neuron and step, above {RUNAWAY:g}; "
                "lower p8.gain or p8.drive, or raise p8.inhibition or p8.refractory_ms"
            )


def separation(x_Np: Tensor, y_N: Tensor) -> float:
    """Separation property: mean distance between samples of different classes / mean distance between samples of one class.

    1 for features that know nothing of the class; infinity where each class is one point.

    Raises:
        UserError: fewer than two classes, no class with two samples, or all samples equal.
    """
    x_Np = x_Np.double()
    counts = torch.equal(x_Np, x_Np.round())  # for which the fast way is exact
    distance = torch.cdist(x_Np, x_Np, compute_mode="use_mm_for_euclid_dist" if counts else "donot_use_mm_for_euclid_dist")
    same = y_N[:, None] == y_N[None, :]
    within = same & ~torch.eye(len(y_N), dtype=torch.bool)
    if bool(same.all()) or not bool(within.any()):
        raise UserError("the separation property needs at least two classes, one of them with two samples or more")
    apart, together = float(distance[~same].mean()), float(distance[within].mean())
    if apart == together == 0:
        raise UserError("all samples have the same features: the liquid is silent; raise p8.drive")
    return apart / together if together else float("inf")


def effective_rank(x_Np: Tensor) -> float:
    """exp(entropy of the normalised singular values) of the centred features: in how many directions samples differ, 1..min(N - 1, p).

    Raises:
        UserError: they do not differ at all.

    Source: Roy, Vetterli, "The effective rank", EUSIPCO 2007.
    """
    x_Np = x_Np.double()
    value = torch.linalg.svdvals(x_Np - x_Np.mean(0))
    if bool((x_Np == x_Np[0]).all()):
        raise UserError("all samples have the same features (rank 0): the liquid is silent; raise p8.drive")
    share = value / value.sum()
    return float(torch.exp(-torch.special.xlogy(share, share).sum()))


def branching(spikes_TNn: Tensor) -> float:
    """sigma = <n[t+1] / n[t]> over all steps with spikes, n[t] = spikes of the pool in step t: below 1 dying out, above 1 growing.

    Under a steady input it is near 1 whatever the recurrence.

    Raises:
        UserError: there are no spikes.
    """
    n_TN = spikes_TNn.sum(2, dtype=torch.float64)
    before, after = n_TN[:-1], n_TN[1:]
    if not bool((before > 0).any()):
        raise UserError("no spikes to take the branching ratio of: the liquid is silent; raise p8.drive")
    return float((after[before > 0] / before[before > 0]).mean())


def cv_isi(spikes_TNn: Tensor) -> float:
    """Coefficient of variation of the intervals between spikes, per sample and neuron, averaged over trains of three spikes or more.

    0 for a clock, 1 for a Poisson process without refractory time (less in a short window).

    Raises:
        UserError: no train has three spikes.
    """
    trains_MT = spikes_TNn.flatten(1).T
    train, time = trains_MT.nonzero(as_tuple=True)
    interval = time.diff()[train.diff() == 0].double()
    owner = train[1:][train.diff() == 0]
    count = torch.bincount(owner, minlength=len(trains_MT)).double()
    mean = torch.bincount(owner, interval, minlength=len(trains_MT)) / count
    square = torch.bincount(owner, (interval - mean[owner]) ** 2, minlength=len(trains_MT)) / count
    enough = count >= 2
    if not bool(enough.any()):
        raise UserError("no neuron fires three times, so there are no intervals to compare; show the liquid more samples or raise p8.drive")
    return float((square[enough].sqrt() / mean[enough]).mean())
