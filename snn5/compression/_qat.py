"""Quantisation-aware training (P4.2), QUEST-style: surrogate-gradient training of weights that live on a grid, with an energy term.

    W_q = s nearest(W / s)    loss = CE + energy_weight Omega + teacher's weight L_kd

Batch norms are folded first, so that what is trained is what is stored. What comes out has weights that are a level times a step, exactly,
and no float weights behind them. QUEST's own equations are in no public text; only its outline (device levels in training, activity in the
loss) is taken from there. The contrast, `round_to_nearest`, trains nothing.
Source: Li et al., QUEST, arXiv 2504.00679 (outline); Esser et al., arXiv 1902.08153 (LSQ).
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from snn5.checkpoint import Checkpoint, Transform
from snn5.compression._distil import Teacher
from snn5.compression._fold import fold_norms
from snn5.compression._grids import Grid
from snn5.compression._lsq import aligned, best_steps, quantised_weights
from snn5.compression._masks import keep_zeros
from snn5.compression._membrane import feeding, integer_membranes, settle
from snn5.compression._scheme import Scheme
from snn5.compression._synops import SynOpsPenalty
from snn5.config import Train
from snn5.errors import UserError
from snn5.models import add_steps, quantise_membranes, quantise_relus
from snn5.training import Fit, Samples, fit


def quantize(
    checkpoint: Checkpoint,
    train: Samples,
    val: Samples,
    settings: Train,
    *,
    bits: int,
    scheme: Scheme | None = None,
    energy_weight: float = 0.0,
    activation_bits: int | None = None,
    teacher: Teacher | None = None,
    generator: torch.Generator,
    parents: dict[str, str] | None = None,
    tick: Callable[..., None] = lambda: None,
    guard: bool = True,
) -> tuple[Checkpoint, Fit]:
    """Train with weights on a grid and keep the last epoch. Zeros of a pruned checkpoint (its card's `masks`) stay zero.

    Args:
        settings: epochs, lr and loss of the training (warm-up is switched off).
        bits: of all weights but those of the first and the last layer. scheme: see `Scheme`.
        energy_weight: >= 0, of the synaptic operations as a share of the dense ones (see `SynOpsPenalty`).
        activation_bits: for a ReLU twin only: its activations on so many bits, unsigned, with a learned step per layer. ceil(log2(T + 1))
            bits have as many values as T steps have spike counts.
        teacher: whom the network listens to; moved to the samples' device.
        guard: see `fit`.

    Returns:
        The checkpoint, and the training's curves (the weights in the Fit are the float ones behind the grid).

    Raises:
        UserError: quantised already, bits out of range, a mask on a grid without 0, a negative energy_weight or one for a twin,
            activation_bits for a spiking network, or a layer went silent.
    """
    if energy_weight < 0 or (energy_weight > 0 and checkpoint.card.twin):
        raise UserError(f"energy_weight={energy_weight}; need 0 or more, and 0 for an ANN, whose products do not depend on spikes")
    scheme = scheme or Scheme()
    folded, grids = _prepare(checkpoint, bits, scheme)
    settings = replace(settings, warmup_epochs=0)
    model = folded.build().to(train.y_N.device)
    if activation_bits is not None:
        _start_activations(model, activation_bits, train, settings.batch_size)
    penalty = SynOpsPenalty(model)
    distillation = teacher.on(model) if teacher else None

    def extra(_step: int) -> Tensor:
        terms = [energy_weight * penalty.value()] if energy_weight else []
        if teacher and distillation:
            terms.append(teacher.weight * distillation.value())
        return torch.stack(terms).sum()

    fed: dict[str, str] = {}
    with ExitStack() as stack:
        steps = stack.enter_context(quantised_weights(model, grids, scheme))
        if scheme.membrane_bits is not None:
            fed = stack.enter_context(integer_membranes(model, steps, scheme.membrane_bits))
        stack.enter_context(keep_zeros(model, [_behind(name, grids) for name in folded.card.masks]))
        stack.enter_context(penalty.watching() if energy_weight else nullcontext())
        stack.enter_context(distillation.watching() if distillation else nullcontext())
        more = extra if energy_weight or teacher else None
        result = fit(model, train, val, settings, generator=generator, tick=tick, extra_loss=more, guard=guard)
        on_grid = {name: (model.get_submodule(name).weight.detach(), lsq.positive_step().detach()) for name, lsq in steps.items()}
    args = {"bits": bits, "method": "qat", "epochs": settings.epochs, "lr": settings.lr, "energy_weight": energy_weight}
    args |= {"teacher": teacher.weight} if teacher else {}
    return _finish(folded, model, grids, scheme, on_grid, args, fed, activation_bits, parents), result


def round_to_nearest(
    checkpoint: Checkpoint, bits: int, *, scheme: Scheme | None = None, parents: dict[str, str] | None = None
) -> Checkpoint:
    """The contrast: batch norms folded, every weight rounded to its grid, no training. Each step is that of least squared error.

    Args and errors: as `quantize`.
    """
    scheme = scheme or Scheme()
    folded, grids = _prepare(checkpoint, bits, scheme)
    model = folded.build()
    on_grid = {}
    for name, grid in grids.items():
        weight: Tensor = model.get_submodule(name).get_parameter("weight").detach()
        step = best_steps(grid, weight, scheme)
        on_grid[name] = grid.nearest(weight / aligned(step, weight)) * aligned(step, weight), step
    fed: dict[str, str] = {}
    if scheme.membrane_bits is not None:
        fed = feeding(model)
        quantise_membranes(model, list(fed), scheme.membrane_bits)
    return _finish(folded, model, grids, scheme, on_grid, {"bits": bits, "method": "rtn"}, fed, None, parents)


def _prepare(checkpoint: Checkpoint, bits: int, scheme: Scheme) -> tuple[Checkpoint, dict[str, Grid]]:
    """The folded checkpoint and the grid of each layer."""
    if checkpoint.card.quantisation is not None:
        raise UserError("this checkpoint is quantised already; start from the float one that its card names as parent")
    folded = fold_norms(checkpoint)
    grids = scheme.grids(folded.build(), bits)
    for name in folded.card.masks:
        grid = grids.get(name.removesuffix(".weight"))
        if grid is not None and 0.0 not in grid.levels:
            raise UserError(f"{name} is pruned, but its grid {list(grid.levels)} has no 0; take one with 0, e.g. grid='symmetric'")
    return folded, grids


def _behind(mask: str, grids: Mapping[str, Grid]) -> str:
    """The parameter that learns while `mask`'s layer shows quantised weights."""
    layer = mask.removesuffix(".weight")
    return f"{layer}.parametrizations.weight.original" if layer in grids else mask


@torch.no_grad()
def _start_activations(model: nn.Module, bits: int, train: Samples, batch_size: int) -> None:
    """Put the quantised ReLUs in place; their first steps fit what the float ones answer to the first batch."""
    seen: dict[str, Tensor] = {}
    relus = {name: module for name, module in model.named_modules() if isinstance(module, nn.ReLU)}
    handles = [module.register_forward_hook(_note(seen, name)) for name, module in relus.items()]
    model(train.batch(torch.arange(min(batch_size, len(train)), device=train.y_N.device))[0])
    for handle in handles:
        handle.remove()
    for name in quantise_relus(model, bits):
        start: Any = model.get_submodule(name)
        start.to(train.y_N.device).start_from(seen[name])


def _note(seen: dict[str, Tensor], name: str) -> Callable[[nn.Module, object, Tensor], None]:
    def hook(_module: nn.Module, _inputs: object, y: Tensor) -> None:
        seen[name] = y

    return hook


def _finish(
    folded: Checkpoint,
    model: nn.Module,
    grids: dict[str, Grid],
    scheme: Scheme,
    on_grid: Mapping[str, tuple[Tensor, Tensor]],
    args: dict[str, Any],
    fed: Mapping[str, str],
    activation_bits: int | None,
    parents: dict[str, str] | None,
) -> Checkpoint:
    """The checkpoint whose weights are level times step."""
    add_steps(model, list(grids), per_channel=scheme.scale == "channel")
    with torch.no_grad():
        for name, (weight, step) in on_grid.items():
            model.get_submodule(name).get_parameter("weight").copy_(weight)
            model.get_submodule(name).get_buffer("weight_step").copy_(step)
    settle(model, fed)
    quantisation = scheme.to_json(grids) | ({"membranes": dict(fed), "membrane_bits": scheme.membrane_bits} if fed else {})
    quantisation |= {} if activation_bits is None else {"activation_bits": activation_bits}
    transform = Transform(name="quantize", args={**args, "grid": scheme.grid, "scale": scheme.scale}, parents=parents or {})
    # Thresholds of an early exit belong to the old logits.
    return folded.after(transform, model.cpu(), quantisation=quantisation, cutoff=None)
