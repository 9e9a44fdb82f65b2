"""TTFS: closed form by hand, ReLU's equal, spike by spike on a clock, and its limits."""

import pytest
import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional

from snn5.coding import ttfs as encode
from snn5.errors import UserError
from snn5.neurons import TTFS
from snn5.neurons._ttfs import potential, quantize_time, simulate, spike_time


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def calibrated(sizes: list[int], x: torch.Tensor, time_steps: int | None = None, seed: int = 0) -> TTFS:
    net = TTFS(sizes, time_steps=time_steps, generator=torch.Generator().manual_seed(seed)).eval()
    net.calibrate(x)
    return net


def test_spike_time_by_hand() -> None:
    t, weight, delay = torch.tensor([[0.2, 0.6]]), torch.tensor([[1.0, -0.5], [-1.0, 0.5], [4.0, 4.0]]), torch.tensor([0.25, 0.25, 0.0])
    # leads 0.8 and 0.4; x = 0.25 + 0.8 - 0.2, 0.25 - 0.8 + 0.2 (silent), 4.8 (over threshold when the window opens)
    assert potential(t, weight, delay, 1.0).tolist() == [pytest.approx([0.85, -0.35, 4.8])]
    assert spike_time(t, weight, delay, 1.0, 3.0).tolist() == [pytest.approx([2.15, 3.0, 1.0])]


@pytest.mark.parametrize("hidden", [[], [30], [40, 30], [20, 20, 20, 20]])
@pytest.mark.parametrize("mode", ["train", "calibrated"])
def test_equals_relu_in_value_and_gradient(hidden: list[int], mode: str) -> None:
    sizes, x, y = [25, *hidden, 10], rand(60, 25), torch.arange(60) % 10
    net = TTFS(sizes, generator=torch.Generator().manual_seed(len(hidden)))
    relu = net.twin()
    if mode == "calibrated":
        net.calibrate(x)
        net.eval()
    x_one, x_two = x.clone().requires_grad_(), x.clone().requires_grad_()
    one, two = net(x_one), relu(x_two)
    assert (one - two).abs().max() < 1e-10
    F.cross_entropy(one, y).backward()
    F.cross_entropy(two, y).backward()
    pairs = [(x_one.grad, x_two.grad)]
    for layer, (weight, delay) in enumerate(zip(net.weights, net.delays, strict=True)):
        pairs += [(weight.grad, relu[2 * layer].weight.grad), (delay.grad, relu[2 * layer].bias.grad)]
    for mine, theirs in pairs:
        assert theirs.abs().max() > 0 and (mine - theirs).abs().max() < 1e-10


def test_brighter_is_never_later_and_no_drive_is_no_spike() -> None:
    v = torch.linspace(-2, 2, 401, dtype=torch.float64)
    t = spike_time(torch.zeros(401, 1, dtype=torch.float64), v[:, None] * 0, torch.zeros(401, dtype=torch.float64), 1.0, 2.5)
    assert (t == 2.5).all()
    t = torch.cat([spike_time(torch.zeros(1, 1).double(), w.view(1, 1), torch.zeros(1).double(), 1.0, 2.5) for w in v]).flatten()
    assert (t.diff() <= 0).all() and (t[v <= 0] == 2.5).all() and (t[v > 0] < 2.5).all() and (t[v >= 1.5] == 1.0).all()


@pytest.mark.parametrize("time_steps", [None, 16])
def test_a_shift_of_time_changes_nothing(time_steps: int | None) -> None:
    x = rand(40, 12)
    net = calibrated([12, 20, 15, 4], x, time_steps)
    at_zero, later = net.times(x), net.times(x, t_start=32.0)
    assert (at_zero[1] - later[1]).abs().max() < 1e-10
    for one, two in zip(at_zero[0], later[0], strict=True):
        assert (two - one - 32.0).abs().max() < 1e-10


def test_silent_inputs_change_nothing() -> None:
    t, weight, delay = rand(5, 8), randn(6, 8), randn(6)
    padded = torch.cat([t, torch.ones(5, 3, dtype=torch.float64)], 1)  # padding is t_min, no spike
    wider = torch.cat([weight, randn(6, 3, seed=1)], 1)
    assert torch.allclose(spike_time(padded, wider, delay, 1.0, 9.0), spike_time(t, weight, delay, 1.0, 9.0), atol=1e-14)


@pytest.mark.parametrize("time_steps", [2, 16, 100])
def test_at_most_one_spike_and_about_half_of_a_random_net(time_steps: int) -> None:
    x = rand(200, 30)
    net = calibrated([30, 100, 100, 10], x, time_steps)
    trains, _ = net.spikes(x)
    for s in trains:
        assert s.shape[:2] == (time_steps, 200) and set(s.unique().tolist()) <= {0.0, 1.0} and s.sum(0).max() == 1
    if time_steps == 100:
        assert all(0.35 < float(s.sum(0).mean()) < 0.65 for s in trains[1:])


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_quantised_times(bits: int) -> None:
    t = 3.0 + 2.0 * rand(1000)
    steps = 2**bits
    q = quantize_time(t, 3.0, 5.0, steps)
    assert (q - t).abs().max() <= 2.0 / steps / 2 + 1e-12  # half of the bound that the specification allows
    assert len(q.unique()) <= steps + 1 and q.min() >= 3.0 and q.max() <= 5.0
    assert torch.equal(quantize_time(q, 3.0, 5.0, steps), q)
    assert quantize_time(torch.tensor([4.9999]).double(), 3.0, 5.0, steps).item() == 5.0  # exactly t_max: no spike
    t.requires_grad_()
    quantize_time(t, 3.0, 5.0, steps).sum().backward()
    assert torch.equal(t.grad, torch.ones_like(t))


