"""LIF and PLIF against hand-worked numbers, a loop in numpy, and SpikingJelly's own neurons."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.neurons import LIF, NEURONS, PLIF, create_neuron

BOTH = pytest.mark.parametrize("make", [LIF, PLIF])


def currents(*shape: int, seed: int = 0, scale: float = 3.0) -> Tensor:
    """Double precision currents that make about every third neuron fire."""
    return scale * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loop(x_TN: np.ndarray, decay: float, v_threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """The equations of the module's docstring, one neuron at a time: spikes and potentials after reset."""
    steps, count = x_TN.shape
    s_TN, v_TN = np.zeros_like(x_TN), np.zeros_like(x_TN)
    for n in range(count):
        v = 0.0
        for t in range(steps):
            h = v + decay * (x_TN[t, n] - v)
            s = 1.0 if h >= v_threshold else 0.0
            v = h * (1.0 - s)
            s_TN[t, n], v_TN[t, n] = s, v
    return s_TN, v_TN


def gradient(node: nn.Module, x_TN: Tensor, weight_TN: Tensor) -> Tensor:
    x_TN = x_TN.clone().requires_grad_()
    functional.reset_net(node)
    (found,) = torch.autograd.grad((node(x_TN) * weight_TN).sum(), x_TN)
    return found


def atan_slope(h: float, alpha: float = 2.0) -> float:
    """dS/dH at the threshold 1, as written in the spec."""
    return alpha / 2 / (1 + (math.pi / 2 * alpha * (h - 1)) ** 2)


# --- numbers worked out by hand


@BOTH
def test_five_steps_by_hand(make: Callable[..., nn.Module]) -> None:
    """tau = 2: H is the mean of V and X. X = 1, 1.5, 0, 2, 2 -> H = .5, 1 (fires: the threshold is included), 0, 1 (fires), 1 (fires)."""
    node = make(tau=2.0)
    x_TN = torch.tensor([[1.0], [1.5], [0.0], [2.0], [2.0]])
    assert node(x_TN).flatten().tolist() == [0, 1, 0, 1, 1]
    assert node.v.item() == 0.0
    functional.reset_net(node)
    assert node(x_TN[:1]).item() == 0 and node.v.item() == 0.5


@BOTH
def test_threshold_is_included(make: Callable[..., nn.Module]) -> None:
    below = np.nextafter(2.0, 0.0)
    assert make()(torch.tensor([[2.0], [below]], dtype=torch.float64).T[None]).flatten().tolist() == [1, 0]


@BOTH
def test_leak_by_hand_at_tau_4(make: Callable[..., nn.Module]) -> None:
    """V <- V + (X - V)/4 from 0 with X = .8: .2, .35, .4625; then X = 0: .346875."""
    node, found = make(tau=4.0), []
    for x in (0.8, 0.8, 0.8, 0.0):
        node(torch.tensor([[x]], dtype=torch.float64))
        found.append(node.v.item())
    assert found == pytest.approx([0.2, 0.35, 0.4625, 0.346875], abs=1e-7)


@BOTH
def test_current_below_threshold_never_fires(make: Callable[..., nn.Module]) -> None:
    """A constant X is where V settles, so V_th = 1 needs X > 1."""
    x_TN = torch.tensor([0.999, 1.05], dtype=torch.float64).expand(200, 2)
    rate_N = make()(x_TN).mean(0)
    assert rate_N[0] == 0 and rate_N[1] > 0.1


# --- parity


@pytest.mark.parametrize(("tau", "v_threshold"), [(1.1, 1.0), (2.0, 1.0), (3.7, 0.6), (16.0, 0.25)])
def test_lif_is_the_loop(tau: float, v_threshold: float) -> None:
    x_TN, node = currents(20, 50), LIF(tau=tau, v_threshold=v_threshold)
    expected_s, expected_v = loop(x_TN.numpy(), 1 / tau, v_threshold)
    found = node(x_TN).numpy()
    assert (found == expected_s).all() and 0.05 < found.mean() < 0.95
    np.testing.assert_allclose(node.v.numpy(), expected_v[-1], atol=1e-12)


@pytest.mark.parametrize("tau", [1.3, 2.0, 16.0])
def test_plif_is_the_loop(tau: float) -> None:
    x_TN, node = currents(20, 50), PLIF(tau=tau, v_threshold=0.4).double()
    expected_s, expected_v = loop(x_TN.numpy(), torch.sigmoid(node.w).item(), 0.4)
    found = node(x_TN).detach().numpy()
    assert (found == expected_s).all() and 0.05 < found.mean() < 0.95
    np.testing.assert_allclose(node.v.detach().numpy(), expected_v[-1], atol=1e-12)


