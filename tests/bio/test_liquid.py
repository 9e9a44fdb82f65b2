"""The liquid as a module: wiring, state, batches, reproducibility."""

from dataclasses import replace

import pytest
import torch
from spikingjelly.activation_based import functional
from torch import Tensor

from snn5.bio import Liquid, digest
from snn5.config import Liquid as Settings
from snn5.config import parse
from snn5.errors import UserError

SETTINGS = Settings(neurons=80, gain=0.6)
INPUTS, STEPS = 20, 50


def liquid(settings: Settings = SETTINGS, seed: int = 0) -> Liquid:
    return Liquid(INPUTS, settings, input_rate=0.05, generator=torch.Generator().manual_seed(seed))


def spikes(samples: int = 32, seed: int = 1) -> Tensor:
    return (torch.rand(STEPS, samples, INPUTS, generator=torch.Generator().manual_seed(seed)) < 0.05).to(torch.uint8)


def test_dale_and_no_self_connection() -> None:
    pool = liquid()
    weight = pool.weight
    for j in range(80):
        assert set(weight[:, j].sign().unique().tolist()) <= {0.0, pool.sign[j].item()}
    assert not weight.diagonal().any() and (pool.magnitude >= 0).all() and (pool.weight_in >= 0).all()
    assert int((weight < 0).sum()) > 50 and int((weight > 0).sum()) > 200
    pool.magnitude += 1.0  # whatever a later rule does to magnitudes, signs and mask hold
    assert torch.equal(pool.weight.sign() * pool.mask, pool.weight.sign())
    assert torch.equal(pool.weight[pool.mask].sign(), pool.sign.expand(80, 80)[pool.mask])


def test_scale_of_the_weights() -> None:
    """Gain scales all recurrent weights and nothing else; an inhibitory one is `inhibition` times as strong."""
    weak, strong = liquid(), liquid(replace(SETTINGS, gain=1.2))
    torch.testing.assert_close(strong.weight, 2 * weak.weight, atol=2**-9, rtol=0)
    assert torch.equal(strong.weight_in, weak.weight_in) and torch.equal(strong.tau_m_ms, weak.tau_m_ms)
    assert not liquid(replace(SETTINGS, gain=0.0)).weight.any()
    by_kind = [weak.magnitude[weak.mask & (weak.sign == kind)].median() for kind in (1.0, -1.0)]
    assert (by_kind[1] / by_kind[0]).item() == pytest.approx(SETTINGS.inhibition, rel=0.2)


def test_input_synapses() -> None:
    settings = replace(SETTINGS, neurons=1000, input_synapses=6.0)
    found = (liquid(settings).weight_in != 0).sum(1).float()
    assert found.mean().item() == pytest.approx(6.0, abs=0.3) and found.var().item() == pytest.approx(20 * 0.3 * 0.7, rel=0.2)
    assert (liquid(replace(settings, input_synapses=1e6)).weight_in > 0).all()


def test_drive_is_the_mean_potential() -> None:
    """Without threshold and recurrence the input alone holds the mean neuron at `drive`, at any step length."""
    for dt_ms in (0.5, 2.0):
        settings = Settings(neurons=300, gain=0.0, threshold=1000.0, drive=2.0, dt_ms=dt_ms)
        pool = Liquid(INPUTS, settings, input_rate=0.05, generator=torch.Generator().manual_seed(3))
        x_TNC = torch.rand(round(400 / dt_ms), 40, INPUTS, generator=torch.Generator().manual_seed(4)) < 0.05 * dt_ms
        assert pool.simulate(x_TNC)[1].v_Nn.mean().item() == pytest.approx(2.0, rel=0.1)


def test_spike_by_spike_equals_step_by_step() -> None:
    """The kernel and the dense step give the same bits, spikes and states, on counts above one and with a delay of several steps."""
    pool, x_TNC = liquid(replace(SETTINGS, delay_ms=3.0, gain=1.5)), spikes()
    x_TNC[3] *= 4
    whole = pool(x_TNC)
    after = [pool.__getattr__(name).clone() for name in pool._memories]
    functional.reset_net(pool)
    functional.set_step_mode(pool, "s")
    single = torch.stack([pool(x_NC) for x_NC in x_TNC])
    assert whole.sum() > 500 and torch.equal(whole, single)
    assert all(torch.equal(a, pool.__getattr__(name)) for a, name in zip(after, pool._memories, strict=True))
    assert not single.requires_grad and not list(pool.parameters())


@pytest.mark.parametrize("cut", [1, 2, 25])
def test_resumed_equals_straight(cut: int) -> None:
    pool, x_TNC = liquid(replace(SETTINGS, delay_ms=3.0)), spikes()
    straight = pool(x_TNC)
    functional.reset_net(pool)
    assert torch.equal(torch.cat([pool(x_TNC[:cut]), pool(x_TNC[cut:])]), straight)
    assert not torch.equal(pool(x_TNC), straight)  # it goes on
    functional.reset_net(pool)
    assert torch.equal(pool(x_TNC), straight)


