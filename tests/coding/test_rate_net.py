"""The rate-coded baseline against a second implementation in plain loops."""

import numpy as np
import torch
from spikingjelly.activation_based import neuron, surrogate
from torch import nn

from snn5.coding import RateNet
from snn5.neurons import TTFS


def plain(net: RateNet, x: np.ndarray, steps: int) -> tuple[list[int], np.ndarray]:
    """One sample, step by step, neuron by neuron."""
    layers = [(p.weight.detach().numpy().astype(np.float64), p.bias.detach().numpy().astype(np.float64)) for p in (*net.hidden, net.last)]
    v, spikes, logits = [np.zeros(len(b)) for _, b in layers[:-1]], [0] * len(layers), np.zeros(len(layers[-1][1]))
    for t in range(steps):
        s = np.floor((t + 1) * x + 0.5) - np.floor(t * x + 0.5)
        for number, (weight, bias) in enumerate(layers):
            spikes[number] += int(s.sum())
            current = weight @ s + bias
            if number == len(v):
                logits += current / steps
                break
            v[number] += current
            s = (v[number] >= 1.0).astype(np.float64)
            v[number] *= 1 - s
    return spikes, logits


def test_equals_plain_loops() -> None:
    generator = torch.Generator().manual_seed(4)
    relu = TTFS([6, 12, 9, 3], generator=generator).twin()
    with torch.no_grad():
        for part in relu:
            if isinstance(part, nn.Linear):
                part.weight.mul_(2)  # so that it spikes
    net = RateNet(relu, time_steps=11).eval()
    x = torch.rand(7, 6, dtype=torch.float64, generator=generator)
    with torch.no_grad():
        trains, logits = net.spikes(x)
    for n in range(7):
        spikes, expected = plain(net, x[n].numpy(), 11)
        assert [int(s[:, n].sum()) for s in trains] == spikes
        assert np.allclose(logits[n].numpy(), expected, atol=1e-5)
    assert min(int(s.sum()) for s in trains) > 20  # the comparison is about spikes, not silence


def test_equals_spikingjelly_bit_for_bit() -> None:
    """Its IFNode in the same network: logits and the gradient of every weight."""
    relu, x = TTFS([6, 12, 9, 3]).twin(), torch.rand(5, 6, generator=torch.Generator().manual_seed(0))
    for part in relu[::2]:
        part.weight.data.mul_(2)  # so that it spikes
    found = []
    for net in (RateNet(relu, time_steps=8), RateNet(relu, time_steps=8, spiking=stock)):
        logits = net(x)
        found.append([logits, *torch.autograd.grad(logits.square().sum(), list(net.parameters()))])
    assert all(map(torch.equal, *found)) and all(t.abs().sum() > 0 for t in found[0])


def stock() -> nn.Module:
    return neuron.IFNode(v_threshold=1.0, v_reset=0.0, surrogate_function=surrogate.ATan(alpha=2.0), detach_reset=True, step_mode="m")


def test_state_does_not_leak_and_every_weight_learns() -> None:
    net = RateNet(TTFS([6, 12, 9, 3]).twin(), time_steps=8)
    x = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(net(x), net(x))
    nn.functional.cross_entropy(net(x), torch.tensor([0, 1, 2, 0, 1])).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.abs().sum() > 0, name


def test_weights_are_copied_in_float32() -> None:
    relu = TTFS([6, 12, 3]).twin()
    net = RateNet(relu, time_steps=8)
    assert torch.equal(net.last.weight, relu[2].weight.float())
    net.last.weight.data.zero_()
    assert relu[2].weight.abs().sum() > 0 and relu[2].weight.dtype == torch.float64
