"""The kernels get addresses: what lies elsewhere, or otherwise, than they think must be copied or refused, never read."""

import threading
import time
from collections.abc import Callable

import pytest
import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from snn5.neurons import IF, LIF, PLIF, TTFSLatch
from snn5.neurons._fused_threads import spread

MAKE = [LIF, PLIF, IF, lambda: TTFSLatch(time_steps=4)]


def currents(*shape: int, seed: int = 0) -> Tensor:
    return 4 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 0.3


def spikes_and_gradient(make: Callable[[], nn.Module], x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().requires_grad_()
    s = make()(x)
    return s.detach(), torch.autograd.grad(s, x, gradient)[0]


@pytest.mark.parametrize("make", MAKE)
def test_numbers_that_lie_there_with_the_other_sign(make: Callable[[], nn.Module]) -> None:
    x, g = currents(4, 3, 5), currents(4, 3, 5, seed=1)
    wanted = spikes_and_gradient(make, x, g)
    assert 0.1 < wanted[0].mean() < 0.9
    for found in (
        spikes_and_gradient(make, torch._neg_view(-x), g),
        spikes_and_gradient(make, x, torch._neg_view(-g)),
        spikes_and_gradient(make, torch.complex(g, -x).conj().imag, g),
    ):
        assert all(map(torch.equal, found, wanted))


@pytest.mark.parametrize("make", MAKE)
def test_what_is_not_in_memory_is_refused(make: Callable[[], nn.Module]) -> None:
    freed = currents(4, 3, 5)
    freed.untyped_storage().resize_(0)
    for x in (torch._efficientzerotensor((4, 3, 5)), freed):
        with pytest.raises(RuntimeError, match=r"no memory that a kernel can read|out of bounds for storage of size 0"):
            make()(x)


@pytest.mark.parametrize("make", MAKE)
def test_saved_currents_may_come_back_shorter(make: Callable[[], nn.Module]) -> None:
    """A hook that keeps them in half the bits, as some do to save memory; nothing is lost where they have no more."""
    x, g = currents(4, 3, 50).bfloat16().float(), currents(4, 3, 50, seed=1).bfloat16().float()
    wanted = spikes_and_gradient(make, x, g)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.bfloat16() if t.ndim == 3 else t, lambda t: t):
        found = spikes_and_gradient(make, x, g)
    assert torch.equal(found[0], wanted[0]) and torch.allclose(found[1], wanted[1], atol=2**-7, rtol=2**-7)


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("shape", [(4, 9, 5), (4, 1, 5), (4, 5, 3), (4, 3, 5, 2)])
def test_another_batch_begins_anew(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    node, fresh, x = make(), make(), currents(*shape, seed=1)
    node(currents(4, 3, 5))
    assert torch.equal(node(x), fresh(x)) and torch.equal(node.v, fresh.v)


@pytest.mark.parametrize("make", MAKE)
def test_a_state_in_another_order_of_memory(make: Callable[[], nn.Module]) -> None:
    first, then = currents(2, 3, 4, 5, 5), currents(2, 3, 4, 5, 5, seed=1)
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        node = make()
        node(first)
        s = node(then.flatten(0, 1).contiguous(memory_format=layout).unflatten(0, (2, 3)))
        found.append((s, node.v))
    assert all(map(torch.equal, *found))


def test_a_time_constant_that_is_a_parameter() -> None:
    node, x = LIF(tau=3.0), currents(4, 3, 5)
    del node.tau
    node.tau = nn.Parameter(torch.tensor(3.0))
    assert torch.equal(node(x), LIF(tau=3.0)(x))


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.* is deprecated:DeprecationWarning")
@pytest.mark.parametrize("make", [LIF, PLIF, IF])
def test_a_trace_is_right_on_other_input(make: Callable[[], nn.Module]) -> None:
    node, x = make(), currents(4, 3, 5, seed=1)
    traced = torch.jit.trace(node, currents(4, 3, 5), check_trace=False)
    functional.reset_net(node)
    assert torch.equal(traced(x), node(x))


def test_nobody_works_on_when_an_error_is_out() -> None:
    """Their memory may be gone by then."""
    before, inside, seen, lock = torch.get_num_threads(), set(), [], threading.Lock()

    def kernel(_counter: object) -> None:
        with lock:
            me = len(seen)
            seen.append(me)
        inside.add(me)
        time.sleep(0.05 if me == 1 else 0.3)
        if me == 1:
            inside.remove(me)
            raise MemoryError
        inside.remove(me)

    torch.set_num_threads(3)
    try:
        with pytest.raises(MemoryError):
            spread(kernel, 3, 1 << 20)
    finally:
        torch.set_num_threads(before)
    assert len(seen) == 3 and not inside
