"""Run a network step by step and let each sample leave when its answer is sure.

A sample that leaves is taken out of the batch and out of every neuron's state, so that its later steps are not computed at all. Masking its
output after a full run would save steps on paper only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from spikingjelly.activation_based import base, functional
from torch import Tensor

from snn5.errors import UserError
from snn5.inference._rules import Rule
from snn5.models import SpikingModel


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How each sample left.

    Attributes:
        prediction_N: the class of the largest accumulated logit at the exit.
        step_N: steps that were run, 1..T.
        logits_NK: Y at the exit, the sum of the logits of those steps.
    """

    prediction_N: Tensor
    step_N: Tensor
    logits_NK: Tensor


@torch.no_grad()
def run_until_sure(model: SpikingModel, x_TNCHW: Tensor, rule: Rule | None) -> Exit:
    """One batch, step by step; all states are reset first. A static image passes the stem once, a frame of events only if its step is run.

    Args:
        model: in eval mode.
        x_TNCHW: 1 step (a static image) or T steps.
        rule: says who may leave; None lets nobody leave before the last step.

    Raises:
        UserError: the model looks ahead in time, or is in training mode.
    """
    if not getattr(model, "causal", True):
        raise UserError(f"model {model.name!r} looks at later steps (causal=False) and cannot be run step by step; use one that is causal")
    if model.training:
        raise UserError("the model is in training mode, where a sample depends on its batch; call model.eval() first")
    functional.reset_net(model)
    current, steps = _currents(model, x_TNCHW)
    active_M = torch.arange(x_TNCHW.shape[1], device=x_TNCHW.device)
    left: list[tuple[Tensor, int, Tensor]] = []
    sum_MK: Tensor | None = None
    for step in range(1, steps + 1):
        logits_MK = model.run(current(step - 1, active_M))[0]
        sum_MK = logits_MK if sum_MK is None else sum_MK + logits_MK
        done_M = torch.ones_like(active_M, dtype=torch.bool) if step == steps else _ask(rule, sum_MK, step)
        left.append((active_M[done_M], step, sum_MK[done_M]))
        stay_M = (~done_M).nonzero()[:, 0]
        if len(stay_M) == 0:
            break
        if len(stay_M) < len(active_M):
            _keep(model, stay_M, len(active_M))
            active_M, sum_MK = active_M[stay_M], sum_MK[stay_M]
    functional.reset_net(model)
    order = torch.cat([index for index, _, _ in left]).argsort()
    logits_NK = torch.cat([y for _, _, y in left])[order]
    step_N = torch.cat([torch.full_like(index, step) for index, step, _ in left])[order]
    return Exit(prediction_N=logits_NK.argmax(-1), step_N=step_N, logits_NK=logits_NK)


def _ask(rule: Rule | None, sum_MK: Tensor, step: int) -> Tensor:
    return torch.zeros(len(sum_MK), dtype=torch.bool, device=sum_MK.device) if rule is None else rule(sum_MK, step)


def _currents(model: SpikingModel, x_TNCHW: Tensor) -> tuple[Callable[[int, Tensor], Tensor], int]:
    """(step 0.., samples) -> the stem's current of that step [1, M, C, H, W]; and the number of steps."""
    if x_TNCHW.shape[0] == 1 or model.is_twin:
        current_TNCHW = model.encode(x_TNCHW)
        return lambda t, index_M: current_TNCHW[t : t + 1, index_M], current_TNCHW.shape[0]
    if x_TNCHW.shape[0] != model.time_steps:
        raise UserError(
            f"input has {x_TNCHW.shape[0]} steps, the model T={model.time_steps}; give 1 (a static image) or {model.time_steps}"
        )
    return lambda t, index_M: model.encode(x_TNCHW[t : t + 1, index_M])[:1], x_TNCHW.shape[0]  # [:1]: it repeats a single frame


def _keep(model: SpikingModel, stay_M: Tensor, before: int) -> None:
    """Keep the samples `stay_M` in every state tensor, whose first axis is the batch.

    Raises:
        UserError: a state has another first axis.
    """
    for name, module in model.named_modules():
        if not isinstance(module, base.MemoryModule):
            continue
        for key, state in module._memories.items():
            if not isinstance(state, Tensor) or state.ndim == 0:
                continue  # a state not yet set, or one value for all samples
            if state.shape[0] != before:
                raise UserError(
                    f"state {key!r} of {name} has shape {list(state.shape)} for {before} samples; its first axis must be the batch"
                )
            setattr(module, key, state[stay_M])
