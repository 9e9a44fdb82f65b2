"""P6: the roadmap's techniques on one network, one after the other, and the rivals that it is judged against.

    start -> sparse     P4.1: few synaptic operations
          -> pruned     P4.3: few weights, in one shot
          -> quantised  P4.2: few bits; what pruning cost comes back here, its zeros stay
          (-> cutoff    P5.1: few steps, last, since its thresholds belong to the final logits)

In the two trained steps the network listens to its own ReLU twin (Hinton's distillation). The rivals are trained from that same twin, for
as many epochs: one with activations of as many bits as T steps have spike counts, one pruned to as many parameters.
Order: spec of P6.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil, log2

import torch

from snn5.checkpoint import Checkpoint
from snn5.compression import Teacher, calibration_samples, prune, prune_to, quantize, sparsify
from snn5.config import Effort, Integration, Train
from snn5.datasets import Splits
from snn5.training import samples

STEPS = ("start", "sparse", "pruned", "quantised", "cutoff")
RIVALS = ("ann", "qnn", "ann_pruned")
METHOD = "sbc_sequential"  # that of p4_prune


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the stages of P4 chose on validation, and P4.1's ramp."""

    strength: float
    sparsity: float
    bits: int
    ramp_fraction: float


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
) -> dict[str, Checkpoint]:
    """The checkpoint after each step up to `quantised`, by its name.

    Args:
        start: a spiking network. twin: the ReLU network that it listens to.
        recipe: of the slot; its epochs, lr, warm-up and average are replaced by those of `effort` and `settings`.
        seed: of the order, the augmentation and the calibration samples.
        parents: md5 of the files of `start` and `twin`, for the cards.
    """
    train, val, draw = samples(splits.train), samples(splits.val), torch.Generator().manual_seed(seed)
    teacher = Teacher(model=twin.build(), weight=settings.teacher_weight, temperature=settings.temperature)
    files = dict(parents)
    sparse, _ = sparsify(
        start,
        train,
        val,
        _tuned(recipe, settings, effort.epochs),
        strength=choices.strength,
        teacher=teacher,
        ramp_fraction=choices.ramp_fraction,
        generator=draw,
        parents=files,
        tick=tick,
    )
    few = calibration_samples(splits.train, per_class=settings.calibration_per_class, generator=draw)
    pruned, _ = prune(sparse, few, sparsity=choices.sparsity, method=METHOD)
    quantised, _ = quantize(
        pruned,
        train,
        val,
        _tuned(recipe, settings, effort.quantised_epochs),
        bits=choices.bits,
        energy_weight=choices.strength,
        teacher=teacher,
        generator=draw,
        tick=tick,
    )
    return {"start": start, "sparse": sparse, "pruned": pruned, "quantised": quantised}


def rivals(
    twin: Checkpoint,
    splits: Splits,
    recipe: Train,
    settings: Integration,
    effort: Effort,
    *,
    bits: int,
    time_steps: int,
    nnz: int,
    seed: int,
    tick: Callable[..., None] = lambda: None,
) -> dict[str, Checkpoint]:
    """The ANNs, by name: the twin, the quantised twin and the pruned twin, each trained further for the chain's epochs.

    Args:
        bits: of the quantised twin's weights. time_steps: T of the SNN, which has T + 1 spike counts.
        nnz: parameters that the SNN has left.
    """
    train, val, draw = samples(splits.train), samples(splits.val), torch.Generator().manual_seed(seed)
    tuned = _tuned(recipe, settings, effort.epochs)
    qnn, _ = quantize(twin, train, val, tuned, bits=bits, activation_bits=ceil(log2(time_steps + 1)), generator=draw, tick=tick)
    few = calibration_samples(splits.train, per_class=settings.calibration_per_class, generator=draw)
    pruned, _ = prune_to(twin, few, nnz=nnz, method=METHOD)
    trained, _ = sparsify(pruned, train, val, tuned, strength=0.0, generator=draw, tick=tick)
    return {"ann": twin, "qnn": qnn, "ann_pruned": trained}


def _tuned(recipe: Train, settings: Integration, epochs: int) -> Train:
    return replace(recipe, epochs=epochs, lr=settings.lr, warmup_epochs=0, ema_decay=settings.ema_decay)
