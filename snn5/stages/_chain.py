"""P6: the roadmap's techniques on one network, one after the other, and the rivals that it is judged against.

    start -> sparse     P4.1: few synaptic operations
          -> pruned     P4.3: few weights, in one shot
          -> quantised  P4.2: few bits; what pruning cost comes back here, its zeros stay
          (-> cutoff    P5.1: few steps, last, since its thresholds belong to the final logits)

In the two trained steps the network listens to its own ReLU twin (Hinton's distillation). The rivals are trained from that same twin, for
as many epochs: one with activations of as many bits as T steps have spike counts, one pruned to as many parameters.
Order: spec of P6.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, log2, sqrt
from typing import Any

import torch

from snn5.benchmark import params_nnz
from snn5.checkpoint import Checkpoint
from snn5.compression import Teacher, calibration_samples, prune, prune_to, quantize, sparsify
from snn5.config import Effort, Integration, Train
from snn5.datasets import Splits
from snn5.statistics import mean_sd
from snn5.training import samples

STEPS = ("start", "sparse", "pruned", "quantised", "cutoff")
RIVALS = ("ann", "qnn", "ann_pruned")
METHOD = "sbc_sequential"  # that of p4_prune


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the stages of P4 chose on validation, and P4.1's ramp.

    Attributes:
        strength: of P4.1's penalty. ramp_fraction: see `sparsify`.
        variants: sparsity and bits, P4's choices first, then milder ones, in the order in which validation may fall back on them.
    """

    strength: float
    ramp_fraction: float
    variants: Sequence[tuple[float, int]]


def compressed(
    start: Checkpoint,
    twin: Checkpoint,
    splits: Splits,
    recipe: Train,
    settings: Integration,
    effort: Effort,
    choices: Choices,
    *,
    seed: int,
    parents: Mapping[str, str],
    tick: Callable[..., None] = lambda: None,
) -> list[dict[str, Checkpoint]]:
    """For each variant, the checkpoint after each step up to `quantised`, by its name.

    Args:
        start: a spiking network. twin: the ReLU network that it listens to.
        recipe: of the slot; its epochs, lr, warm-up and average are replaced by those of `effort` and `settings`.
        seed: of the order, the augmentation and the calibration samples.
        parents: md5 of the files of `start` and `twin`, for the cards.
    """
    train, val, draw = samples(splits.train), samples(splits.val), torch.Generator().manual_seed(seed)
    teacher = Teacher(model=twin.build(), weight=settings.teacher_weight, temperature=settings.temperature)
    rules: dict[str, Any] = {"teacher": teacher, "generator": draw, "tick": tick}
    first, second = (_tuned(recipe, settings, epochs) for epochs in (effort.epochs, effort.quantised_epochs))
    sparse, _ = sparsify(
        start, train, val, first, strength=choices.strength, ramp_fraction=choices.ramp_fraction, parents=dict(parents), **rules
    )
    few = calibration_samples(splits.train, per_class=settings.calibration_per_class, generator=draw)
    made = []
    for sparsity, bits in choices.variants:
        pruned, _ = prune(sparse, few, sparsity=sparsity, method=METHOD)
        quantised, _ = quantize(pruned, train, val, second, bits=bits, energy_weight=choices.strength, **rules)
        made.append({"start": start, "sparse": sparse, "pruned": pruned, "quantised": quantised})
    return made


def choose_variant(accuracies: Sequence[Sequence[float]], twin: Sequence[float], gap: float, standard_errors: float = 1.0) -> int:
    """The first variant whose validation accuracy is little enough below the twin's; the most accurate where none is.

        d_s = twin_s - own_s          mean_s(d) + standard_errors sd_s(d) / sqrt(S) <= gap

    Args:
        accuracies: of each variant, by seed. twin: by seed. standard_errors: the margin for few seeds and few samples, as in P5.1.
    """
    means = [sum(own) / len(own) for own in accuracies]
    lost = [mean_sd(t - a for t, a in zip(twin, own, strict=True)) for own in accuracies]
    # 1e-9: a gap of exactly the limit is within it, however the means were rounded
    within = [place for place, (mean, sd) in enumerate(lost) if mean + standard_errors * sd / sqrt(len(twin)) <= gap + 1e-9]
    return within[0] if within else means.index(max(means))


def rivals(
    twin: Checkpoint,
    final: Checkpoint,
    splits: Splits,
    recipe: Train,
    settings: Integration,
    effort: Effort,
    *,
    bits: int,
    seed: int,
    tick: Callable[..., None] = lambda: None,
) -> dict[str, Checkpoint]:
    """The ANNs, by name: the twin, the quantised twin and the pruned twin, each trained further for the chain's epochs.

    Args:
        final: the spiking network: its T says how many spike counts there are, its parameters how many the pruned twin may keep.
        bits: of its weights, and so of the quantised twin's.
    """
    train, val, draw = samples(splits.train), samples(splits.val), torch.Generator().manual_seed(seed)
    rules: dict[str, Any] = {"generator": draw, "tick": tick}
    tuned = _tuned(recipe, settings, effort.epochs)
    qnn, _ = quantize(twin, train, val, tuned, bits=bits, activation_bits=ceil(log2(final.card.time_steps + 1)), **rules)
    few = calibration_samples(splits.train, per_class=settings.calibration_per_class, generator=draw)
    pruned, _ = prune_to(twin, few, nnz=params_nnz(final.build()), method=METHOD)
    trained, _ = sparsify(pruned, train, val, tuned, strength=0.0, **rules)
    return {"ann": twin, "qnn": qnn, "ann_pruned": trained}


def _tuned(recipe: Train, settings: Integration, epochs: int) -> Train:
    return replace(recipe, epochs=epochs, lr=settings.lr, warmup_epochs=0, ema_decay=settings.ema_decay)
