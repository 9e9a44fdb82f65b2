"""The training loop: every random draw from one generator, the best epoch chosen on validation, the test set never seen."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from spikingjelly.activation_based import base
from torch import Tensor, nn

from snn5.config import Train
from snn5.errors import UserError
from snn5.training._batches import Samples, shuffled
from snn5.training._evaluate import Evaluation, evaluate
from snn5.training._losses import loss_of

SILENT, SATURATED = 1e-4, 0.95  # spikes per neuron and step


@dataclass(kw_only=True)
class Fit:
    """A trained network.

    Attributes:
        best: weights of the epoch with the highest validation accuracy (ties: the lowest validation loss). last: of the last epoch.
        best_epoch: 0-based. val: validation accuracy at that epoch.
        curves: `train/loss`, `val/loss`, `val/acc`, `cost/spike_rate` by epoch.
    """

    best: dict[str, Tensor] = field(default_factory=dict)
    last: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = -1
    val: float = -1.0
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)


def fit(
    model: nn.Module,
    train: Samples,
    val: Samples,
    settings: Train,
    *,
    generator: torch.Generator,
    tick: Callable[[], None] = lambda: None,
    extra_loss: Callable[[int], Tensor] | None = None,
    report: Callable[[int, Evaluation], None] | None = None,
    guard: bool = True,
) -> Fit:
    """Train `model` in place.

    Args:
        settings: epochs, optimiser, loss and augmentation.
        generator: source of the order and of the augmentation.
        tick: called once an epoch.
        extra_loss: called after each forward pass with the step's number; what it answers is added to the loss (regularisers).
        report: called after each epoch with the validation result; may raise to stop (a study's pruner).
        guard: refuse a network that ends with a silent or saturated layer; False where that is the finding.

    Raises:
        UserError: the loss is not finite, or a spiking layer is silent or saturated at the end of training; names the layer.
    """
    if settings.batch_size < 2:
        raise UserError(f"batch_size={settings.batch_size}; batch norm needs at least 2 samples")
    loss_function = loss_of(settings)
    optimiser, schedule = _optimiser(model, settings, math.ceil(len(train) / settings.batch_size))
    result, step, best_key = Fit(), 0, (-1.0, -math.inf)
    evaluation: Evaluation | None = None
    for epoch in range(settings.epochs):
        model.train()
        total, seen = torch.zeros(()), 0
        for x_TNCHW, y_N in shuffled(train, settings.batch_size, generator, settings.shift_pixels):
            loss = loss_function(model(x_TNCHW), y_N)
            if extra_loss is not None:
                loss = loss + extra_loss(step)
            if not torch.isfinite(loss):
                raise UserError(f"the loss is {loss.item()} in epoch {epoch}; lower lr={settings.lr} or raise warmup_epochs")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total, seen, step = total + loss.detach().cpu() * len(y_N), seen + len(y_N), step + 1
        evaluation = evaluate(model, val)
        _note(result, epoch, {"train/loss": total.item() / seen, "val/loss": evaluation.loss, "val/acc": evaluation.accuracy})
        if evaluation.rates:
            _note(result, epoch, {"cost/spike_rate": sum(evaluation.rates.values()) / len(evaluation.rates)})
        if (key := (evaluation.accuracy, -evaluation.loss)) > best_key:
            best_key, result.best_epoch, result.val, result.best = key, epoch, evaluation.accuracy, _copy(model)
        tick()
        if report is not None:
            report(epoch, evaluation)
    result.last = _copy(model)
    if guard and evaluation is not None:
        check_activity(evaluation.rates)
    return result


def check_activity(rates: dict[str, float]) -> None:
    """A silent layer passes nothing on and learns nothing; a saturated one says nothing.

    Raises:
        UserError: names the first such layer and its rate.
    """
    for name, rate in rates.items():
        if rate < SILENT:
            raise UserError(
                f"layer {name} is silent ({rate:.1e} spikes per neuron and step); lower its threshold or the regulariser's strength"
            )
        if rate > SATURATED:
            raise UserError(f"layer {name} is saturated ({rate:.2f} spikes per neuron and step); raise its threshold or lower lr")


def _optimiser(model: nn.Module, settings: Train, steps_per_epoch: int) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    """AdamW or SGD; weight decay on matrices and kernels only (no norms, biases, time constants); linear warm-up, then cosine to 0."""
    neural = {p for m in model.modules() if isinstance(m, base.MemoryModule) for p in m.parameters()}
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1 and p not in neural], "weight_decay": settings.weight_decay},
        {"params": [p for p in model.parameters() if p.ndim <= 1 and p not in neural], "weight_decay": 0.0},
        {"params": [p for p in model.parameters() if p in neural], "weight_decay": 0.0, "lr": settings.lr * settings.neuron_lr_scale},
    ]
    optimiser: torch.optim.Optimizer
    if settings.optimizer == "sgd":
        optimiser = torch.optim.SGD(groups, lr=settings.lr, momentum=0.9)
    else:
        optimiser = torch.optim.AdamW(groups, lr=settings.lr)
    warmup, total = settings.warmup_epochs * steps_per_epoch, settings.epochs * steps_per_epoch

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _note(result: Fit, epoch: int, values: dict[str, float]) -> None:
    for name, value in values.items():
        result.curves.setdefault(name, []).append((epoch, value))
