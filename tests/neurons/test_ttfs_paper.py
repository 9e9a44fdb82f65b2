"""The B1 model beyond one layer: shifts, clocks of b bits, padding of a convolution, and how much it spikes."""

import pytest
import torch
import torch.nn.functional as F

from snn5.neurons import TTFS
from snn5.neurons._ttfs import potential, quantize_time, spike_time


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shift", [-7.25, 0.5, 100.0])
def test_t4_a_shift_of_all_times_shifts_the_spikes_and_leaves_the_potential(shift: float) -> None:
    t, weight, delay = rand(9, 12), randn(8, 12), randn(8)
    assert (potential(t + shift, weight, delay, 1.0 + shift) - potential(t, weight, delay, 1.0)).abs().max() < 1e-11
    moved = spike_time(t + shift, weight, delay, 1.0 + shift, 6.0 + shift)
    assert (moved - shift - spike_time(t, weight, delay, 1.0, 6.0)).abs().max() < 1e-11


@pytest.mark.parametrize("bits", [2, 4, 6, 10])
def test_t6_spikes_on_a_clock_of_b_bits(bits: int) -> None:
    """Each spike is off by at most half a step of its window, given the (rounded) spikes it gets."""
    x, steps = rand(80, 15), 2**bits
    net = TTFS([15, 40, 30, 5], time_steps=steps).eval()
    net.calibrate(x)
    times, _ = net.times(x)
    t_max = 1.0
    assert ((1 - x) - times[0]).abs().max() <= 0.5 / steps + 1e-12
    for layer, width in enumerate(net.width_L.tolist()):
        t_min, t_max = t_max, t_max + width
        exact = spike_time(times[layer], net.weights[layer], net.delays[layer], t_min, t_max)
        error = (times[layer + 1] - exact).abs().max()
        assert 0 < error <= width / 2 / steps + 1e-12 <= width / steps
        assert torch.equal(quantize_time(times[layer + 1], t_min, t_max, steps), times[layer + 1])


def test_t6_more_bits_bring_the_logits_nearer() -> None:
    x = rand(80, 15)
    net = TTFS([15, 40, 30, 5]).eval()
    net.calibrate(x)
    exact, errors = net(x), []
    for bits in (4, 7, 10):
        net.time_steps = 2**bits
        errors.append((net(x) - exact).abs().max().item())
    assert errors[0] > 4 * errors[1] > 16 * errors[2] > 0


@pytest.mark.parametrize("pad", [1, 2])
def test_t7_padding_with_t_min_is_zero_padding(pad: int) -> None:
    """A convolution, as a layer on its patches: t_min stands for no spike, so it is what zero is to ReLU; anything else is not."""
    x, kernel, delay = rand(3, 2, 6, 6), randn(4, 2, 3, 3), 0.2 * randn(4, seed=1)
    expected = F.conv2d(x, kernel, delay, padding=pad).relu()
    t_min, t_max = 1.0, 1.0 + 1.5 * expected.max().item()

    def convolve(value: float) -> torch.Tensor:
        patches = F.unfold(F.pad(1.0 - x, [pad] * 4, value=value), 3).transpose(1, 2)  # [N, places, C 9]
        t = spike_time(patches.flatten(0, 1), kernel.flatten(1), delay, t_min, t_max)
        return t.view(3, -1, 4).transpose(1, 2).unflatten(2, expected.shape[2:])

    t = convolve(t_min)
    assert (t_max - t - expected).abs().max() < 1e-12
    assert torch.equal(t == t_max, expected == 0)
    by_activation = expected.flatten().argsort(descending=True)
    assert (t.flatten()[by_activation].diff() >= -1e-12).all()  # the stronger, the earlier
    assert (t_max - convolve(0.5) - expected).abs().max() > 0.1


@pytest.mark.parametrize("seed", [0, 1])
def test_t5_a_random_net_spikes_about_half_and_a_negative_delay_makes_it_sparse(seed: int) -> None:
    x = rand(300, 20, seed=seed)
    net = TTFS([20, 200, 200, 4], generator=torch.Generator().manual_seed(seed)).eval()
    net.calibrate(x)

    def share() -> list[float]:
        times, ends = net.times(x)[0][1:], (1 + net.width_L.cumsum(0)).tolist()
        return [(t < end).double().mean().item() for t, end in zip(times, ends, strict=True)]

    assert all(0.35 < s < 0.65 for s in share())
    for delay in net.delays[:-1]:
        delay.data.sub_(0.3)
    assert all(s < 0.35 for s in share())