def test_stock_lif_with_our_settings_is_the_same_and_with_its_own_is_not() -> None:
    settings = {"v_threshold": 0.8, "v_reset": 0.0, "detach_reset": True, "step_mode": "m"}
    ours, stock = (
        LIF(tau=3.0, v_threshold=0.8, alpha=4.0),
        neuron.LIFNode(tau=3.0, surrogate_function=surrogate.ATan(alpha=4.0), **settings),
    )
    defaults = neuron.LIFNode(tau=3.0, v_threshold=0.8, step_mode="m")
    x_TN, weight_TN = currents(8, 30), currents(8, 30, seed=1)
    assert torch.equal(ours(x_TN), stock(x_TN)) and torch.equal(ours.v, stock.v)
    found = gradient(ours, x_TN, weight_TN)
    assert torch.equal(found, gradient(stock, x_TN, weight_TN))
    assert not torch.allclose(found, gradient(defaults, x_TN, weight_TN))


def test_stock_plif_with_our_settings_is_the_same() -> None:
    ours = PLIF(tau=3.0, alpha=4.0)
    stock = neuron.ParametricLIFNode(
        init_tau=3.0, v_reset=0.0, detach_reset=True, step_mode="m", surrogate_function=surrogate.ATan(alpha=4.0)
    )
    x_TN, weight_TN = currents(8, 30).float(), currents(8, 30, seed=1).float()
    assert torch.equal(ours(x_TN), stock(x_TN))
    assert torch.equal(gradient(ours, x_TN, weight_TN), gradient(stock, x_TN, weight_TN))
    grads = []
    for node in (ours, stock):
        functional.reset_net(node)
        grads.append(torch.autograd.grad((node(x_TN) * weight_TN).sum(), node.w)[0])
    assert grads[0].item() == pytest.approx(grads[1].item(), rel=1e-6) and grads[0] != 0  # the same numbers, summed in another order


# --- spec 5: PLIF


@pytest.mark.parametrize("tau", [1.05, 2.0, 5.5, 16.0, 100.0])
def test_t1_initial_tau(tau: float) -> None:
    w = PLIF(tau=tau).w
    assert 1 / torch.sigmoid(w.double()).item() == pytest.approx(tau, rel=1e-6)
    assert w.item() == pytest.approx(-math.log(tau - 1), abs=1e-6)


def test_t1_plif_at_2_is_lif_at_2_bit_for_bit() -> None:
    x_TN = currents(30, 200).float()
    lif, plif = LIF(tau=2.0), PLIF(tau=2.0)
    assert torch.equal(lif(x_TN), plif(x_TN)) and torch.equal(lif.v, plif.v)


def test_t2_gradient_of_w_after_one_step() -> None:
    """dS/dw = g'(H - 1) sigma(w) (1 - sigma(w)) (X - V) with V = 0."""
    node, x = PLIF(tau=3.0).double(), 2.5
    node(torch.tensor([[x]], dtype=torch.float64)).sum().backward()
    share = 1 / 3
    assert node.w.grad.item() == pytest.approx(atan_slope(share * x) * share * (1 - share) * x, rel=1e-6)


def test_t2_gradient_of_w_after_two_steps() -> None:
    """With a = sigma(w), a' = a (1 - a), H1 = a X1 silent and V1 = H1: dH2/dw = a' (X2 - V1) + (1 - a) a' X1."""
    node, (x1, x2) = PLIF(tau=4.0).double(), (1.2, 2.0)
    out = node(torch.tensor([[x1], [x2]], dtype=torch.float64))
    assert out[0].item() == 0
    out[1].sum().backward()
    a = 0.25
    h1 = a * x1
    h2 = h1 + a * (x2 - h1)
    slope = a * (1 - a)
    assert node.w.grad.item() == pytest.approx(atan_slope(h2) * (slope * (x2 - h1) + (1 - a) * slope * x1), rel=1e-6)


def test_t3_gradient_of_w_is_the_sum_over_chunks() -> None:
    """The bug of SpikingJelly issue 151: w's gradient was reduced within a thread block only."""
    x_TN = currents(6, 4096)
    whole, parts = PLIF(tau=2.0).double(), PLIF(tau=2.0).double()
    whole(x_TN).sum().backward()
    for chunk_TN in x_TN.split(300, dim=1):
        functional.reset_net(parts)
        parts(chunk_TN).sum().backward()
    assert whole.w.grad.item() == pytest.approx(parts.w.grad.item(), rel=1e-9) and whole.w.grad != 0


def test_t4_one_scalar_per_layer() -> None:
    assert [tuple(p.shape) for p in PLIF().parameters()] == [()]
    assert list(LIF().parameters()) == []


@pytest.mark.parametrize("w", [-12.0, -1.0, 0.0, 1.0, 12.0])
def test_t5_tau_stays_above_1_whatever_is_learned(w: float) -> None:
    node = PLIF().double()
    nn.init.constant_(node.w, w)
    node(torch.full((1, 1), 0.5, dtype=torch.float64))
    assert 0 < node.v.item() < 0.5  # from 0 it went a share 1/tau, strictly between 0 and 1, of the way


# --- spec 10: G1, G3, G7, G10


