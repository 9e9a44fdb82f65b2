"""The fused GLIF and the fused latch: the numbers of the loops over `glif_step` and `latch_step`."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import functional
from torch import Tensor

from snn5.neurons import GLIF, SURROGATES, DynamicGLIF, TTFSLatch, _fused_dynamic, _fused_glif, _fused_latch, _fused_threads

SHAPES = [(6, 5, 7), (5, 3, 40, 50), (4, 3, 5, 6, 7), (2, 2, 3, 50, 50), (1, 1, 1)]


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    for module in (_fused_glif, _fused_dynamic, _fused_latch):

        def count(kernel: Callable[..., None], pieces: int, numbers: int, *args: Any) -> None:
            calls.append(numbers)
            _fused_threads.spread(kernel, pieces, numbers, *args)

        monkeypatch.setattr(module, "spread", count)
    return calls


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def glif(shape: tuple[int, ...], surrogate: str = "rectangle", per_channel: bool = True) -> GLIF:
    """Every number of every channel and step another."""
    node = GLIF(channels=shape[2], time_steps=shape[0] + 2, surrogate=surrogate, per_channel=per_channel)
    generator = torch.Generator().manual_seed(1)
    for p in node.parameters():
        p.data.add_(0.7 * torch.randn(p.shape, generator=generator))
    return node


def dynamic(shape: tuple[int, ...], surrogate: str = "rectangle") -> DynamicGLIF:
    node = DynamicGLIF(channels=shape[2], time_steps=shape[0] + 2, surrogate=surrogate)
    generator = torch.Generator().manual_seed(1)
    for p in node.parameters():
        p.data.add_(0.7 * torch.randn(p.shape, generator=generator))
    return node


def compare(one: tuple[Tensor, ...], two: tuple[Tensor, ...], inputs: list[Tensor], exact: bool = False) -> None:
    """Outputs bit for bit, gradients of a loss of all of them (as far as they have one) within rounding."""
    assert all(map(torch.equal, one, two))
    weights = [rand(*t.shape, seed=i) - 0.3 for i, t in enumerate(one)]
    grads = []
    for outputs in (one, two):
        loss = torch.stack([(t * w).sum() for t, w in zip(outputs, weights, strict=True) if t.requires_grad]).sum()
        grads.append(torch.autograd.grad(loss, inputs))
    for a, b in zip(*grads, strict=True):
        assert torch.equal(a, b) if exact else float((a - b).abs().max()) <= 3e-6 * float(a.abs().max()) + 1e-7
    assert sum(float(a.abs().max()) for a in grads[0]) > 0


@pytest.mark.parametrize(("shape", "surrogate"), [*itertools.product(SHAPES, ["rectangle"]), *((SHAPES[2], s) for s in sorted(SURROGATES))])
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("channels_last", [False, True])
def test_glif_is_its_loop(shape: tuple[int, ...], surrogate: str, per_channel: bool, channels_last: bool) -> None:
    """Also from a state in the middle of a sequence, which wants gradients itself."""
    node = glif(shape, surrogate, per_channel)
    x, u, o = 2 * rand(*shape) - 0.3, rand(*shape[1:], seed=1), rand(*shape[1:], seed=2).round()
    if channels_last:  # the state stays as it is
        x = x.movedim(2, -1).contiguous().movedim(-1, 2)
    x, u, o = (t.requires_grad_() for t in (x, u, o))
    fused, loop = node._fused(x, u, o, 1), node._reference(x, u, o, 1)
    compare(loop, fused, [x, u, o, *node.parameters()])


@pytest.mark.parametrize(("shape", "surrogate"), [*itertools.product(SHAPES, ["rectangle"]), *((SHAPES[2], s) for s in sorted(SURROGATES))])
@pytest.mark.parametrize("channels_last", [False, True])
def test_dynamic_glif_is_its_loop(shape: tuple[int, ...], surrogate: str, channels_last: bool) -> None:
    """In float64 and from a state in the middle of a sequence: spikes alike, potentials and all gradients within float32's rounding."""
    node = dynamic(shape, surrogate)
    x, u, o = 2 * rand(*shape) - 0.3, rand(*shape[1:], seed=1), rand(*shape[1:], seed=2).round()
    if channels_last:
        x = x.movedim(2, -1).contiguous().movedim(-1, 2)
    inputs, found = [t.requires_grad_() for t in (x, u, o)], []
    found.append((node._fused(*inputs, 1), [*inputs, *node.parameters()]))
    wide = dynamic(shape, surrogate).double()
    inputs = [t.detach().double().requires_grad_() for t in (x, u, o)]
    found.append((wide._reference(*inputs, 1), [*inputs, *wide.parameters()]))
    (fused, mine), (loop, theirs) = found
    assert torch.equal(fused[0].double(), loop[0]) and torch.equal(fused[2].double(), loop[2]) and (loop[0].mean() > 0.05).item()
    torch.testing.assert_close(fused[1].double(), loop[1], rtol=1e-5, atol=1e-5)
    weights = [rand(*t.shape, seed=i) - 0.3 for i, t in enumerate(fused)]
    one, two = (
        torch.autograd.grad(sum((t * w).sum() for t, w in zip(out, weights, strict=True)), into, allow_unused=True)
        for out, into in ((fused, mine), (loop, theirs))
    )
    assert len(one) == 3 + 7 + 1 + 1
    for a, b in zip(one, two, strict=True):
        assert a is not None and b is not None and (b != 0).any()
        assert float((a - b).abs().max()) <= 1e-5 * float(b.abs().max()) + 1e-6


