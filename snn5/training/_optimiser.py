"""The optimiser and its schedule."""

import math

import torch
from spikingjelly.activation_based import base
from torch import nn

from snn5.config import Train


def optimiser_of(
    model: nn.Module, settings: Train, steps_per_epoch: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
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
        optimiser = torch.optim.AdamW(groups, lr=settings.lr, fused=True)  # one kernel a group: a tenth of a small network's step
    warmup, total = settings.warmup_epochs * steps_per_epoch, settings.epochs * steps_per_epoch

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
