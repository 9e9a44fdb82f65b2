"""From the logits of a full run: what a rule would have answered, and when, without running it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from snn5.datasets import Split
from snn5.errors import UserError
from snn5.inference._rules import Rule
from snn5.training import in_order, samples


@torch.no_grad()
def all_logits(model: nn.Module, split: Split, *, batch_size: int = 256, dropout: float = 0.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(logits_TNK, y_N) of a split.

    Args:
        dropout: share of the features before each linear layer that is dropped, the same ones at every step of a sample; 0 <= dropout < 1.
        seed: of the dropout.
    """
    generator = torch.Generator().manual_seed(seed)
    model.eval()
    parts, labels = [], []
    with _dropout(model, dropout, generator):
        for x_TNCHW, y_N in in_order(samples(split), batch_size):
            parts.append(model(x_TNCHW))
            labels.append(y_N)
    return torch.cat(parts, 1), torch.cat(labels)


def optimal_step(logits_TNK: Tensor, y_N: Tensor) -> Tensor:
    """g(X), 1..T: the first step from which the answer is right and stays right; T where the final answer is wrong. [N]"""
    right_TN = logits_TNK.cumsum(0).argmax(-1) == y_N
    stays_right_TN = right_TN.flip(0).cummin(0).values.flip(0)
    steps = len(logits_TNK)
    return torch.where(stays_right_TN[-1], steps - stays_right_TN.sum(0) + 1, steps)


def leave(logits_TNK: Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
    """(step_N, prediction_N) that `run_until_sure` gives, worked out from the logits of a full run."""
    steps = len(logits_TNK)
    sums_TNK = logits_TNK.cumsum(0)
    sure_TN = torch.stack(
        [rule(y, t) for t, y in enumerate(sums_TNK[:-1], start=1)] + [torch.ones_like(sums_TNK[-1, :, 0], dtype=torch.bool)]
    )
    step_N = torch.where(sure_TN, torch.arange(1, steps + 1, device=sure_TN.device)[:, None], steps).amin(0)
    final_NK = sums_TNK[step_N - 1, torch.arange(sums_TNK.shape[1], device=sure_TN.device)]
    return step_N, final_NK.argmax(-1)


def answers(logits_TNK: Tensor, y_N: Tensor, rule: Rule) -> tuple[float, float]:
    """(accuracy 0..1, mean steps) under `rule`, from the logits of a full run."""
    step_N, prediction_N = leave(logits_TNK, rule)
    return (prediction_N == y_N).to(torch.float64).mean().item(), step_N.to(torch.float64).mean().item()


def accuracy_by_step(logits_TNK: Tensor, y_N: Tensor) -> list[float]:
    """Accuracy 0..1 if every sample stopped at step 1, 2, .. T: what an early exit has to beat."""
    right_TN = logits_TNK.cumsum(0).argmax(-1) == y_N
    return right_TN.to(torch.float64).mean(1).tolist()


@contextmanager
def _dropout(model: nn.Module, share: float, generator: torch.Generator) -> Iterator[None]:
    if not 0.0 <= share < 1.0:
        raise UserError(f"dropout={share}; need a share from 0 to below 1")

    def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        (x_TNF,) = inputs
        keep_NF = torch.rand(x_TNF.shape[1:], generator=generator).to(x_TNF.device) >= share
        return (x_TNF * keep_NF / (1.0 - share),)

    handles = [m.register_forward_pre_hook(hook) for m in model.modules() if isinstance(m, nn.Linear)] if share > 0 else []
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
