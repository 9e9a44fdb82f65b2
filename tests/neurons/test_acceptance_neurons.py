"""Every registered neuron against its published equations (G10), and over time and batch (G1, G2, G3, G7) to the last bit."""

import inspect

import pytest
import torch
from reference_neurons import SLOPES, WIDTHS, glif, integrate_and_fire, latch, reference, slope_of
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.neurons import NEURONS, SURROGATES, create_neuron, create_surrogate

T, N, C = 5, 6, 3
every_neuron = pytest.mark.parametrize("name", sorted(NEURONS))
every_surrogate = pytest.mark.parametrize("surrogate", sorted(SURROGATES))
every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
DETACHABLE = sorted(name for name in NEURONS if "detach_reset" in inspect.signature(NEURONS[name]).parameters)
EXACT = {torch.float32: {"rtol": 2e-4, "atol": 2e-5}, torch.float64: {"rtol": 1e-9, "atol": 1e-11}}


def make(name: str, dtype: torch.dtype = torch.float32, *, steps: int = T, **args: object) -> nn.Module:
    return create_neuron(name, channels=C, time_steps=steps, **args).to(dtype)


def currents(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return (3 * torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.4).to(dtype)


def fresh(node: nn.Module, x: Tensor) -> Tensor:
    functional.reset_net(node)
    return node(x)


# --- G10


def first_potential(name: str, node: nn.Module, steps: int) -> tuple[Tensor, Tensor]:
    """Gain and offset of the first step: potential - threshold = gain x + offset, each [C]."""
    one = torch.ones(C, dtype=torch.float64)
    if name in ("glif", "dynamic_glif"):
        n = {key: value.double() for key, value in node.effective().items()}
        return 1 - n["beta"] * (1 - n["g"][0]), -(1 - n["alpha"]) * n["leak"] - n["theta"]
    if name == "ttfs":
        return one, -one * (1 - 1 / steps)
    assert name in ("lif", "plif", "if", "adaptive_lif"), f"say how {name!r} charges in its first step"
    return (one if name == "if" else one / 2), -one


PROBES = torch.tensor([-1.3, -0.6, -0.27, 0.0, 0.19, 0.45, 1.1], dtype=torch.float64)


@every_dtype
@every_surrogate
@every_neuron
def test_g10_gradient_at_seven_points_is_the_declared_surrogate(name: str, surrogate: str, dtype: torch.dtype) -> None:
    node = make(name, dtype, surrogate=surrogate)
    gain_C, offset_C = first_potential(name, node, T)
    x_NC = (PROBES[:, None] - offset_C) / gain_C
    x = x_NC[None].to(dtype).requires_grad_()
    s = fresh(node, x)
    s.sum().backward()
    expected = SLOPES[surrogate](PROBES, WIDTHS[surrogate])[:, None] * gain_C
    assert x.grad is not None
    torch.testing.assert_close(x.grad[0].double(), expected, rtol=1e-4, atol=1e-5)
    s_NC = s[0].detach()
    assert set(s_NC.unique().tolist()) == {0.0, 1.0} and s.dtype == dtype
    assert not s_NC[PROBES < 0].any() and s_NC[PROBES > 0].all()


@pytest.mark.parametrize("name", ["lif", "plif", "if", "adaptive_lif"])
def test_a_potential_at_the_threshold_fires(name: str) -> None:
    """Theta(0) = 1, as in SpikingJelly."""
    x = torch.full((1, 1, C), 1.0 if name == "if" else 2.0)
    assert fresh(make(name), x).all() and not fresh(make(name), x * (1 - 1e-6)).any()


@every_surrogate
@pytest.mark.parametrize("alpha", [0.8, 3.0])
def test_widths(surrogate: str, alpha: float) -> None:
    x = (PROBES / alpha).requires_grad_()
    create_surrogate(surrogate, alpha)(x).sum().backward()
    torch.testing.assert_close(x.grad, SLOPES[surrogate](PROBES / alpha, alpha))
    grid = torch.linspace(-400, 400, 800_001, dtype=torch.float64)
    assert torch.trapezoid(SLOPES[surrogate](grid, alpha), grid).item() == pytest.approx(1, abs=2e-3)  # the step's height


@every_dtype
@every_surrogate
@every_neuron
def test_g10_spikes_and_gradients_of_a_sequence_are_the_equations(name: str, surrogate: str, dtype: torch.dtype) -> None:
    """Weights of the spikes are random, so that a gradient at the wrong step or neuron shows; parameters' gradients, too."""
    node = make(name, dtype, surrogate=surrogate)
    weight = currents(T, N, C, dtype=dtype, seed=1)
    found, wanted = [], []
    for kind, out in (("node", found), ("reference", wanted)):
        x = currents(T, N, C, dtype=dtype).requires_grad_()
        node.zero_grad(set_to_none=True)
        s = fresh(node, x) if kind == "node" else reference(name, node, x, surrogate=surrogate, steps=T)
        (s * weight).sum().backward()
        known = [p.grad for key, p in node.named_parameters() if key != "modulation"]
        out.extend([s.detach(), x.grad, *known])
    assert torch.equal(found[0], wanted[0]) and 0.05 < found[0].mean() < 0.95
    for a, b in zip(found[1:], wanted[1:], strict=True):
        assert b is not None and b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, **EXACT[dtype])


