"""Large outputs go past the cache: the same bits, whole lines only."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from snn5.neurons import IF, LIF, PLIF, _fused
from snn5.neurons._fused_layout import LINE
from snn5.neurons._kernels_common import helper
from snn5.neurons._kernels_memory import free, scratch, settle_streams, stream_row


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Everything that can be streamed is; what `streams` said, call by call."""
    said: list[bool] = []
    asked = _fused.streams

    def ask(out_TN: Tensor | None, size: int, chunk: int) -> bool:
        said.append(asked(out_TN, size, chunk))
        return said[-1]

    monkeypatch.setattr(_fused, "streams", ask)
    monkeypatch.setattr(_fused, "STREAMED", 0)
    return said


def run(node: nn.Module, x_TN: Tensor) -> list[Tensor]:
    """Spikes, last potential, gradients of the current and of the parameters."""
    node.reset()
    x_TN = x_TN.detach().requires_grad_()
    s_TN = node(x_TN)
    weight = torch.linspace(-1, 2, s_TN.numel(), dtype=s_TN.dtype).view(s_TN.shape)
    found = torch.autograd.grad((s_TN * weight).sum() + (node.v**2).sum(), [x_TN, *node.parameters()])
    return [s_TN.detach(), node.v.detach(), *found]


@pytest.mark.parametrize("make", [LIF, PLIF, IF])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(4, 8, 64, 16), (16, 3, 1024), (1, 2, 32), (5, 4, 8, 8)])
def test_the_same_bits(
    make: Callable[[], nn.Module], dtype: torch.dtype, shape: tuple[int, ...], streamed: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    x_TN = (3 * torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 0.5).to(dtype)
    node = make()
    past = run(node, x_TN)
    assert streamed == [True, True]
    monkeypatch.setattr(_fused, "STREAMED", 1 << 62)
    plain = run(node, x_TN)
    assert streamed == [True, True, False, False]
    assert 0 < plain[0].float().mean() < 1 and all(torch.equal(a, b) for a, b in zip(past, plain, strict=True))


@pytest.mark.parametrize("size", [8, 17, 16 * 33 + 8])
def test_rows_that_are_not_whole_lines_are_not_streamed(size: int, streamed: list[bool]) -> None:
    run(LIF(), torch.rand(3, size))
    assert streamed == [False, False]


@pytest.mark.parametrize("steps", [3, 5, 6, 16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_large_layer_is_streamed_both_ways(steps: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[bool] = []
    asked = _fused.streams
    monkeypatch.setattr(_fused, "streams", lambda *given: said.append(asked(*given)) or said[-1])
    size = (_fused.STREAMED // steps // 2 // 32 + 1) * 32
    x_TN = torch.rand(steps, 1, size, dtype=dtype).requires_grad_()
    LIF()(x_TN).sum().backward()
    assert said == [True, True]


def test_small_or_unaligned_outputs_are_not_streamed() -> None:
    assert not _fused.streams(None, 1 << 20, 1 << 15)
    memory = torch.empty((1 << 22) + 16)
    start = -memory.data_ptr() % LINE // 4
    whole = memory[start : start + (1 << 22)]
    assert _fused.streams(whole, 1 << 20, 1 << 15) and not _fused.streams(whole[16:], 1 << 20, 1 << 15)
    assert not _fused.streams(memory[start + 1 : start + 1 + (1 << 22)], 1 << 20, 1 << 15)
    assert not _fused.streams(whole, 1 << 20, (1 << 15) + 8)


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_a_row_is_streamed_and_nothing_beside_it(dtype: type) -> None:
    count = LINE // np.dtype(dtype).itemsize
    memory = np.zeros(6 * count, dtype)
    start = -memory.ctypes.data % LINE // memory.itemsize
    row = np.arange(1, 3 * count + 1, dtype=dtype)
    stream_row(row, memory[start + count : start + 4 * count])
    helper(lambda: settle_streams())()
    assert np.array_equal(memory[start + count : start + 4 * count], row)
    assert np.count_nonzero(memory) == len(row)


def test_scratch_is_whole_lines() -> None:
    def place(count: int) -> tuple[int, int]:
        room, at = scratch(count)
        free(room)
        return room, at

    room, at = helper(place)(1000)
    assert at % LINE == 0 and room <= at < room + LINE


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads /proc")
def test_scratch_is_given_back() -> None:
    x_TN = torch.rand(256, 1, 256).requires_grad_()
    node = LIF()

    def resident(times: int) -> int:
        for _ in range(times):
            node.reset()
            torch.autograd.grad(node(x_TN).sum(), x_TN)
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    before = resident(20)
    assert resident(400) - before < 400 * 256 * 256 * 4 / 2
