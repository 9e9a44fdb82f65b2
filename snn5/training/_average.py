"""The running mean of a network's weights over the steps of its training, which generalises better than the last of them.

    theta~ <- d theta~ + (1 - d) theta,     d = min(decay, (1 + n) / (10 + n)) after n steps

d rises from 1/10, so that the mean forgets the untrained weights in a short training too. Norms' running statistics are averaged as weights
are (they belong to them); what counts (integers) is copied.
Source: Polyak, Juditsky, SIAM J. Control Optim. 30 (1992) 838; the rise of d is that of TensorFlow's ExponentialMovingAverage.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


@torch.no_grad()
def average(means: Sequence[Tensor], values: Sequence[Tensor], decay: float) -> None:
    """One step of the means, in place."""
    pairs = list(zip(means, values, strict=True))
    real = [(mean, value.to(mean.dtype)) for mean, value in pairs if mean.is_floating_point()]
    if real:
        get_ema_multi_avg_fn(decay)(*map(list, zip(*real, strict=True)), None)  # one call for all: they are small
    for mean, value in pairs:
        if not mean.is_floating_point():
            mean.copy_(value)


class Average:
    """The running mean of `model`.

    Args:
        decay: largest d, 0 < decay < 1; about 1 / (1 - decay) steps are remembered.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.steps, self.mean = decay, 0, copy_of(model)

    def update(self, model: nn.Module) -> None:
        """Call after each step of the optimiser."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        values = model.state_dict(keep_vars=True)
        average([self.mean[name] for name in values], list(values.values()), decay)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """While inside, `model` has the mean weights."""
        own = copy_of(model)
        model.load_state_dict(self.mean)
        try:
            yield
        finally:
            model.load_state_dict(own)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes back."""
        return {"steps": self.steps, "mean": self.mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.steps = state["steps"]
        for name, value in state["mean"].items():
            self.mean[name].copy_(value)


def copy_of(model: nn.Module) -> dict[str, Tensor]:
    """The model's weights and buffers, detached from it."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
