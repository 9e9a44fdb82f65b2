"""The liquid's neuron, step by step."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from snn5.bio import Constants, Liquid, State, step
from snn5.config import Liquid as Settings

BASE = Constants(
    weight_nn=torch.zeros(1, 1), decay_m_n=torch.tensor([0.5]), decay_s=0.5, decay_a=0.5, threshold=1.2, adaptation=0.0, refractory=0
)


def silence(n: int = 1, delay: int = 1) -> State:
    zero = torch.zeros(1, n)
    return State(zero, zero, zero, zero, torch.zeros(delay, 1, n))


def drive(c: Constants, inputs: list[float], delay: int = 1, to: int = 0) -> tuple[list[list[float]], list[State]]:
    n = len(c.decay_m_n)
    state, spikes, states = silence(n, delay), [], []
    for value in inputs:
        drive_Nn = torch.zeros(1, n)
        drive_Nn[0, to] = value
        out, state = step(drive_Nn, state, c)
        spikes.append(out[0].tolist())
        states.append(state)
    return spikes, states


def test_trajectory_by_hand() -> None:
    """I = 2, 1, 0.5, 0.25; V = 1, 1, 0.75, 0.5: below the threshold of 1.2."""
    spikes, states = drive(BASE, [2.0, 0.0, 0.0, 0.0])
    assert [s.current_Nn.item() for s in states] == [2.0, 1.0, 0.5, 0.25]
    assert [s.v_Nn.item() for s in states] == [1.0, 1.0, 0.75, 0.5]
    assert spikes == [[0.0]] * 4


def test_spike_reset_and_refractory_time_by_hand() -> None:
    """I = 4, 2, 1, 0.5. V = 2 fires and is reset; two steps at rest; then V = 0.5 x 0.5."""
    spikes, states = drive(BASE._replace(refractory=2), [4.0, 0.0, 0.0, 0.0])
    assert spikes == [[1.0], [0.0], [0.0], [0.0]]
    assert [s.v_Nn.item() for s in states] == [0.0, 0.0, 0.0, 0.25]
    assert [s.wait_Nn.item() for s in states] == [2.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("refractory", [0, 1, 3])
def test_shortest_interval(refractory: int) -> None:
    spikes, _ = drive(BASE._replace(refractory=refractory), [100.0] * 12)
    times = [t for t, s in enumerate(spikes) if s[0]]
    assert {b - a for a, b in pairwise(times)} == {refractory + 1}


def test_adaptation_by_hand() -> None:
    """d_s = 0, so I = 3 and V = 1.5 from rest. Fatigue before each step: 0, 1, 0.5, 1.25 against 1.2 + 0.5 a = 1.2, 1.7, 1.45, 1.825."""
    c = BASE._replace(decay_s=0.0, adaptation=0.5)
    spikes, states = drive(c, [3.0, 3.0, 3.0])
    assert spikes == [[1.0], [0.0], [1.0]]  # V = 1.5, then 1.5 < 1.7, then 0.75 + 1.5 = 2.25 >= 1.45
    assert [s.fatigue_Nn.item() for s in states] == [1.0, 0.5, 1.25]


@pytest.mark.parametrize("delay", [1, 2, 5])
def test_a_spike_arrives_after_the_delay(delay: int) -> None:
    """Neuron 0 fires in step 0; neuron 1 gets its synapse's weight in step `delay`, not a step earlier or later."""
    weight = torch.zeros(2, 2)
    weight[1, 0] = 0.75
    c = BASE._replace(weight_nn=weight, decay_m_n=torch.full((2,), 0.5), decay_s=0.0, refractory=9)
    spikes, states = drive(c, [100.0] + [0.0] * 6, delay=delay)
    assert spikes[0] == [1.0, 0.0]
    assert [s.current_Nn[0, 1].item() for s in states] == [0.75 if t == delay else 0.0 for t in range(7)]