def test_the_gated_neurons_take_the_fused_path(used: list[int]) -> None:
    class Other(GLIF):
        def _reference(self, x_TNC: Tensor, u_NC: Tensor, o_NC: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
            return super()._reference(-x_TNC, u_NC, o_NC, start)

    x = rand(4, 3, 5)
    GLIF(channels=5, time_steps=4)(x)
    assert len(used) == 1
    DynamicGLIF(channels=5, time_steps=4)(x)
    assert len(used) == 2
    Other(channels=5, time_steps=4)(x)  # whose equations no kernel has
    GLIF(channels=5, time_steps=4).double()(x.double())
    assert len(used) == 2


@pytest.mark.parametrize("kind", [GLIF, DynamicGLIF])
def test_a_batch_of_another_shape_starts_from_rest(kind: type[GLIF]) -> None:
    node, fresh, x = kind(channels=5, time_steps=4), kind(channels=5, time_steps=4), 2 * rand(2, 3, 5, 2, 2)
    node(2 * rand(4, 7, 5, 2, 2))
    assert torch.equal(node(x), fresh(x)) and torch.equal(node.v, fresh.v) and node.steps_done == 2


@pytest.mark.parametrize("make", [lambda: glif((4, 8, 9)), lambda: dynamic((4, 8, 9)), lambda: TTFSLatch(time_steps=4)])
def test_threads_and_layout_change_no_bit(make: Callable[[], Any], threads: Callable[[int], None], used: list[int]) -> None:
    x = (0.8 * rand(4, 8, 9, 50, 51)).requires_grad_()
    found = []
    for count, layout in itertools.product((1, 3), (torch.contiguous_format, torch.channels_last)):
        threads(count)
        node = make()
        s = node(x.flatten(0, 1).contiguous(memory_format=layout).unflatten(0, (4, 8)))
        loss = (s * torch.linspace(-1, 2, s.numel()).view(s.shape)).sum()
        found.append((s.detach(), *torch.autograd.grad(loss, [x, *node.parameters()])))
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))
    assert len(used) == 8 and x.numel() > _fused_threads.ALONE


def test_glif_keeps_channels_last() -> None:
    """Spikes and gradients lie as the currents do: the layers around expect it."""
    x = rand(8, 70, 9, 5).contiguous(memory_format=torch.channels_last).unflatten(0, (4, 2)).requires_grad_()
    s = glif((4, 2, 70))(x)
    assert s.stride() == x.stride() != s.contiguous().stride()
    assert torch.autograd.grad(s.sum(), x)[0].stride() == x.stride()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_glif_between_parts_of_a_sequence_can_be_detached(layout: torch.memory_format) -> None:
    """As truncated backpropagation does, in place; spikes may be changed in place, too."""
    node = glif((4, 2, 9))
    s = node(rand(8, 9, 3, 3).contiguous(memory_format=layout).unflatten(0, (4, 2)).requires_grad_())
    functional.detach_net(node)
    assert not node.v.requires_grad and s.requires_grad
    s.add_(1.0)


def test_glif_in_bfloat16_is_float32_with_rounded_edges() -> None:
    x, node, found = (2 * rand(6, 4, 5, 9)).bfloat16(), glif((6, 4, 5, 9)), []
    for dtype in (torch.bfloat16, torch.float32):
        functional.reset_net(node)
        current = x.to(dtype).requires_grad_()
        s = node(current)
        found.append((s.detach(), torch.autograd.grad(s.sum(), current)[0], node.v.detach()))
    (s16, g16, v16), (s32, g32, v32) = found
    assert s16.dtype == g16.dtype == torch.bfloat16 and v16.dtype == torch.float32
    assert torch.equal(s16.float(), s32) and torch.equal(v16, v32) and torch.equal(g16, g32.bfloat16())


@pytest.mark.parametrize("surrogate", sorted(set(SURROGATES) - {"sigmoid"}))
@pytest.mark.parametrize("shape", [(6, 3, 5000), (5, 2, 3, 4, 5), (1, 1, 1)])
def test_the_latch_is_its_loop_bit_for_bit(surrogate: str, shape: tuple[int, ...]) -> None:
    node = TTFSLatch(time_steps=6, surrogate=surrogate)
    x, v = (0.4 * rand(*shape)).requires_grad_(), (0.3 * rand(*shape[1:], seed=1)).requires_grad_()
    waiting, thetas = rand(*shape[1:], seed=2).round(), [node.theta(t) for t in range(shape[0])]
    fused = _fused_latch.multi_step(x, v, waiting, thetas, _fused_latch_slope(node))
    compare(node._reference(x, v, waiting, 0), fused, [x, v], exact=True)


def _fused_latch_slope(node: TTFSLatch) -> tuple[int, float]:
    from snn5.neurons._fused import slope_of

    slope = slope_of(node.surrogate_function)
    assert slope is not None
    return slope


def test_the_latch_in_parts_is_the_whole(used: list[int]) -> None:
    whole, parts, x = TTFSLatch(time_steps=6, ramp=0.5), TTFSLatch(time_steps=6, ramp=0.5), 0.4 * rand(6, 3, 50) - 0.05
    assert torch.equal(torch.cat([parts(x[:2]), parts(x[2:3]), parts(x[3:])]), whole(x))
    assert torch.equal(parts.v, whole.v) and torch.equal(parts.waiting, whole.waiting) and len(used) == 4
    assert 0 < whole.waiting.mean() < 1


@pytest.mark.parametrize("node", [GLIF(channels=5, time_steps=4), DynamicGLIF(channels=5, time_steps=4), TTFSLatch(time_steps=4)])
def test_an_empty_batch_stays_empty(node: Any) -> None:
    x = torch.empty(4, 0, 5, requires_grad=True)
    out = node(x)
    out.sum().backward()
    assert out.shape == x.shape and x.grad.shape == x.shape