@every_dtype
@pytest.mark.parametrize("v_reset", [0.0, -0.3, None])
@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("name", ["lif", "plif"])
def test_every_kind_of_lif_is_its_equation(name: str, detach: bool, decay_input: bool, v_reset: float | None, dtype: torch.dtype) -> None:
    """tau = 3: H = V + (X - (V - V_r)) / 3, or H = V - (V - V_r) / 3 + X."""
    node = make(name, dtype, tau=3.0, decay_input=decay_input, detach_reset=detach, v_reset=v_reset)
    x, y = (currents(T, N, C, dtype=dtype).mul(1.5).requires_grad_() for _ in range(2))
    weight, rest = currents(T, N, C, dtype=dtype, seed=1), v_reset or 0.0

    share = node.w.detach().sigmoid() if name == "plif" else 1 / 3
    assert float(share) == pytest.approx(1 / 3)

    def charge(v: Tensor, x: Tensor) -> Tensor:
        return v + (x - (v - rest)) * share if decay_input else v - (v - rest) * share + x

    s, wanted = fresh(node, x), integrate_and_fire(y, charge, slope_of("atan"), v_reset=v_reset, detach=detach)
    (s * weight).sum().backward()
    (wanted * weight).sum().backward()
    assert torch.equal(s, wanted) and s.any()
    torch.testing.assert_close(x.grad, y.grad, **EXACT[dtype])


def input_gradient(name: str, steps: int, detach: bool, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    x = currents(steps, N, C, dtype=dtype).requires_grad_()
    s = fresh(make(name, dtype, detach_reset=detach), x)
    (s * currents(steps, N, C, dtype=dtype, seed=1)).sum().backward()
    assert x.grad is not None
    return s.detach(), x.grad


@every_dtype
@pytest.mark.parametrize("name", DETACHABLE)
def test_g10_detach_reset_changes_gradients_of_two_steps_and_more_only(name: str, dtype: torch.dtype) -> None:
    assert set(DETACHABLE) >= {"lif", "plif", "if"}
    for steps in (1, 2, 4):
        (s_on, on), (s_off, off) = (input_gradient(name, steps, detach, dtype) for detach in (True, False))
        assert torch.equal(s_on, s_off)  # never what is fired
        assert torch.equal(on[-1], off[-1])  # nor the last step's gradient: nothing comes after its reset
        assert all(not torch.allclose(on[t], off[t]) for t in range(steps - 1))


# --- over time and batch, to the last bit, float32: the path that training takes


@pytest.mark.parametrize("shape", [(), (7,), (3, 4)], ids=["NC", "NCL", "NCHW"])
@every_neuron
def test_reset_batch_causality_and_steps(name: str, shape: tuple[int, ...]) -> None:
    node, x = make(name), currents(T, N, C, *shape)
    x -= 0.9 if name == "ttfs" else 0.0  # so that not all neurons are spent at once
    with torch.no_grad():
        for p in node.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(2)))
        whole = fresh(node, x)
        assert whole.shape == x.shape and whole.any() and not whole.all()
        assert torch.equal(fresh(node, x), whole)  # G1
        order = torch.tensor([3, 0, 5, 1, 4, 2])
        assert torch.equal(fresh(node, x[:, order]), whole[:, order])  # G2
        assert torch.equal(fresh(node, x[:, [4]]), whole[:, [4]])
        for t in range(1, T):  # G3
            changed = x.clone()
            changed[t:] = 2.0 - changed[t:]
            assert torch.equal(fresh(node, changed)[:t], whole[:t])
            assert not torch.equal(fresh(node, changed)[t:], whole[t:])
        functional.reset_net(node)
        assert torch.equal(torch.cat([node(x[t : t + 1]) for t in range(T)]), whole)  # G7
        alone = torch.cat([fresh(node, x[:1]), *(fresh(node, x[t : t + 1]) for t in range(1, T))])
        assert not torch.equal(alone, whole)  # the state that was carried mattered


