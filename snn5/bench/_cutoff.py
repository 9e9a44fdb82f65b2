"""`snn5 bench cutoff`: what an early exit saves on the clock, where it may save less than in steps."""

from collections.abc import Callable

import torch
from spikingjelly.activation_based import functional

from snn5.bench._measure import Row, in_turn, row
from snn5.checkpoint import Checkpoint
from snn5.datasets import Split
from snn5.errors import UserError
from snn5.inference import Rule, rule_of, run_until_sure
from snn5.training import in_order, samples

TARGET = 1.0  # any ratio above is time saved


def cutoff(
    checkpoint: Checkpoint, split: Split, *, batch_size: int = 64, repeats: int = 5, say: Callable[[str], None] | None = None
) -> list[Row]:
    """Milliseconds for all of `split`: with the checkpoint's early exit, and with all steps, at once and step by step. Sides in turn.

    Args:
        checkpoint: with a calibrated cutoff. batch_size: samples that run together; a batch ends with its slowest sample.

    Raises:
        UserError: the checkpoint has no cutoff.
    """
    rule = rule_of(checkpoint.card.cutoff)
    if rule is None:
        raise UserError(f"this {checkpoint.card.model} has no cutoff; give a checkpoint of p5_cutoff, or calibrate_cutoff it first")
    model, data = checkpoint.build(), samples(split)
    batches = [x_TNCHW for x_TNCHW, _ in in_order(data, batch_size)]
    steps: list[float] = []

    @torch.no_grad()
    def at_once() -> None:
        for x_TNCHW in batches:
            functional.reset_net(model)
            model(x_TNCHW)

    def step_by_step(until: Rule | None) -> None:
        steps[:] = [float(step) for x_TNCHW in batches for step in run_until_sure(model, x_TNCHW, until).step_N]

    (say or (lambda _: None))(f"{len(split)} samples, {batch_size} at a time")
    sides = {"at once": at_once, "step by step": lambda: step_by_step(None), "early": lambda: step_by_step(rule)}
    times = in_turn(sides, repeats)
    fewer = model.time_steps * len(steps) / sum(steps)
    name = f"{checkpoint.card.model} on {split.info.get('dataset', checkpoint.card.dataset)}, {fewer:.2f}x fewer steps"
    return [row(name, f"all steps, {side}", times[side], times["early"], TARGET) for side in ("at once", "step by step")]
