"""Distillation: while a network is fine-tuned, it is pulled towards what a teacher (its ReLU twin, say) answers to the very same inputs.

    L_kd = temperature^2  mean_N,t KL( softmax(z_teacher / temperature) || softmax(z_student(t) / temperature) )

z are the logits averaged over the steps, the student's over the first t. Only t = T counts, or with `every_step` each t from 1 to T: what
an early exit answers with. The inputs are those of the training batch, augmented and mixed as the student sees them; the
teacher is frozen, in eval mode, and need not compute in the student's precision. A figure that was reached with it says so: no published
"direct training" has a teacher.
Source: Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, 2015, arXiv 1503.02531.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn5.errors import UserError, unknown
from snn5.training import computing, lay_out

PRECISIONS = ("fp32", "bf16", "auto")


class Distillation:
    """Collects a student's inputs and answers while `watching`; `value` is L_kd of the last pass.

    Args:
        student: the network in training. teacher: answers logits_TNK to the same x_TNCHW, on the same device; is put in eval mode.
        temperature: > 0; above 1 the teacher's small probabilities count more. every_step: see above.
        precision: of the teacher's layers (see `computing`), unless `value` is called while another is chosen.

    Raises:
        UserError: a temperature that is not positive.
    """

    def __init__(
        self, student: nn.Module, teacher: nn.Module, *, temperature: float = 2.0, precision: str = "fp32", every_step: bool = False
    ) -> None:
        if not temperature > 0:
            raise UserError(f"temperature={temperature}; need a positive number, e.g. 2")
        self._student, self._teacher, self._temperature, self._precision = student, teacher.eval(), temperature, precision
        self._every_step = every_step
        self._seen: tuple[Tensor, Tensor] | None = None

    @contextmanager
    def watching(self) -> Iterator["Distillation"]:
        """Hook the student; unhook at the end."""
        handle = self._student.register_forward_hook(self._note)
        try:
            yield self
        finally:
            handle.remove()
            self._seen = None

    def value(self) -> Tensor:
        """L_kd of the last pass: scalar, with a gradient to the student only."""
        if self._seen is None:
            raise RuntimeError("no forward pass yet; call the model inside `watching` first")
        x_TNCHW, logits_TNK = self._seen
        with torch.no_grad(), computing(self._precision, x_TNCHW.device):
            target_NK = self._teacher(x_TNCHW).float().mean(0) / self._temperature
        answer_TNK = self._answers(logits_TNK.float()) / self._temperature
        target_TNK = target_NK.log_softmax(-1).expand_as(answer_TNK)
        divergence = F.kl_div(answer_TNK.log_softmax(-1).flatten(0, 1), target_TNK.flatten(0, 1), reduction="batchmean", log_target=True)
        return self._temperature**2 * divergence

    def _answers(self, logits_TNK: Tensor) -> Tensor:
        """The averages that are compared, [T or 1, N, K]."""
        if not self._every_step:
            return logits_TNK.mean(0, keepdim=True)
        steps_T11 = torch.arange(1, len(logits_TNK) + 1, device=logits_TNK.device).view(-1, 1, 1)
        return logits_TNK.cumsum(0) / steps_T11

    def _note(self, _student: nn.Module, inputs: tuple[Tensor, ...], logits_TNK: Tensor) -> None:
        self._seen = (inputs[0].detach(), logits_TNK)


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """Whom a fine-tuning listens to: the loss gets `weight` L_kd.

    Attributes:
        model: answers logits_TNK to the student's inputs. weight: > 0. temperature, precision, every_step: see Distillation.
        channels_last: put its kernels in the order that is fast for bf16 (see `lay_out`); another order rounds otherwise.

    Raises:
        UserError: a weight that is not positive, an unknown precision.
    """

    model: nn.Module
    weight: float = 1.0
    temperature: float = 2.0
    precision: str = "fp32"
    every_step: bool = False
    channels_last: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
        if not self.weight > 0:
            raise UserError(f"weight={self.weight} of a teacher; need a positive number, or no teacher")

    def on(self, student: nn.Module) -> Distillation:
        """The loss between this teacher, moved to where `student` is, and `student`."""
        self.model.to(next(student.parameters()).device)
        lay_out(self.model, self.channels_last)
        how: dict[str, Any] = {"temperature": self.temperature, "precision": self.precision, "every_step": self.every_step}
        return Distillation(student, self.model, **how)
