"""A task that only the order of spikes solves: the number of spikes of each input carries no information about the class.

Shapes: T steps, N samples, C inputs.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class OrderTask(NamedTuple):
    """Settings of the order task.

    Attributes:
        classes: prototypes. inputs: C; every input fires exactly once in a prototype.
        steps: T, of 1 ms. jitter: sd of a spike's time, in steps. noise: background spikes per input and step.
        samples: size of one set.
    """

    classes: int
    inputs: int = 40
    steps: int = 100
    jitter: float = 3.0
    noise: float = 0.004
    samples: int = 300


EASY = OrderTask(classes=4)
HARD = OrderTask(classes=6, jitter=6.0, noise=0.01)


def prototypes(task: OrderTask, generator: torch.Generator) -> Tensor:
    """Spike times [classes, C] in steps: one set of evenly spaced times, in another order for each class."""
    slots = torch.linspace(0.05, 0.95, task.inputs) * task.steps
    return torch.stack([slots[torch.randperm(task.inputs, generator=generator)] for _ in range(task.classes)])


def draw(task: OrderTask, times_KC: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One set of samples: prototype + normal jitter, held inside the window, + independent background.

    Returns:
        x_TNC uint8 (0 or 1) and y_N int64; the classes take turns.
    """
    y_N = torch.arange(task.samples) % task.classes
    jitter_NC = task.jitter * torch.randn(task.samples, task.inputs, generator=generator)
    time_NC = (times_KC[y_N] + jitter_NC).round().clamp(0, task.steps - 1).long()
    x_TNC = torch.rand(task.steps, task.samples, task.inputs, generator=generator) < task.noise
    x_TNC.scatter_(0, time_NC[None], True)
    return x_TNC.to(torch.uint8), y_N
