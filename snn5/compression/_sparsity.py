"""Activity regularisation (P4.1): fine-tune a network until it does less.

    L = CE  +  min(1, step / ramp) strength Omega  +  weight L_kd

Omega is a regulariser's penalty (_regularisers.py; by default the share of the dense operations that the spikes cause), L_kd what a teacher
asks for (_distil.py), if there is one.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from snn5.checkpoint import Checkpoint, Transform
from snn5.compression._distil import Teacher
from snn5.compression._masks import keep_zeros
from snn5.compression._synops import SynOps
from snn5.config import Train
from snn5.errors import UserError
from snn5.training import Fit, Regulariser, Samples, fit


def sparsify(
    checkpoint: Checkpoint,
    train: Samples,
    val: Samples,
    settings: Train,
    *,
    strength: float,
    regulariser: Regulariser | None = None,
    teacher: Teacher | None = None,
    ramp_fraction: float = 0.2,
    generator: torch.Generator,
    parents: dict[str, str] | None = None,
    tick: Callable[..., None] = lambda: None,
    guard: bool = True,
) -> tuple[Checkpoint, Fit]:
    """Fine-tune under CE + strength * Omega and keep the last epoch (the best on accuracy would be the least sparse one).

    Weights that the card's `masks` name keep their zeros: a pruned network stays pruned.

    Args:
        settings: epochs, lr and loss of the fine-tuning (warm-up is switched off).
        strength: lambda >= 0; 0 is plain fine-tuning, bit for bit.
        regulariser: what Omega is; default SynOps().
        teacher: whom the network listens to meanwhile; moved to the samples' device. A figure reached with one says so.
        ramp_fraction: share of the steps over which lambda rises linearly from 0.
        guard: see `fit`; a sweep passes False and lets validation refuse a strength that silences the network.

    Returns:
        The checkpoint, and the Fit, whose `rates` are the achieved rates of every layer by epoch: a penalty asks, it does not guarantee.

    Raises:
        UserError: a negative strength, a quantised checkpoint, or a layer went silent; names it.
    """
    if checkpoint.card.quantisation is not None:
        raise UserError(
            "this checkpoint is quantised, and fine-tuning would take its weights off their grid; sparsify first, then quantize"
        )
    if strength < 0:
        raise UserError(f"strength={strength}; a negative one rewards spikes; give 0 or more")
    settings = replace(settings, warmup_epochs=0)
    model = checkpoint.build().to(train.y_N.device)
    steps = settings.epochs * -(-len(train) // settings.batch_size)
    ramp = max(1, round(ramp_fraction * steps))
    terms: list[Callable[[int], Tensor]] = []
    with ExitStack() as stack:
        stack.enter_context(keep_zeros(model, checkpoint.card.masks))
        if strength > 0:
            penalty = (regulariser or SynOps()).on(model)
            stack.enter_context(penalty.watching())
            terms.append(lambda step: strength * min(1.0, (step + 1) / ramp) * penalty.value())
        if teacher is not None:
            heard, weight = teacher.on(model), teacher.weight
            stack.enter_context(heard.watching())
            terms.append(lambda _step: weight * heard.value())

        def extra(step: int) -> Tensor:
            return torch.stack([term(step) for term in terms]).sum()

        result = fit(model, train, val, settings, generator=generator, tick=tick, extra_loss=extra if terms else None, guard=guard)
    model.load_state_dict(result.last)
    args: dict[str, Any] = {"strength": strength, "epochs": settings.epochs, "lr": settings.lr}
    if regulariser is not None:
        args["regulariser"] = {"name": type(regulariser).__name__, **vars(regulariser)}
    if teacher is not None:
        args["teacher"] = {"weight": teacher.weight, "temperature": teacher.temperature}
    # Thresholds of an early exit belong to the old logits.
    return checkpoint.after(Transform(name="sparsify", args=args, parents=parents or {}), model.cpu(), cutoff=None), result