@every_neuron
def test_layout_of_the_current_does_not_matter(name: str) -> None:
    """A static image's current is expanded without copying; convolutions may answer channels-last."""
    frame = currents(1, N, C, 4, 4) / 2
    expanded = frame.expand(T, N, C, 4, 4)
    last = currents(T, N, 4, 4, C).movedim(-1, 2)
    for x in (expanded, last, currents(2 * T, N, C, 4, 4)[::2]):
        a, b = (current.detach().requires_grad_() for current in (x, x.contiguous()))
        node = make(name)
        weight = currents(*x.shape, seed=1)
        for current in (a, b):
            (fresh(node, current) * weight).sum().backward()
        assert torch.equal(fresh(node, a), fresh(node, b)) and fresh(node, a).any()
        torch.testing.assert_close(a.grad, b.grad)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@every_neuron
def test_spikes_have_the_dtype_of_the_current(name: str, dtype: torch.dtype) -> None:
    node = make(name, torch.float64 if dtype == torch.float64 else torch.float32)
    s = fresh(node, currents(T, N, C, dtype=dtype))
    assert s.dtype == dtype and set(s.unique().tolist()) == {0.0, 1.0}


# --- ledgers and starts


@every_neuron
@pytest.mark.parametrize("steps", [2, 4, 6])
def test_ledger(name: str, steps: int) -> None:
    """PLIF: one number per layer; GLIF: C (7 + T); STAA's neuron: M and N per channel; dynamic GLIF contains GLIF."""
    size = sum(p.numel() for p in make(name, steps=steps).parameters())
    glif_size = C * (7 + steps)
    if name == "dynamic_glif":
        assert size > glif_size
    else:
        assert size == {"plif": 1, "glif": glif_size, "adaptive_lif": 2 * C}.get(name, 0)


@pytest.mark.parametrize("steps", [2, 4, 10])
def test_glif_starts_as_published_whatever_t_is(steps: int) -> None:
    n = make("glif", steps=steps).effective()
    for key, value in {"tau": 0.25, "theta": 0.5, "theta_r": 0.5, "leak": 0.0625, "g": 0.5}.items():
        torch.testing.assert_close(n[key], torch.full_like(n[key], value))
    for gate in ("alpha", "beta", "gamma"):
        assert ((n[gate] > 0.475) & (n[gate] < 0.525)).all()


@pytest.mark.parametrize("tau", [1.1, 2.0, 16.0])
def test_plif_starts_at_its_tau(tau: float) -> None:
    assert 1 / make("plif", tau=tau).w.sigmoid().item() == pytest.approx(tau, rel=1e-6)


@pytest.mark.parametrize("tau", [1.0, 0.5, -2.0])
@pytest.mark.parametrize("name", ["lif", "plif", "adaptive_lif"])
def test_tau_is_above_one(name: str, tau: float) -> None:
    with pytest.raises(UserError, match=f"tau={tau}"):
        make(name, tau=tau)


@every_neuron
def test_g12_an_unknown_argument_fails_and_is_named(name: str) -> None:
    with pytest.raises(UserError, match=f"'drop_path'.*{name}"):
        make(name, drop_path=0.1)


def test_the_latch_spikes_once_at_most() -> None:
    s = fresh(make("ttfs", steps=8), currents(8, 50, C) - 1.2)
    assert set(s.sum(0).unique().tolist()) == {0.0, 1.0}


def test_references_differ_where_equations_do() -> None:
    """The comparisons above can fail: another leak, another reset, another surrogate and a missing latch are other numbers."""
    x, slope = currents(T, N, C), slope_of("atan")
    lif = integrate_and_fire(x, lambda v, i: v + (i - v) / 2, slope)
    for other in (
        integrate_and_fire(x, lambda v, i: v + (i - v) / 2.5, slope),
        integrate_and_fire(x, lambda v, i: v / 2 + i, slope),
        integrate_and_fire(x, lambda v, i: v + (i - v) / 2, slope, v_reset=None),
        glif(make("glif"), x, slope),
        latch(make("ttfs"), x, slope, ramp=1.0, steps=T),
    ):
        assert not torch.equal(other.detach(), lif)
    assert not torch.allclose(SLOPES["atan"](PROBES, 2.0), SLOPES["sigmoid"](PROBES, 4.0), atol=1e-2)
