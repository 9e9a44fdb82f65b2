"""The fused path of LIF, PLIF and IF: SpikingJelly's numbers, whatever the layout, the sizes, the threads and the process."""

import itertools
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, neuron
from torch import Tensor, nn

from snn5.neurons import LIF, PLIF, SURROGATES, _fused, _fused_threads
from snn5.neurons._lif import IF
from snn5.parallel import run_jobs

RESETS = [0.0, 0.25, None]


def currents(*shape: int, seed: int = 0) -> Tensor:
    return 3 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 0.5


def stock(node: nn.Module) -> nn.Module:
    """SpikingJelly's own neuron with the same settings."""
    names = ("v_threshold", "v_reset", "surrogate_function", "detach_reset", "step_mode")
    settings = {name: getattr(node, name) for name in names}
    if isinstance(node, LIF):
        return neuron.LIFNode(tau=node.tau, decay_input=node.decay_input, **settings)
    if isinstance(node, PLIF):
        return neuron.ParametricLIFNode(init_tau=node.init_tau, decay_input=node.decay_input, **settings)
    return neuron.IFNode(**settings)


def run(node: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Spikes, last potential and the gradients of a loss that depends on both."""
    functional.reset_net(node)
    x = x.detach().requires_grad_()
    s = node(x)
    weight = torch.linspace(-1, 2, s.numel(), dtype=s.dtype).view(s.shape)
    wanted = [x, *node.parameters()]
    found = torch.autograd.grad((s * weight).sum() + (node.v**2).sum(), wanted)
    return {"s": s.detach(), "v": node.v.detach(), "gx": found[0], **({"gw": found[1]} if len(found) > 1 else {})}


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the calls of the fused path, so that no test compares SpikingJelly with itself."""
    calls: list[int] = []

    def count(kernel: Callable[..., None], pieces: int, numbers: int, *args: object) -> None:
        calls.append(numbers)
        _fused_threads.spread(kernel, pieces, numbers, *args)

    monkeypatch.setattr(_fused, "spread", count)
    return calls


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def all_settings() -> Iterator[nn.Module]:
    for surrogate, reset, detach in itertools.product(sorted(SURROGATES), RESETS, (True, False)):
        shared = {"v_threshold": 0.9, "surrogate": surrogate, "v_reset": reset, "detach_reset": detach}
        yield IF(**shared)
        for decay in (True, False):
            yield LIF(tau=3.0, decay_input=decay, **shared)
            yield PLIF(tau=3.0, decay_input=decay, **shared)


def test_every_setting_gives_spikingjellys_numbers(used: list[int]) -> None:
    x = currents(5, 3, 7, 5)
    for count, node in enumerate(all_settings(), 1):
        ours, theirs = run(node, x), run(stock(node), x)
        assert torch.equal(ours["s"], theirs["s"]) and torch.equal(ours["v"], theirs["v"]), node
        for name in ("gx", "gw") if isinstance(node, PLIF) else ("gx",):
            torch.testing.assert_close(ours[name], theirs[name], rtol=2e-5, atol=2e-6, msg=f"{name} of {node}")
        assert 0.03 < ours["s"].mean() < 0.97 and ours["gx"].abs().max() > 0
        assert len(used) == 2 * count
    assert count == 4 * 3 * 2 * 5


@pytest.mark.parametrize("make", [LIF, PLIF, IF])
@pytest.mark.parametrize("surrogate", ["atan", "triangle", "rectangle"])
def test_with_a_detached_reset_the_gradient_is_bit_equal_too(make: Callable[..., nn.Module], surrogate: str) -> None:
    node = make(surrogate=surrogate)
    x = currents(6, 4, 500)
    assert torch.equal(run(node, x)["gx"], run(stock(node), x)["gx"])


def test_detaching_changes_the_gradient_from_the_second_step_on() -> None:
    for steps, same in ((1, True), (2, False)):
        grads = []
        for detach in (True, False):
            x = currents(steps, 1, 60).requires_grad_()
            grads.append(torch.autograd.grad(LIF(detach_reset=detach)(x).sum(), x)[0])
        assert torch.equal(*grads) is same


def test_float64_autograd_agrees_on_the_gradient_of_w() -> None:
    """SpikingJelly's reference in double precision, on currents where no potential is near the threshold."""
    x, single, double = currents(8, 4, 300), PLIF(tau=3.0), PLIF(tau=3.0).double()
    ours, theirs = run(single, x), run(double, x.double())
    assert torch.equal(ours["s"].double(), theirs["s"])
    assert ours["gw"].item() == pytest.approx(theirs["gw"].item(), rel=1e-5)


SIZES = [1, 2, 31, 33, _fused.SMALLEST_CHUNK - 1, _fused.SMALLEST_CHUNK + 1, 17 * _fused.SMALLEST_CHUNK + 17]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("steps", [1, 4, 16])
def test_any_size(size: int, steps: int) -> None:
    node, x = PLIF(), currents(steps, 1, size)
    ours, theirs = run(node, x), run(stock(node), x)
    assert all(torch.equal(ours[n], theirs[n]) for n in ("s", "v", "gx"))
    assert ours["gw"].item() == pytest.approx(theirs["gw"].item(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("most", [1, 1000])
def test_how_many_neurons_take_a_step_together_changes_no_bit(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = currents(16, 2, 1700)
    whole = run(PLIF(), x)
    monkeypatch.setattr(_fused, "BLOCK", most)
    parts = run(PLIF(), x)
    assert whole["gw"] != 0 and all(torch.equal(whole[name], parts[name]) for name in ("s", "v", "gx", "gw"))


def test_an_empty_batch_stays_empty() -> None:
    node = PLIF()
    out = node(torch.empty(4, 0, 5, requires_grad=True))
    assert out.shape == (4, 0, 5) and node.v.shape == (0, 5)
    out.sum().backward()
    assert node.w.grad.item() == 0.0


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "channels last": lambda x: x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, x.shape[:2]),
    "transposed": lambda x: x.transpose(3, 4).contiguous().transpose(3, 4),
    "time in the middle": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "every other": lambda x: torch.stack([x, x + 1], -1)[..., 0],
    "steps with gaps": lambda x: torch.stack([x, x + 1], 1)[:, 0],
    "backwards": lambda x: torch.stack([x + 1, x], 2).flip(2)[:, :, 0],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_in_memory_does_not_matter(layout: str, used: list[int]) -> None:
    node, x = LIF(), currents(4, 3, 5, 6, 7)
    other = LAYOUTS[layout](x)
    assert torch.equal(other, x)
    plain, ours = run(node, x), run(node, other)
    assert all(torch.equal(plain[n], ours[n]) for n in plain) and len(used) == 4


def test_channels_last_stays_channels_last() -> None:
    x = LAYOUTS["channels last"](currents(4, 3, 5, 6, 7)).requires_grad_()
    s = LIF()(x)
    (gx,) = torch.autograd.grad(s.sum(), x)
    assert s.stride() == x.stride() and gx.stride() == x.stride()


def test_one_current_for_all_steps_is_not_copied() -> None:
    x_N = currents(3, 40).requires_grad_()
    same, copied = LIF(), LIF()
    one, two = same(x_N.expand(6, 3, 40)), copied(x_N.expand(6, 3, 40).contiguous())
    assert torch.equal(one, two) and torch.equal(same.v, copied.v)
    assert torch.equal(torch.autograd.grad(one.sum(), x_N)[0], torch.autograd.grad(two.sum(), x_N)[0])


@pytest.mark.parametrize("make", [LIF, PLIF, IF])
def test_chunks_in_time_are_the_whole(make: Callable[..., nn.Module]) -> None:
    """Spikes, state and gradients: the state between two calls carries the gradient."""
    x = currents(9, 2, 50)
    whole, parts, w = run(make(), x), make(), torch.linspace(-1, 2, 900).view(9, 2, 50)
    x = x.requires_grad_()
    s = torch.cat([parts(x[:4]), parts(x[4:5]), parts(x[5:])])
    assert torch.equal(s, whole["s"]) and torch.equal(parts.v, whole["v"])
    found = torch.autograd.grad((s * w).sum() + (parts.v**2).sum(), [x, *parts.parameters()])
    torch.testing.assert_close(found[0], whole["gx"], rtol=1e-6, atol=1e-7)
    if make is PLIF:
        assert found[1].item() == pytest.approx(whole["gw"].item(), rel=1e-5)


def test_gradient_of_a_given_initial_potential() -> None:
    x, grads = currents(3, 2, 30), []
    for node in (LIF(detach_reset=False), stock(LIF(detach_reset=False))):
        node.v = start = torch.full((2, 30), 0.3, requires_grad=True)
        grads.append(torch.autograd.grad(node(x).sum(), start)[0])
    torch.testing.assert_close(*grads)
    assert grads[0].abs().max() > 0


def test_only_what_is_wanted_gets_a_gradient() -> None:
    x, node = currents(4, 2, 30), PLIF()
    node(x).sum().backward()
    only_w = node.w.grad.clone()
    functional.reset_net(node)
    both = run(node, x)
    assert only_w != 0 and both["gx"].shape == x.shape
    node.w.requires_grad_(False)
    functional.reset_net(node)
    asked = x.clone().requires_grad_()
    (only_x,) = torch.autograd.grad(node(asked).sum(), asked)
    assert only_x.abs().max() > 0
    functional.reset_net(node)
    assert not node(x).requires_grad and not node.v.requires_grad
    functional.reset_net(node)
    with torch.no_grad():
        assert not node.requires_grad_()(x).requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_number_of_threads_changes_no_bit(dtype: torch.dtype, threads: Callable[[int], None]) -> None:
    x, found = currents(4, 8, 20_001).to(dtype), []
    assert x.numel() > _fused_threads.ALONE
    for count in (1, 2, 5):
        threads(count)
        found.append(run(PLIF(), x))
    for other in found[1:]:
        assert all(torch.equal(found[0][name], other[name]) for name in found[0])


def test_works_after_a_fork(threads: Callable[[int], None]) -> None:
    """The parent has threads of its own by then, which a forked worker has not."""
    threads(2)
    x = currents(4, 8, 20_000)
    expected = run(PLIF(), x)

    def job(_: int, tick: Callable[[], None]) -> dict[str, np.ndarray]:
        alone = run(PLIF(), x)
        _fused_threads.torch = SimpleNamespace(get_num_threads=lambda: 2)  # only here: torch's own threads do not survive the fork
        together = run(PLIF(), x)
        assert all(torch.equal(alone[n], together[n]) for n in alone)
        return {name: value.numpy() for name, value in alone.items()}

    for found in run_jobs(job, [0, 1, 2], label="jobs", total=1, workers=2):
        assert all((found[name] == expected[name].numpy()).all() for name in expected)


def test_deterministic_mode_is_content(used: list[int]) -> None:
    mode = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("error")
    try:
        found = run(PLIF(), currents(4, 2, 30))
    finally:
        torch.set_deterministic_debug_mode(mode)
    assert all(value.isfinite().all() for value in found.values()) and len(used) == 2


# --- what stays SpikingJelly's


def test_the_rest_takes_spikingjellys_path(used: list[int]) -> None:
    x = currents(4, 2, 30)
    LIF()(x.double())
    traced = LIF()
    traced.store_v_seq = True
    assert torch.equal(traced(x), LIF()(x)) and traced.v_seq.shape == x.shape
    single = LIF()
    single.step_mode = "s"
    assert torch.equal(torch.stack([single(x_N) for x_N in x]), LIF()(x))
    assert len(used) == 2  # the two LIF()(x)


def test_another_batch_size_starts_from_rest() -> None:
    node, theirs = LIF(v_reset=0.1), stock(LIF(v_reset=0.1))
    for batch in (3, 5):
        x = currents(2, batch, 8)
        assert torch.equal(node(x), theirs(x)) and torch.equal(node.v, theirs.v)


def test_second_derivatives_are_refused() -> None:
    x = currents(2, 1, 5).requires_grad_()
    (gx,) = torch.autograd.grad((LIF()(x) * x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gx.sum().backward()
