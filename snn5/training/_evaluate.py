"""Accuracy, loss and spike rates of a model on a split."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import base
from torch import Tensor, nn

from snn5.models import predict
from snn5.training._batches import Samples, in_order


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What one pass over a split gave.

    Attributes:
        accuracy: 0..1. loss: mean cross-entropy of the mean logits, in nats. n: samples.
        rates: spikes per neuron and step, by name of each spiking layer that ran.
        prediction_N: predicted classes, in the split's order, on the CPU.
    """

    accuracy: float
    loss: float
    n: int
    rates: dict[str, float]
    prediction_N: Tensor


@torch.no_grad()
def evaluate(model: nn.Module, data: Samples, batch_size: int = 256) -> Evaluation:
    """Run `model` in eval mode over all samples, at most `batch_size` at a time."""
    was_training = model.training
    model.eval()
    predictions, loss = [], 0.0
    with spike_rates(model) as rates:
        for x_TNCHW, y_N in in_order(data, batch_size):
            logits_TNK = model(x_TNCHW).float()  # bfloat16 under autocast
            predictions.append(predict(logits_TNK))
            loss += F.cross_entropy(logits_TNK.mean(0), y_N, reduction="sum").item()
    model.train(was_training)
    prediction_N = torch.cat(predictions)
    right = int((prediction_N == data.y_N).sum())
    return Evaluation(
        accuracy=right / len(data),
        loss=loss / len(data),
        n=len(data),
        rates={name: spikes / count for name, (spikes, count) in rates.items() if count},
        prediction_N=prediction_N.cpu(),
    )


@contextmanager
def spike_rates(model: nn.Module) -> Iterator[dict[str, list[float]]]:
    """While inside, count [spikes, neurons x steps] of every spiking layer, by its name."""
    counts: dict[str, list[float]] = {}
    handles = []

    def watch(name: str) -> None:
        counts[name] = [0.0, 0.0]

        def hook(_module: nn.Module, _inputs: object, s: Tensor) -> None:
            counts[name][0] += s.sum(dtype=torch.float32).item()
            counts[name][1] += s.numel()

        handles.append(modules[name].register_forward_hook(hook))

    modules = {name: module for name, module in model.named_modules() if isinstance(module, base.MemoryModule)}
    for name in modules:
        watch(name)
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()
