"""A task that only the order of spikes solves: how often each input fires carries no information about the class.

Shapes: T steps, N samples, C inputs, K classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True)
class OrderTask:
    """Settings of the order task.

    Attributes:
        classes: K, prototypes. inputs: C; in a prototype every input fires exactly once.
        window_ms: length of a sample. jitter_ms: sd of a spike's time. noise: background spikes per input and ms.
    """

    classes: int
    inputs: int = 40
    window_ms: float = 100.0
    jitter_ms: float = 3.0
    noise: float = 0.004

    def __post_init__(self) -> None:
        if self.classes < 2 or self.inputs < 2 or not self.window_ms > 0 or not self.jitter_ms >= 0 or not 0 <= self.noise < 1:
            raise UserError(f"{self}; need two classes and inputs or more, a window above 0 ms, jitter from 0 and noise from 0 to below 1")


EASY = OrderTask(classes=4)
HARD = OrderTask(classes=6, jitter_ms=6.0, noise=0.01)


def prototypes(task: OrderTask, generator: torch.Generator) -> Tensor:
    """Spike times [K, C] in ms: the same evenly spaced times for every class, given to the inputs in another order."""
    slots_C = torch.linspace(0.05, 0.95, task.inputs) * task.window_ms
    return torch.stack([slots_C[torch.randperm(task.inputs, generator=generator)] for _ in range(task.classes)])


def draw(task: OrderTask, time_ms_KC: Tensor, samples: int, *, dt_ms: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Samples of the task: prototype + normal jitter, held inside the window, + independent background.

    Args:
        time_ms_KC: from `prototypes`. samples: N; the classes take turns. dt_ms: length of a step.

    Returns:
        x_TNC uint8, 0 or 1, and y_N int64.
    """
    steps = round(task.window_ms / dt_ms)
    y_N = torch.arange(samples) % task.classes
    jitter_NC = task.jitter_ms * torch.randn(samples, task.inputs, generator=generator)
    step_NC = ((time_ms_KC[y_N] + jitter_NC) / dt_ms).floor().long().clamp(0, steps - 1)
    x_TNC = torch.rand(steps, samples, task.inputs, generator=generator) < task.noise * dt_ms
    return x_TNC.scatter_(0, step_NC[None], True).to(torch.uint8), y_N