@pytest.mark.parametrize("alpha", [1.0, 2.0, 5.0])
@BOTH
def test_g10_backward_is_the_declared_surrogate(make: Callable[..., nn.Module], alpha: float) -> None:
    """At T = 1 and tau = 2, H = X/2 and dS/dX = g'(H - 1)/2, whatever fires."""
    h = torch.tensor([-1.0, 0.0, 0.5, 1.0, 1.2, 2.0, 4.0], dtype=torch.float64)
    found = gradient(make(alpha=alpha).double(), 2 * h[None], torch.ones(1, 7, dtype=torch.float64))[0]
    assert (2 * found).tolist() == pytest.approx([atan_slope(v, alpha) for v in h.tolist()], rel=1e-12)


def test_g10_peak_is_1_at_the_default_width() -> None:
    assert atan_slope(1.0) == 1.0
    assert gradient(LIF(), torch.tensor([[2.0]]), torch.ones(1, 1)).item() == 0.5


def test_g10_the_reset_is_detached_and_only_that() -> None:
    """Two steps; the first fires. Detached: dS2/dX1 = g'(H2 - 1) dH2/dV1 (1 - S1) dH1/dX1 = 0. Silent: 1/4 of g'(H2 - 1)."""
    fired = gradient(LIF(), torch.tensor([[2.4], [1.0]]), torch.tensor([[0.0], [1.0]]))
    assert fired[0].item() == 0.0 and fired[1].item() == pytest.approx(atan_slope(0.5) / 2, rel=1e-6)
    silent = gradient(LIF(), torch.tensor([[1.0], [1.0]]), torch.tensor([[0.0], [1.0]]))
    assert silent[0].item() == pytest.approx(atan_slope(0.75) / 4, rel=1e-6)


def test_g10_detaching_matters_from_two_steps_on() -> None:
    attached = neuron.LIFNode(tau=2.0, v_reset=0.0, detach_reset=False, step_mode="m", surrogate_function=surrogate.ATan(alpha=2.0))
    for steps, same in ((1, True), (2, False)):
        x_TN, ones_TN = currents(steps, 50), torch.ones(steps, 50, dtype=torch.float64)
        assert torch.equal(gradient(LIF(), x_TN, ones_TN), gradient(attached, x_TN, ones_TN)) is same


@pytest.mark.parametrize("name", sorted(NEURONS))
def test_every_registered_neuron_spikes_resets_and_steps(name: str) -> None:
    node, x_TNF = create_neuron(name, channels=40, time_steps=12), currents(6, 3, 40).float()
    first = node(x_TNF).detach()
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(first, node(x_TNF))  # G1: state is carried ...
    functional.reset_net(node)
    assert torch.equal(first, node(x_TNF))  # ... until it is reset
    functional.reset_net(node)
    stepwise = torch.cat([node(x_TNF[t : t + 1]) for t in range(6)])
    assert torch.equal(first, stepwise)  # G7
    functional.reset_net(node)
    later = x_TNF.clone()
    later[4:] = 9.0
    assert torch.equal(first[:4], node(later)[:4])  # G3


@pytest.mark.parametrize("name", sorted(NEURONS))
def test_gradient_stays_finite_far_from_the_threshold(name: str) -> None:
    x_TNF = torch.linspace(-100, 100, 401).expand(3, 1, 401)
    assert gradient(create_neuron(name, channels=401, time_steps=3), x_TNF, torch.ones(3, 1, 401)).isfinite().all()


# --- errors


@BOTH
@pytest.mark.parametrize("tau", [1.0, 0.5, -2.0])
def test_tau_must_be_above_one(make: Callable[..., nn.Module], tau: float) -> None:
    with pytest.raises((ValueError, UserError), match=rf"tau={tau}; need tau > 1"):
        make(tau=tau)


@BOTH
@pytest.mark.parametrize("v_threshold", [0.0, -1.0])
def test_threshold_must_be_positive(make: Callable[..., nn.Module], v_threshold: float) -> None:
    with pytest.raises((ValueError, UserError), match=f"v_threshold={v_threshold}; need a positive number"):
        make(v_threshold=v_threshold)


@BOTH
def test_a_bad_tau_from_params_is_the_users_mistake(make: Callable[..., nn.Module]) -> None:
    with pytest.raises(UserError, match=r"tau=0\.5"):
        make(tau=0.5)


@pytest.mark.parametrize("args", [{"alpha": 0.0}, {"alpha": -2.0}, {"tau": math.nan}, {"v_threshold": math.nan}])
def test_alpha_must_be_positive_and_nothing_nan(args: dict[str, float]) -> None:
    with pytest.raises((ValueError, UserError), match=next(iter(args))):
        LIF(**args)


def test_unknown_argument_names_the_closest() -> None:
    with pytest.raises(UserError, match=r"unknown .*'taus'.*did you mean tau"):
        create_neuron("plif", taus=2.0)


def test_unknown_neuron_names_the_closest() -> None:
    with pytest.raises(UserError, match=r"unknown neuron 'plfi'; did you mean plif"):
        create_neuron("plfi")


def test_relu_stands_in_the_twins() -> None:
    assert isinstance(create_neuron("relu"), nn.ReLU)
    assert create_neuron("relu")(torch.tensor([-1.0, 2.0])).tolist() == [0, 2]
