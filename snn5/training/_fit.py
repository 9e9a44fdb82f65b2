"""The training loop: every random draw from one generator, the best epoch chosen on validation, the test set never seen."""

import inspect
import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn

from snn5.config import Train
from snn5.errors import UserError
from snn5.training._activity import activity_text, check_activity
from snn5.training._augment import augmentations_of, augmented
from snn5.training._average import copy_of
from snn5.training._batches import Samples, cut
from snn5.training._distributed import Group, distributed
from snn5.training._evaluate import Evaluation, evaluate
from snn5.training._losses import loss_of
from snn5.training._mix import mix_of
from snn5.training._plan import Plan
from snn5.training._precision import computing, lay_out
from snn5.training._resume import Resume, fingerprint
from snn5.training._state import Epoch, Fit, State


def fit(
    model: nn.Module,
    train: Samples,
    val: Samples,
    settings: Train,
    *,
    generator: torch.Generator,
    tick: Callable[..., None] = lambda: None,
    extra_loss: Callable[[int], Tensor] | None = None,
    report: Callable[[int, Evaluation], None] | None = None,
    guard: bool = True,
    resume: Path | None = None,
    every_s: float = 60.0,
    keep_finished: bool = False,
    plan: Plan | None = None,
) -> Fit:
    """Train `model` in place; under torchrun, together with the other processes (see `distributed`). It ends with the last weights.

    Args:
        settings: epochs, optimiser, loss, augmentation, precision.
        generator: source of the order and of the augmentation.
        tick: called once an epoch, with a line of text where it takes one: validation accuracy and spike rates.
        extra_loss: called after each forward pass with the step's number; what it answers is added to the loss (regularisers).
        report: called after each epoch with the validation result; may raise to stop (a study's pruner).
        guard: refuse a network with a silent or saturated layer, at the end or when it has been so for `guard_epochs` epochs; False where
            that is the finding.
        resume: a file that keeps the state of this training, written after each epoch and every `every_s` seconds in between. Where it
            is there already, the training goes on from it and gives the same result to the last bit (the same machine and number of
            threads; with more than two processes, up to rounding). A file of another training is ignored, with a warning. What
            `extra_loss` does is not known here: give each its own file.
        keep_finished: leave the file when the training has ended (a further call then answers at once); else it is removed.
        plan: what the recipe does differently; None: nothing.

    Raises:
        UserError: the loss is not finite; a spiking layer is silent or saturated (names it); the file in `resume` is corrupt.
    """
    with distributed() as group:
        if settings.batch_size < group.smallest_batch:
            raise UserError(f"batch_size={settings.batch_size}; batch norm needs at least 2 samples on each of {group.size} process(es)")
        lay_out(model, settings.channels_last)
        plan = plan or Plan()
        plan.prepare(model, train)
        state = State(model, settings, generator, plan.optimiser(model, settings, math.ceil(len(train) / settings.batch_size)))
        made_by = fingerprint(model, train, val, settings, generator, group.size, repr(plan)) if resume and group.rank == 0 else {}
        file = Resume(resume if group.rank == 0 else None, made_by, every_s)
        if (saved := group.from_first(file.load)) is not None:
            state.load_state_dict(saved)
        tell = _with_text(tick) if group.rank == 0 else lambda _text: None
        for _ in range(state.epoch):
            tell("")
        learner = _Learner(model, train, settings, state, group, extra_loss, plan)
        while (epoch := state.epoch) < settings.epochs:
            learner.epoch(file)
            evaluation, weights = learner.validate(val)
            state.result.note(epoch, state.now.total.item() / state.now.seen, evaluation, weights)
            tell(", ".join(filter(None, [f"val {100 * evaluation.accuracy:.1f} %", activity_text(evaluation.rates)])))
            if report is not None:
                report(epoch, evaluation)
            if guard:
                state.guard.check(epoch, evaluation.rates)
            state.epoch, state.now = epoch + 1, Epoch()
            file.save(state.state_dict)
        del learner  # the group that it wrapped the model with closes below
        model.load_state_dict(state.result.last)
        if guard:
            check_activity({name: points[-1][1] for name, points in state.result.rates.items()})
        if not keep_finished:
            file.remove()
        return state.result


class _Learner:
    """One epoch's training and validation."""

    def __init__(
        self,
        model: nn.Module,
        train: Samples,
        settings: Train,
        state: State,
        group: Group,
        extra_loss: Callable[[int], Tensor] | None,
        plan: Plan,
    ) -> None:
        self.model, self.train, self.settings, self.state, self.group, self.extra_loss = model, train, settings, state, group, extra_loss
        self.plan = plan
        self.device = train.y_N.device
        self.shared = group.wrap(model)
        self.loss, self.augmentations, self.mix = loss_of(settings), augmentations_of(settings), mix_of(settings, model)

    def epoch(self, file: Resume) -> None:
        """All batches that the epoch still has."""
        now, generator = self.state.now, self.state.generator
        if now.order is None:
            now.order = torch.randperm(len(self.train), generator=generator)
        self.plan.begin(self.model, self.state.epoch)
        self.model.train()
        for index in cut(now.order, self.settings.batch_size, self.group.smallest_batch)[now.batches :]:
            x_TNCHW, y = self.train.batch(index.to(self.device))
            x_TNCHW = self.plan.change(x_TNCHW, index, self.state.epoch, generator)
            x_TNCHW = augmented(x_TNCHW, self.augmentations, generator)
            if self.mix is not None:
                x_TNCHW, y = self.mix(x_TNCHW, y, generator)
            loss = self.step(x_TNCHW, y)
            now.total, now.seen, now.batches = now.total + loss * len(index), now.seen + len(index), now.batches + 1
            file.maybe(self.state.state_dict)

    def step(self, x_TNCHW: Tensor, y: Tensor) -> Tensor:
        """One step of the optimiser on this process's slice of a batch; the whole batch's mean loss."""
        state, settings, n = self.state, self.settings, len(y)
        mine = self.group.slice(n)
        with computing(settings.precision, self.device):
            logits_TNK = self.shared(x_TNCHW[:, mine])
        loss = self.loss(logits_TNK.float(), y[mine])
        if self.extra_loss is not None:
            loss = loss + self.extra_loss(state.step)
        loss = self.group.weigh(loss, n)
        mean = self.group.mean(loss).cpu()
        if not torch.isfinite(mean):
            raise UserError(f"the loss is {mean.item()} in epoch {state.epoch}; lower lr={settings.lr} or raise warmup_epochs")
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if settings.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip_norm)
        state.optimiser.step()
        state.schedule.step()
        if state.average is not None:
            state.average.update(self.model)
        state.step += 1
        return mean

    def validate(self, val: Samples) -> tuple[Evaluation, dict[str, Tensor]]:
        """The weights that count after this epoch, and what they give: rank 0's."""
        average = self.state.average
        mean = nullcontext() if average is None else average.applied(self.model)
        with mean, computing(self.settings.precision, self.device), self.plan.validating(self.model):
            return self.group.from_first(lambda: evaluate(self.model, val)), self.group.same(copy_of(self.model))


def _with_text(tick: Callable[..., None]) -> Callable[[str], None]:
    """`tick` for callers that have a text, whether it takes one or not."""
    try:
        inspect.signature(tick).bind("")
    except TypeError:
        return lambda _text: tick()
    return tick
