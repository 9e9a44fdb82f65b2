"""Which epsilon? The boldest whose cost on validation is small beyond what chance could hide."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from snn5.checkpoint import Checkpoint
from snn5.datasets import Split
from snn5.errors import UserError
from snn5.inference._fit_rule import fit_rule
from snn5.inference._logits import accuracy_by_step, all_logits, answers, leave, optimal_step
from snn5.inference._rules import RULES, Rule, never


@dataclass(frozen=True, kw_only=True)
class Tried:
    """Every epsilon's rule on one split, beside the run of all steps.

    Attributes:
        epsilons: in the caller's order. accuracy: 0..1. steps: mean, 1..T. full_accuracy: of all steps.
        change_EN: right early minus right at the end, of each epsilon and sample: -1, 0 or 1.
        accuracy_by_step: if every sample stopped at step 1 .. T. optimal_steps: mean of `optimal_step`, what an oracle needs.
    """

    epsilons: tuple[float, ...]
    accuracy: tuple[float, ...]
    steps: tuple[float, ...]
    full_accuracy: float
    change_EN: Tensor
    accuracy_by_step: tuple[float, ...]
    optimal_steps: float


def try_epsilons(
    checkpoint: Checkpoint,
    calibration: Split,
    judges: Mapping[str, Split],
    epsilons: Sequence[float],
    *,
    rules: Sequence[str] = tuple(RULES),
    dropout: float = 0.3,
    seed: int = 0,
) -> dict[str, dict[str, Tried]]:
    """Fit every rule at every epsilon on the calibration split and judge it on others: {rule: {split: Tried}}. One full run per split.

    Args:
        calibration: from the training set; `dropout` and `seed` as in `calibrate_cutoff`, so that its rules come out the same.
        judges: splits by name.

    Raises:
        UserError: unknown rule, epsilon out of range.
    """
    model = checkpoint.build()
    logits_TNK, y_N = all_logits(model, calibration, dropout=dropout, seed=seed)
    fitted = {name: [fit_rule(name, logits_TNK, y_N, epsilon) for epsilon in epsilons] for name in rules}
    logits = {split: all_logits(model, data) for split, data in judges.items()}
    return {name: {split: _judge(epsilons, fitted[name], *logits[split]) for split in judges} for name in rules}


def choose_epsilon(tried: Sequence[Tried], *, max_accuracy_loss: float, standard_errors: float = 1.0, lost_samples: int = 0) -> float:
    """The largest epsilon that is `within` the limit; the smallest where none is.

    Args:
        tried, max_accuracy_loss, standard_errors, lost_samples: see `within`.
    """
    found = within(tried, max_accuracy_loss=max_accuracy_loss, standard_errors=standard_errors, lost_samples=lost_samples)
    return max(found, default=min(tried[0].epsilons))


def within(tried: Sequence[Tried], *, max_accuracy_loss: float, standard_errors: float = 1.0, lost_samples: int = 0) -> list[float]:
    """The epsilons whose loss of accuracy on validation, and a margin for the finite set, stay within the limit.

        loss_n = - mean over seeds of change_n          mean_n(loss_n) + standard_errors sd_n(loss_n) / sqrt(N) <= max_accuracy_loss

    A few hundred samples cannot tell half a point from one; without the margin the boldest epsilon is the one that was lucky there.
    Where no sample was lost, sd is 0 and no number of standard errors a margin: `lost_samples` are put beside the N, in mean, sd and N (the
    rule of succession, which adds what was not seen yet, towards the careful side only). Then N samples confirm no limit below
    (m + standard_errors sqrt(m)) / (N + m), about, m of them: 0.5 % with 1 and two standard errors takes 600.

    Args:
        tried: one per seed, on the same validation samples.
        max_accuracy_loss: 0..1. standard_errors: how many of them are added, >= 0; 0 takes the mean at its word.
        lost_samples: >= 0, with a loss of 1 each.

    Raises:
        UserError: the seeds were not tried on the same epsilons and samples; a negative number of standard errors or lost samples.
    """
    if not standard_errors >= 0:
        raise UserError(f"standard_errors={standard_errors}; need 0 or more")
    if lost_samples < 0:
        raise UserError(f"lost_samples={lost_samples}; need 0 or more")
    if not tried or any(t.epsilons != tried[0].epsilons or t.change_EN.shape != tried[0].change_EN.shape for t in tried):
        raise UserError(f"{len(tried)} seeds, not all tried on the same epsilons and samples; use one validation split and one list")
    loss_EN = -torch.stack([t.change_EN for t in tried]).double().mean(0)
    loss_EN = torch.cat([loss_EN, loss_EN.new_ones(len(loss_EN), lost_samples)], 1)
    samples = loss_EN.shape[1]
    margin_E = standard_errors * loss_EN.std(1) / math.sqrt(samples) if samples > 1 else torch.zeros(len(loss_EN))
    # 1e-12: a loss of exactly the limit is within it, however its mean was rounded
    kept_E = loss_EN.mean(1) + margin_E <= max_accuracy_loss + 1e-12
    return [epsilon for epsilon, kept in zip(tried[0].epsilons, kept_E.tolist(), strict=True) if kept]


def _judge(epsilons: Sequence[float], rules: Sequence[Rule], logits_TNK: Tensor, y_N: Tensor) -> Tried:
    found = [answers(logits_TNK, y_N, rule) for rule in rules]
    right_N = leave(logits_TNK, never)[1] == y_N
    early_EN = torch.stack([leave(logits_TNK, rule)[1] == y_N for rule in rules])
    return Tried(
        epsilons=tuple(epsilons),
        accuracy=tuple(accuracy for accuracy, _ in found),
        steps=tuple(steps for _, steps in found),
        full_accuracy=answers(logits_TNK, y_N, never)[0],
        change_EN=early_EN.to(torch.int8) - right_N.to(torch.int8),
        accuracy_by_step=tuple(accuracy_by_step(logits_TNK, y_N)),
        optimal_steps=optimal_step(logits_TNK, y_N).double().mean().item(),
    )
