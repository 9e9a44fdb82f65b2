"""What the liquid's event mode costs: counted in operations, equal to a count by hand, proportional to spikes, blind to silent neurons."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from snn5.bio import Liquid, fan_out
from snn5.config import Liquid as Settings

SETTINGS = Settings(neurons=60, gain=0.6, delay_ms=2.0)
T, N, C = 60, 4, 8


def liquid(settings: Settings = SETTINGS, seed: int = 0) -> Liquid:
    return Liquid(C, settings, input_rate=0.1, generator=torch.Generator().manual_seed(seed))


def inputs(rate: float = 0.1, samples: int = N) -> Tensor:
    return (torch.rand(T, samples, C, generator=torch.Generator().manual_seed(1)) < rate).to(torch.uint8)


def beside(pool: Liquid, more: int) -> Liquid:
    """The same liquid in a larger pool: `more` neurons that nothing reaches."""
    n = len(pool.sign)
    large = liquid(replace(SETTINGS, neurons=n + more))
    for name in ("sign", "threshold", "tau_m_ms"):
        getattr(large, name)[:n] = getattr(pool, name)
    for name in ("mask", "magnitude", "weight_in"):
        getattr(large, name).zero_()
    large.mask[:n, :n], large.magnitude[:n, :n], large.weight_in[:n] = pool.mask, pool.magnitude, pool.weight_in
    return large


def test_each_spike_is_served_once_over_each_synapse() -> None:
    pool, x_TNC = liquid(), inputs()
    spikes_TNn = pool.simulate(x_TNC)[0]
    work = pool.work(x_TNC)
    assert work.from_inputs == int((x_TNC.long().sum((0, 1)) * fan_out(pool.weight_in)).sum())
    arrived = spikes_TNn[: T - 2].long().sum((0, 1))  # those of the last two steps are still on their way
    assert work.from_neurons == int((arrived * fan_out(pool.weight)).sum()) > 1000
    x_TNC[3, 0, :] = 5  # weighted, not repeated
    assert pool.work(x_TNC).from_inputs < int((x_TNC.long().sum((0, 1)) * fan_out(pool.weight_in)).sum())


def test_a_neuron_costs_from_its_first_spike_on() -> None:
    """One input spike in step 10: its targets are updated from then on, those they make fire from the arrival of that spike."""
    pool = liquid(replace(SETTINGS, gain=0.0))
    x_TNC = torch.zeros(T, 1, C, dtype=torch.uint8)
    x_TNC[10, 0, 2] = 1
    assert pool.work(x_TNC) == (int(fan_out(pool.weight_in)[2]), 0, int(fan_out(pool.weight_in)[2]) * (T - 10))
    state = pool.simulate(x_TNC)[1]
    assert pool.work(torch.zeros_like(x_TNC), state).updates == int(fan_out(pool.weight_in)[2]) * T  # awake from before


def test_silence_costs_nothing() -> None:
    assert liquid().work(torch.zeros(T, N, C, dtype=torch.uint8)) == (0, 0, 0)


@pytest.mark.parametrize("more", [1, 60, 400])
def test_neurons_that_nothing_reaches_cost_nothing(more: int) -> None:
    pool, x_TNC = liquid(), inputs()
    large = beside(pool, more)
    spikes_TNn = large.simulate(x_TNC)[0]
    assert torch.equal(spikes_TNn[:, :, :60], pool.simulate(x_TNC)[0]) and not spikes_TNn[:, :, 60:].any()
    assert large.work(x_TNC) == pool.work(x_TNC)


def test_additions_are_proportional_to_spikes() -> None:
    """More spikes, as many more additions (their mean fan-out, within a factor of 2); a dense step always costs n (n + C)."""
    pool, costs = liquid(), []
    for rate in (0.06, 0.15, 0.4):
        x_TNC = inputs(rate)
        senders = int(x_TNC.sum(dtype=torch.int64)) + int(pool.simulate(x_TNC)[0][: T - 2].sum(dtype=torch.int64))
        work = pool.work(x_TNC)
        costs.append((work.from_inputs + work.from_neurons, senders))
        assert work.from_inputs + work.from_neurons < 0.3 * T * N * 60 * (60 + C)
    per_spike = [additions / senders for additions, senders in costs]
    assert costs[-1][1] > 5 * costs[0][1]
    assert max(per_spike) < 2 * min(per_spike)


def test_work_of_samples_adds_up() -> None:
    pool, x_TNC = liquid(), inputs()
    alone = [pool.work(x_TNC[:, [k]]) for k in range(N)]
    assert pool.work(x_TNC) == tuple(sum(one[place] for one in alone) for place in range(3))
