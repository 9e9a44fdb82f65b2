"""P6: the roadmap's techniques on one network, one after the other, and the rivals that it is judged against.

    start -> sparse     P4.1: few synaptic operations (first, where images stand still, few steps: what an early exit would not reach)
          -> pruned     P4.3: few weights, in one shot
          -> quantised  P4.2: few bits; what pruning cost comes back here, its zeros stay
          (-> cutoff    P5.1: few steps, last, since its thresholds belong to the final logits)

In the two trained steps the network listens to its own ReLU twin (Hinton's distillation), with its answer after every step if that is
asked. The rivals are trained from that same twin, for as many epochs as the quantised step: one with activations of as many bits as T
steps have spike counts, one pruned to as many parameters.
Order: spec of P6.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, log2
from typing import Any

import torch

from snn5.benchmark import params_nnz
from snn5.checkpoint import Checkpoint, Transform
from snn5.compression import Teacher, calibration_samples, prune, prune_to, quantize, sparsify
from snn5.config import Integration, Train
from snn5.datasets import Splits
from snn5.training import once, samples

STEPS = ("start", "sparse", "pruned", "quantised", "cutoff")
RIVALS = ("ann", "qnn", "ann_pruned")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the stages of P4 chose on validation, and P4.1's ramp.

    Attributes:
        strength: of P4.1's penalty (p6.most_strength at most). ramp_fraction: see `sparsify`.
        variants: sparsity and bits: P4's choices (with p6.least_bits bits at least) and p6.variants, from the boldest to the mildest; in
            this order they are tried until validation is content.
    """

    strength: float
    ramp_fraction: float
    variants: Sequence[tuple[float, int]]


def sparse_of(
    start: Checkpoint,
    twin: Checkpoint,
    splits: Splits,
    tuned: Train,
    settings: Integration,
    choices: Choices,
    *,
    seed: int,
    parents: Mapping[str, str],
    tick: Callable[..., None] = lambda: None,
) -> Checkpoint:
    """P4.1 on `start`, which listens to `twin`.

    Args:
        tuned: the recipe, see `recipe_of`. seed: of the order and the augmentation.
        parents: md5 of the files of `start` and `twin`, for the card.
    """
    rules: dict[str, Any] = {"teacher": _teacher(twin, settings), "generator": torch.Generator().manual_seed(seed), "tick": tick}
    train, val = samples(splits.train), samples(splits.val)
    how: dict[str, Any] = {"strength": choices.strength, "ramp_fraction": choices.ramp_fraction, "parents": dict(parents)}
    return sparsify(start, train, val, tuned, **how, **rules)[0]


def shrunk(
    sparse: Checkpoint,
    twin: Checkpoint,
    splits: Splits,
    tuned: Train,
    settings: Integration,
    choices: Choices,
    variant: tuple[float, int],
    *,
    seed: int,
    tick: Callable[..., None] = lambda: None,
) -> dict[str, Checkpoint]:
    """P4.3 and P4.2 on `sparse`: the checkpoints `pruned` and `quantised`.

    Args:
        variant: sparsity and bits. seed: of the order, the augmentation and the calibration samples.
    """
    train, val, draw = samples(splits.train), samples(splits.val), torch.Generator().manual_seed(seed)
    few = calibration_samples(splits.train, per_class=settings.calibration_per_class, generator=draw)
    pruned, _ = once(lambda: prune(sparse, few, sparsity=variant[0], method=settings.prune_method))
    rules: dict[str, Any] = {"teacher": _teacher(twin, settings), "generator": draw, "tick": tick}
    quantised, _ = quantize(pruned, train, val, tuned, bits=variant[1], energy_weight=choices.strength, **rules)
    return {"pruned": pruned, "quantised": quantised}


def rivals(
    twin: Checkpoint,
    final: Checkpoint,
    splits: Splits,
    tuned: Train,
    settings: Integration,
    *,
    bits: int,
    seed: int,
    tick: Callable[..., None] = lambda: None,
) -> dict[str, Checkpoint]:
    """The ANNs, by name: the twin, the quantised twin and the pruned twin, the latter two trained on by `tuned`, without a teacher.

    Args:
        final: the spiking network: its T says how many spike counts there are, its parameters how many the pruned twin may keep.
        bits: of its weights, and so of the quantised twin's.
    """
    train, val, draw = samples(splits.train), samples(splits.val), torch.Generator().manual_seed(seed)
    rules: dict[str, Any] = {"generator": draw, "tick": tick}
    qnn, _ = quantize(twin, train, val, tuned, bits=bits, activation_bits=ceil(log2(final.card.time_steps + 1)), **rules)
    few = calibration_samples(splits.train, per_class=settings.calibration_per_class, generator=draw)
    pruned, _ = once(lambda: prune_to(twin, few, nnz=params_nnz(final.build()), method=settings.prune_method))
    trained, _ = sparsify(pruned, train, val, tuned, strength=0.0, **rules)
    return {"ann": twin, "qnn": qnn, "ann_pruned": trained}


def shown_for(source: Checkpoint, time_steps: int) -> Checkpoint:
    """The same network, shown an image for another number of steps; an early exit would be for the old one."""
    made = source.after(Transform(name="time_steps", args={"time_steps": time_steps}), time_steps=time_steps, cutoff=None)
    return replace(made, card=replace(made.card, model_args={**source.card.model_args, "time_steps": time_steps}))


def recipe_of(slot: Train, settings: Integration, epochs: int) -> Train:
    """The slot's recipe with the chain's epochs, lr and running mean, without a warm-up."""
    return replace(slot, epochs=epochs, lr=settings.lr, warmup_epochs=0, ema_decay=settings.ema_decay)


def _teacher(twin: Checkpoint, settings: Integration) -> Teacher:
    how: dict[str, Any] = {"temperature": settings.temperature, "precision": settings.teacher_precision}
    how |= {"every_step": settings.teacher_every_step, "channels_last": settings.teacher_channels_last}
    return Teacher(model=twin.build(), weight=settings.teacher_weight, **how)