@pytest.mark.parametrize("time_steps", [1, 5, 16])
def test_the_clocked_simulation_is_the_quantised_closed_form(time_steps: int) -> None:
    x = rand(50, 20)
    net = calibrated([20, 30, 25, 5], x, time_steps)
    trains, logits = net.spikes(x)
    times, closed = net.times(x)
    assert torch.equal(trains[0], encode(x, time_steps))
    t_max = 0.0
    for s, t, width in zip(trains, times, [1.0, *net.width_L.tolist()], strict=True):
        t_max += width
        level = (s * torch.arange(time_steps, 0, -1).view(-1, 1, 1)).sum(0)  # steps before the window's end; 0 is silence
        assert (t_max - level * width / time_steps - t).abs().max() < 1e-12
    assert (logits - closed).abs().max() < 1e-12


def test_the_simulation_nears_the_closed_form_as_dt() -> None:
    x, weight, delay = rand(30, 10), randn(12, 10), 0.3 * randn(12, seed=1)
    width = 1.5 * float(F.linear(x, weight, delay).max())
    exact = spike_time(1.0 - x, weight, delay, 1.0, 1.0 + width)
    errors = []
    for steps in (10, 100, 1000):
        s, _ = simulate(encode(x, steps), weight, delay, 1.0, width)
        t = 1.0 + width * (1 - (s * torch.arange(steps, 0, -1).view(-1, 1, 1)).sum(0) / steps)
        errors.append(float((t - exact).abs().max()))
        assert errors[-1] <= width / (2 * steps) + float(weight.abs().sum(1).max()) / (2 * steps) + 1e-9  # half a step out, half a step in
    assert errors[0] > 5 * errors[1] > 25 * errors[2]


def test_a_plain_integration_of_the_equations_nears_the_closed_form() -> None:
    """dV/dt = sum W H(t - t_j), then dV/dt = 1, spike at theta: one neuron after another, dt = 1e-3, no grid shared with the inputs."""
    t_in, weight, delay, dt = rand(4, 6), randn(5, 6), 0.3 * randn(5, seed=1), 1e-3
    t_max = 1.0 + 1.5 * float(potential(t_in, weight, delay, 1.0).max())
    expected = spike_time(t_in, weight, delay, 1.0, t_max)
    for n in range(4):
        for i in range(5):
            v, t, theta = 0.0, 0.0, t_max - 1.0 - float(delay[i])
            while t < t_max:
                if t >= 1.0 and v >= theta:
                    break
                v += dt * (1.0 if t >= 1.0 else float((weight[i] * (t >= t_in[n])).sum()))
                t += dt
            tolerance = dt * (2 + float(weight[i].abs().sum()))
            assert abs(min(t, t_max) - float(expected[n, i])) < tolerance


def test_windows() -> None:
    x = rand(40, 8)
    net = TTFS([8, 16, 3])
    largest = float(net.twin()[0](x).detach().max())
    net.calibrate(x)
    assert float(net.width_L[0]) == pytest.approx(1.5 * largest)
    net.train()(x)
    assert float(net.width_L[0]) == pytest.approx(10 * largest)  # the paper's rule while training
    net.eval()
    net.calibrate(x, quantile=0.5, margin=1.0)
    narrow = net(x).detach()
    assert (narrow - net.twin()(x).detach()).abs().max() > 1e-3  # half of the spikes are early: they saturate
    assert net.times(x)[0][1].min().item() == 1.0


def test_state_and_seeds() -> None:
    before = torch.get_rng_state()
    net, other = TTFS([4, 8, 2]), TTFS([4, 8, 2], generator=torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(net.weights[0], other.weights[0])
    net.calibrate(rand(9, 4))
    other.load_state_dict(net.state_dict())
    functional.reset_net(other)  # nothing to reset, and it says so quietly
    assert torch.equal(net.eval()(rand(9, 4)), other.eval()(rand(9, 4)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TTFS([5]), r"sizes=\[5\]; need the number of inputs"),
        (lambda: TTFS([5, 0, 2]), r"sizes=\[5, 0, 2\]"),
        (lambda: TTFS([5, 2], time_steps=0), "time_steps=0; need at least 1, or None"),
        (lambda: TTFS([5, 2])(torch.zeros(3, 4)), r"intensities \[N,5\], got \[3, 4\]; flatten each sample"),
        (lambda: TTFS([5, 2])(torch.full((3, 5), 16.0)), r"in \[0, 1\], got 16 to 16; divide by the split's scale"),
        (lambda: TTFS([5, 2]).spikes(torch.zeros(3, 5)), "no clock to simulate on; set time_steps"),
        (lambda: TTFS([5, 2]).calibrate(torch.zeros(3, 5), quantile=0.0), "quantile=0.0, margin=1.5; need a quantile above 0"),
    ],
)
def test_mistakes(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=message):
        call()
