"""A training loop just large enough to treat the three networks alike."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

State = dict[str, Tensor]


class Samples(NamedTuple):
    """Flat intensities in [0, 1] [N, I] and class numbers [N]."""

    x_NI: Tensor
    y_N: Tensor


@dataclass(kw_only=True)
class Fit:
    """What training left: curves, and the states of the epoch that validation chose (the earliest of the best) and of the last."""

    selected: State
    last: State
    epoch: int = 0
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)


def fit(
    model: nn.Module,
    train: Samples,
    val: Samples,
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    label_smoothing: float,
    generator: torch.Generator,
    tick: Callable[[], None],
) -> Fit:
    """Train with Adam, cross-entropy and a learning rate that falls to 0 along a cosine.

    Args:
        model: intensities [N, I] -> logits [N, K].
        generator: order of the samples.
        tick: called once per epoch.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    curves: dict[str, list[tuple[int, float]]] = {"train/loss": [], "val/acc": []}
    selected, chosen, best = copy_state(model), 0, -1.0
    for epoch in range(1, epochs + 1):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(train.y_N), generator=generator).split(batch_size):
            loss = F.cross_entropy(model(train.x_NI[rows]), train.y_N[rows], label_smoothing=label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(rows)
        schedule.step()
        score = accuracy(model, val)
        curves["train/loss"].append((epoch, total / len(train.y_N)))
        curves["val/acc"].append((epoch, score))
        if score > best:
            selected, chosen, best = copy_state(model), epoch, score
        tick()
    return Fit(selected=selected, last=copy_state(model), epoch=chosen, curves=curves)


@torch.no_grad()
def accuracy(model: nn.Module, samples: Samples) -> float:
    """Share of samples classified rightly, in eval mode."""
    return share_right(model.eval()(samples.x_NI), samples.y_N)


def share_right(logits_NK: Tensor, y_N: Tensor) -> float:
    """Share of rows whose largest logit is the label's."""
    return float((logits_NK.argmax(1) == y_N).double().mean())


def copy_state(model: nn.Module) -> State:
    """The weights as they are now."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