def test_nothing_is_changed_in_place() -> None:
    state = State(*(torch.rand(2, 3) for _ in range(4)), torch.ones(2, 2, 3))
    before = [tensor.clone() for tensor in state]
    c = BASE._replace(weight_nn=torch.ones(3, 3), decay_m_n=torch.full((3,), 0.5))
    step(torch.ones(2, 3), state, c)
    assert all(torch.equal(a, b) for a, b in zip(state, before, strict=True))


@pytest.mark.parametrize("tau_ms", [10.0, 40.0])
@pytest.mark.parametrize("dt_ms", [0.5, 2.0])
def test_the_configured_time_constants_are_used(tau_ms: float, dt_ms: float) -> None:
    """V after k steps without input is exp(-k dt / tau), the exact solution at every dt."""
    settings = Settings(neurons=10, tau_m_ms=tau_ms, tau_m_spread=0.0, tau_s_ms=3.0, tau_a_ms=70.0, dt_ms=dt_ms, gain=0.0)
    c = Liquid(4, settings, input_rate=0.1, generator=torch.Generator().manual_seed(0)).constants()
    state = State(torch.full((1, 10), 0.9), torch.zeros(1, 10), torch.ones(1, 10), torch.zeros(1, 10), torch.zeros(1, 1, 10))
    for _ in range(20):
        _, state = step(torch.zeros(1, 10), state, c)
    torch.testing.assert_close(state.v_Nn, torch.full((1, 10), 0.9 * math.exp(-20 * dt_ms / tau_ms)))
    torch.testing.assert_close(state.fatigue_Nn, torch.full((1, 10), math.exp(-20 * dt_ms / 70.0)))
    assert c.decay_s == math.exp(-dt_ms / 3.0) and c.refractory == round(2.0 / dt_ms)


def second_implementation(x_TC: list[list[int]], liquid: Liquid) -> list[list[int]]:
    """The equations again, neuron by neuron in Python floats."""
    s, n = liquid.settings, len(liquid.sign)
    w_in, w = liquid.weight_in.double().tolist(), liquid.weight.double().tolist()
    d_m = [math.exp(-s.dt_ms / tau) for tau in liquid.tau_m_ms.tolist()]
    d_s, d_a = math.exp(-s.dt_ms / s.tau_s_ms), math.exp(-s.dt_ms / s.tau_a_ms)
    v, current, fatigue, last = [0.0] * n, [0.0] * n, [0.0] * n, [-(10**6)] * n
    out: list[list[int]] = []
    for t, x in enumerate(x_TC):
        arrived = out[t - liquid.delay] if t >= liquid.delay else [0] * n
        row = []
        for i in range(n):
            given = sum(a * b for a, b in zip(w_in[i], x, strict=True)) + sum(a * b for a, b in zip(w[i], arrived, strict=True))
            current[i] = d_s * current[i] + given
            v[i] = 0.0 if t - last[i] <= round(s.refractory_ms / s.dt_ms) else d_m[i] * v[i] + (1 - d_m[i]) * current[i]
            fires = v[i] >= s.threshold + s.adaptation * fatigue[i]
            fatigue[i] = d_a * fatigue[i] + fires
            if fires:
                v[i], last[i] = 0.0, t
            row.append(int(fires))
        out.append(row)
    return out


def test_parity_with_a_second_implementation() -> None:
    settings = Settings(neurons=30, gain=1.0, drive=3.0, delay_ms=3.0)
    generator = torch.Generator().manual_seed(1)
    liquid = Liquid(8, settings, input_rate=0.1, generator=generator)
    x_TNC: Tensor = (torch.rand(60, 1, 8, generator=generator) < 0.1).to(torch.uint8)
    spikes = liquid.simulate(x_TNC)[0][:, 0]
    assert int(spikes.sum()) > 50
    assert spikes.tolist() == second_implementation(x_TNC[:, 0].tolist(), liquid)
    other = Liquid(8, replace(settings, gain=0.0), input_rate=0.1, generator=torch.Generator().manual_seed(1))
    assert not torch.equal(other.simulate(x_TNC)[0][:, 0], spikes)  # the recurrence was part of it