@pytest.mark.parametrize("threads", [1, 2])
def test_batches_and_order_do_not_matter(threads: int) -> None:
    pool, x_TNC = liquid(), spikes()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = pool.simulate(x_TNC)[0]
        alone = torch.cat([pool.simulate(x_TNC[:, [k]])[0] for k in range(32)], dim=1)
        functional.set_step_mode(pool, "s")
        functional.reset_net(pool)
        dense = torch.stack([pool(x_NC[:1]) for x_NC in x_TNC])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(together, alone) and torch.equal(dense[:, 0].to(torch.uint8), together[:, 0])
    order = torch.randperm(32, generator=torch.Generator().manual_seed(9))
    assert torch.equal(pool.simulate(x_TNC[:, order])[0], together[:, order])


def test_seeds() -> None:
    same, again, other = liquid(seed=5), liquid(seed=5), liquid(seed=6)
    assert digest(*same.buffers()) == digest(*again.buffers()) != digest(*other.buffers())
    x_TNC = spikes()
    assert digest(same.simulate(x_TNC)[0]) == digest(again.simulate(x_TNC)[0]) != digest(other.simulate(x_TNC)[0])
    torch.manual_seed(0)
    state = torch.get_rng_state()
    liquid()
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is left alone


def test_weights_travel_in_a_state_dict() -> None:
    source, target = liquid(seed=1), liquid(seed=2)
    target.load_state_dict(source.state_dict())
    assert torch.equal(target.simulate(spikes())[0], source.simulate(spikes())[0])


@pytest.mark.parametrize(
    ("x_TNC", "message"),
    [
        (torch.zeros(3, 2, 7), r"20 inputs needs spike counts \[T, N, 20\]; got \[3, 2, 7\]"),
        (torch.full((3, 2, 20), 0.5), "whole numbers of 0 to 255"),
        (torch.full((3, 2, 20), 300), "whole numbers of 0 to 255"),
        (torch.full((3, 2, 20), -1), "whole numbers of 0 to 255"),
    ],
)
def test_wrong_inputs(x_TNC: Tensor, message: str) -> None:
    with pytest.raises(UserError, match=message):
        liquid()(x_TNC)


def test_sums_stay_exact() -> None:
    with pytest.raises(UserError, match="up to 255 spikes of an input in one step"):
        liquid(replace(SETTINGS, drive=900.0))(torch.full((1, 1, 20), 255.0))


def test_silent_input() -> None:
    with pytest.raises(UserError, match=r"input_rate=0\.0 .* the input is silent"):
        Liquid(4, SETTINGS, input_rate=0.0, generator=torch.Generator())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("delay_ms", 0.2, "less than one step of dt_ms=1.0"),
        ("odds", [0.1, 0.2, 0.3], "need four values"),
        ("seeds", [1, 1], "all different"),
    ],
)
def test_impossible_settings(key: str, value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Settings(**{key: value})  # type: ignore[arg-type]


def test_unknown_setting() -> None:
    with pytest.raises(UserError, match=r"unknown key 'tau_mem'.*tau_m_ms"):
        parse(Settings, {"tau_mem": 10.0}, "params.yaml")


def test_each_neuron_may_see_one_patch() -> None:
    """The same number of input synapses, from near pixels; without a radius nothing changes; a sensor of the right size is needed."""
    settings = replace(SETTINGS, input_radius=1.0)
    local, anywhere = (
        Liquid(200, s, input_rate=0.05, generator=torch.Generator().manual_seed(0), sensor=(2, 10, 10)) for s in (settings, SETTINGS)
    )
    assert (local.weight_in > 0).sum() == pytest.approx(80 * 5, rel=0.2) and (local.weight_in > 0).sum(1).max() > 0
    spread = []
    for pool in (local, anywhere):
        neuron, pixel = pool.weight_in.nonzero(as_tuple=True)
        row = (pixel % 100) // 10
        spread.append(torch.stack([row[neuron == i].double().std() for i in range(80) if (neuron == i).sum() > 2]).mean())
    assert float(spread[0]) < 1.0 < 2.0 < float(spread[1])
    assert torch.equal(anywhere.weight_in, Liquid(200, SETTINGS, input_rate=0.05, generator=torch.Generator().manual_seed(0)).weight_in)
    with pytest.raises(UserError, match=r"p8\.input_radius=1\.0 needs a sensor \(channels, height, width\) of 200 inputs; got \(2, 5, 5\)"):
        Liquid(200, settings, input_rate=0.05, generator=torch.Generator(), sensor=(2, 5, 5))
