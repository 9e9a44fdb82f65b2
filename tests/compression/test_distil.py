"""Distillation: the divergence by hand, its gradient, and what it pulls a student towards."""

import math

import pytest
import torch
from torch import Tensor, nn

from snn5.compression import Distillation, Teacher
from snn5.errors import UserError


class Fixed(nn.Module):
    """Answers its own logits [T, 1, K], whatever comes in."""

    def __init__(self, *rows: list[float]) -> None:
        super().__init__()
        self.logits_TK = nn.Parameter(torch.tensor(rows))
        self.calls: list[tuple[bool, Tensor]] = []

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        self.calls.append((self.training, x_TNCHW))
        return self.logits_TK[:, None].expand(-1, x_TNCHW.shape[1], -1)


def loss_of(student: Fixed, teacher: Fixed, temperature: float) -> Tensor:
    distillation = Distillation(student, teacher, temperature=temperature)
    with distillation.watching():
        student(torch.zeros(1, 3, 1, 2, 2))
        return distillation.value()


def test_by_hand() -> None:
    """Teacher 3/4 against 1/4, student 1/2 against 1/2 (the mean of two steps), temperature 2."""
    student = Fixed([0.5, -0.5], [-0.5, 0.5])
    teacher = Fixed([2 * math.log(3.0), 0.0])
    expected = 4 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    assert loss_of(student, teacher, 2.0).item() == pytest.approx(expected, rel=1e-6)


def test_every_step_by_hand() -> None:
    """After the first step the student says 3/4 as the teacher does, after the second (the mean is 0) 1/2; half of that counts."""
    student, teacher = Fixed([math.log(3.0), 0.0], [-math.log(3.0), 0.0]), Fixed([math.log(3.0), 0.0])
    expected = (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)) / 2
    with Teacher(model=teacher, temperature=1.0, every_step=True).on(student).watching() as heard:
        student(torch.zeros(1, 3, 1, 2, 2))
        assert heard.value().item() == pytest.approx(expected, rel=1e-6)
    with Teacher(model=teacher, temperature=1.0).on(student).watching() as heard:
        student(torch.zeros(1, 3, 1, 2, 2))
        assert heard.value().item() == pytest.approx(2 * expected, rel=1e-6)


def test_the_gradient_reaches_the_student_alone() -> None:
    """d L / d z_k = temperature (p_student - p_teacher), half of it for each of two steps (N = 3 samples share the logits: mean)."""
    student, teacher = Fixed([0.0, 0.0], [0.0, 0.0]), Fixed([2 * math.log(3.0), 0.0])
    loss_of(student, teacher, 2.0).backward()
    assert student.logits_TK.grad is not None
    assert torch.allclose(student.logits_TK.grad, torch.tensor([[-0.25, 0.25]] * 2), atol=1e-6)
    assert teacher.logits_TK.grad is None


def test_equal_answers_cost_nothing_and_the_teacher_sees_the_students_input_in_eval_mode() -> None:
    student, teacher = Fixed([1.0, -2.0, 0.5]).train(), Fixed([1.0, -2.0, 0.5]).train()
    distillation = Distillation(student, teacher, temperature=3.0)
    x_TNCHW = torch.rand(1, 2, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    with distillation.watching():
        student(x_TNCHW)
        assert distillation.value().item() == pytest.approx(0.0, abs=1e-7)
    assert [(training, torch.equal(x, x_TNCHW)) for training, x in teacher.calls] == [(False, True)]
    student(x_TNCHW)
    with pytest.raises(RuntimeError, match="no forward pass yet"):
        distillation.value()


def test_the_teacher_computes_in_its_own_precision() -> None:
    """1 + 2^-9 is 1 in bfloat16: the student, in FP32, hears the rounded answer."""
    seen: list[torch.dtype] = []

    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(1, 2, bias=False)
            nn.init.constant_(self.linear.weight, 1 + 2.0**-9)

        def forward(self, x_TNCHW: Tensor) -> Tensor:
            answer = self.linear(x_TNCHW.flatten(2))
            seen.append(answer.dtype)
            return answer

    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        student = Linear()
        with Teacher(model=Linear(), precision=precision).on(student).watching() as heard:
            student(torch.ones(1, 1, 1, 1, 1))
            heard.value()
        assert seen[-2:] == [torch.float32, dtype]


def test_the_teachers_kernels_lie_as_asked() -> None:
    for asked in (False, True):
        conv, student = nn.Conv2d(3, 4, 3), Fixed([0.0, 0.0])
        Teacher(model=conv, channels_last=asked).on(student)
        assert conv.weight.is_contiguous(memory_format=torch.channels_last) is asked


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UserError, match="fp16"):
        Teacher(model=Fixed([0.0]), precision="fp16")


def test_a_temperature_must_be_positive() -> None:
    with pytest.raises(UserError, match=r"temperature=0\.0; need a positive number"):
        Distillation(Fixed([0.0, 1.0]), Fixed([0.0, 1.0]), temperature=0.0)
