"""Everything that a training changes, in one place: what is taken up again after an interruption is this and nothing else."""

from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn

from snn5.config import Train
from snn5.training._activity import Guard
from snn5.training._average import Average
from snn5.training._evaluate import Evaluation

Curves = dict[str, list[tuple[int, float]]]  # name -> [(epoch, value), ...]


@dataclass(kw_only=True)
class Fit:
    """A trained network. With `ema_decay` its weights are the running mean's: those that were validated.

    Attributes:
        best: weights of the epoch with the highest validation accuracy (ties: the lowest validation loss). last: of the last epoch.
        best_epoch: 0-based. val, val_loss: validation accuracy and loss at that epoch.
        curves: `train/loss`, `val/loss`, `val/acc`, `cost/spike_rate` by epoch.
        rates: spikes per neuron and step of each spiking layer on validation, by epoch.
    """

    best: dict[str, Tensor] = field(default_factory=dict)
    last: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = -1
    val: float = -1.0
    val_loss: float = float("inf")
    curves: Curves = field(default_factory=dict)
    rates: Curves = field(default_factory=dict)

    def note(self, epoch: int, train_loss: float, evaluation: Evaluation, weights: dict[str, Tensor]) -> None:
        """Add an epoch: its figures to the curves, its weights as the last and, where they are, as the best."""
        values = {"train/loss": train_loss, "val/loss": evaluation.loss, "val/acc": evaluation.accuracy}
        if evaluation.rates:
            values["cost/spike_rate"] = sum(evaluation.rates.values()) / len(evaluation.rates)
        for curves, points in ((self.curves, values), (self.rates, evaluation.rates)):
            for name, value in points.items():
                curves.setdefault(name, []).append((epoch, value))
        self.last = weights
        if (evaluation.accuracy, -evaluation.loss) > (self.val, -self.val_loss):
            self.best, self.best_epoch, self.val, self.val_loss = weights, epoch, evaluation.accuracy, evaluation.loss


@dataclass
class Epoch:
    """Where an epoch stands.

    Attributes:
        order: of the samples; None: not drawn yet. batches: how many are done. total, seen: sum of the losses, number of samples so far.
    """

    order: Tensor | None = None
    batches: int = 0
    total: Tensor = field(default_factory=lambda: torch.zeros(()))
    seen: int = 0


class State:
    """A training at one moment.

    Attributes:
        average: the running mean of the weights, or None. result: of the epochs so far. epoch: 0-based. step: optimiser steps so far.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: Train,
        generator: torch.Generator,
        optimiser: tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR],
    ) -> None:
        self.model, self.generator = model, generator
        self.optimiser, self.schedule = optimiser
        self.average = Average(model, settings.ema_decay) if settings.ema_decay else None
        self.guard = Guard(settings.guard_epochs, settings.warmup_epochs)
        self.result, self.epoch, self.step, self.now = Fit(), 0, 0, Epoch()

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values, not copied."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "generator": self.generator.get_state(),
            "faulty": self.guard.faulty,
            "result": {f.name: getattr(self.result, f.name) for f in fields(Fit)},
            "epoch": self.epoch,
            "step": self.step,
            "now": {f.name: getattr(self.now, f.name) for f in fields(Epoch)},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.generator.set_state(state["generator"])
        self.guard.faulty = state["faulty"]
        self.result, self.epoch, self.step, self.now = Fit(**state["result"]), state["epoch"], state["step"], Epoch(**state["now"])
