"""SNNCutoff (P5.1): thresholds on the gap, calibrated so that an early answer is the final one with confidence 1 - epsilon.

Of a calibration set with accumulated logits Y(t) and labels y:

    g(X)      = min{ t : argmax Y(u) = y for all u >= t }, T if the final answer is wrong        optimal cutoff time
    C(t, b)   = #{ gap(t) > b and g(X) <= t } / #{ gap(t) > b }                                  confidence
    beta(t)   = min{ b : C(t, b) >= 1 - epsilon },  b on 100 points from 0 to the largest gap(t)

A b that no gap exceeds has no confidence and is skipped; if none is left, beta(t) is the largest gap of the calibration set.
Source: Wu et al., Optimising Event-Driven SNN with Regularisation and Cutoff, Front. Neurosci. 19:1522788 (2025), arXiv 2301.09522.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from snn5.checkpoint import Checkpoint, Transform
from snn5.datasets import Split
from snn5.errors import UserError, unknown
from snn5.inference._rules import GapRule, Rule, gap
from snn5.training import in_order, samples

BINS = 100


def optimal_step(logits_TNK: Tensor, y_N: Tensor) -> Tensor:
    """g(X), 1..T: the first step from which the answer is right and stays right; T where the final answer is wrong. [N]"""
    right_TN = logits_TNK.cumsum(0).argmax(-1) == y_N
    stays_right_TN = right_TN.flip(0).cummin(0).values.flip(0)
    steps = len(logits_TNK)
    return torch.where(stays_right_TN[-1], steps - stays_right_TN.sum(0) + 1, steps)


def thresholds(logits_TNK: Tensor, y_N: Tensor, epsilon: float) -> tuple[float, ...]:
    """beta(1..T). epsilon >= 1 asks for no confidence at all: -1, which every gap exceeds.

    Args:
        logits_TNK: logits of the calibration samples at every step. y_N: their labels.
        epsilon: tolerated share of early answers that are not the final, right one; 0..1.

    Raises:
        UserError: epsilon out of range, or no samples.
    """
    if not 0.0 <= epsilon <= 1.0:
        raise UserError(f"epsilon={epsilon}; need a share from 0 to 1")
    if len(y_N) == 0:
        raise UserError("no calibration samples; give at least one per class")
    if epsilon >= 1.0:
        return (-1.0,) * len(logits_TNK)
    gap_TN, optimal_N = gap(logits_TNK.cumsum(0)), optimal_step(logits_TNK, y_N)
    betas = []
    for t, gap_N in enumerate(gap_TN, start=1):
        grid_B = torch.linspace(0.0, float(gap_N.max()), BINS, device=gap_N.device)
        above_BN = gap_N > grid_B[:, None]
        count_B = above_BN.sum(1)
        right_B = (above_BN & (optimal_N <= t)).sum(1)
        # whole numbers are compared, so that epsilon = 0 means exactly all of them
        valid_B = (count_B > 0) & (right_B >= (1.0 - epsilon) * count_B)
        valid_B[-1] = True
        betas.append(float(grid_B[int(valid_B.int().argmax())]))
    return tuple(betas)


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


def answers(logits_TNK: Tensor, y_N: Tensor, rule: Rule) -> tuple[float, float]:
    """(accuracy 0..1, mean steps) under `rule`, from the logits of a full run."""
    step_N, prediction_N = leave(logits_TNK, rule)
    return (prediction_N == y_N).to(torch.float64).mean().item(), step_N.to(torch.float64).mean().item()


def calibrate_cutoff(
    checkpoint: Checkpoint,
    split: Split,
    *,
    epsilon: float,
    dropout: float = 0.3,
    seed: int = 0,
    batch_size: int = 256,
    keep_out: Sequence[Split] = (),
    parents: Mapping[str, str] | None = None,
) -> Checkpoint:
    """The checkpoint with thresholds for an early exit.

    Args:
        split: calibration samples, from the training set.
        epsilon: see `thresholds`.
        dropout: the network knows its training samples too well; dropping features brings its confidence down to what new samples get.
        seed: of the dropout.
        keep_out: splits (validation, test) that must share no sample with the calibration set.
        parents: md5 of the artefacts read, by path, for the history.

    Raises:
        UserError: a sample of `keep_out` is in the calibration set; the network is a twin; epsilon or dropout out of range.
    """
    if checkpoint.card.twin:
        raise UserError(f"{checkpoint.card.model!r} is an ANN twin, which has no steps to save; calibrate a spiking network")
    if split.info.get("split", "train") != "train":
        raise UserError(
            f"this is the {split.info['split']} split; calibrate on train, so that validation can choose epsilon and test can judge it"
        )
    for other in keep_out:
        if shared := sorted(set(split.index_N.tolist()) & set(other.index_N.tolist())):
            raise UserError(
                f"{len(shared)} calibration samples are also in a split to be kept out (e.g. index {shared[0]}); calibrate on train"
            )
    logits_TNK, y_N = all_logits(checkpoint.build(), split, batch_size=batch_size, dropout=dropout, seed=seed)
    cutoff = {"rule": "gap", "epsilon": epsilon, "thresholds": list(thresholds(logits_TNK, y_N, epsilon))}
    args = {"epsilon": epsilon, "dropout": dropout, "seed": seed, "samples": len(y_N)}
    return checkpoint.after(Transform(name="calibrate_cutoff", args=args, parents=dict(parents or {})), cutoff=cutoff)


def rule_of(cutoff: Mapping[str, Any] | None) -> Rule | None:
    """The rule in a card's `cutoff` entry; None if there is none.

    Raises:
        UserError: a rule that this version does not know.
    """
    if cutoff is None:
        return None
    if cutoff.get("rule") != "gap":
        raise unknown("cutoff rule", str(cutoff.get("rule")), ["gap"])
    return GapRule(thresholds=tuple(cutoff["thresholds"]))


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
