"""One layer by hand, and the compiled run against the step."""

from typing import Any

import pytest
import torch

from snn5.bio.learning_rules import Hard, InhibitorySTDP, IntrinsicPlasticity, PairSTDP, Projection, Rule, Soft, TripletSTDP
from snn5.bio.simple_network import KINDS, BioSNN, Layer, Neurons, Wiring
from snn5.errors import UserError


def all_rules(kind: str) -> Rule | None:
    if kind == "i->e":
        return InhibitorySTDP(eta=5e-3, bounds=Hard(maximum=0.5))
    if kind == "input->e":
        return PairSTDP(a_plus=0.02, a_minus=0.02, bounds=Soft(maximum=0.8))
    return PairSTDP(a_plus=0.01, a_minus=0.012, bounds=Hard(maximum=0.3)) if kind == "e->e" else None


def net(rules: Any = all_rules, homeostasis: IntrinsicPlasticity | None = None, **more: Any) -> BioSNN:
    return BioSNN(
        [{"n_e": 20, "n_i": 5}, {"n_e": 10, "n_i": 3}],
        15,
        wiring=Wiring(strength=(0.4, 0.4, 0.1, 0.2, 0.2, 0.1)),
        synaptic_rule=rules,
        homeostatic_rule=homeostasis,
        generator=torch.Generator().manual_seed(1),
        **more,
    ).double()


def inputs(steps: int, channels: int = 15, p: float = 0.1) -> torch.Tensor:
    return torch.rand(steps, channels, generator=torch.Generator().manual_seed(2)) < p


def one_of_each() -> Layer:
    """One input, one excitatory and one inhibitory neuron, all weights set by hand; exp(-dt / tau) = 1/2."""
    layer = Layer(
        1,
        1,
        1,
        neurons=Neurons(tau_ms=1 / 0.6931471805599453, refractory=1),
        wiring=Wiring(density=1.0, spread=0.0, strength=(0.8, 0.0, 0.5, 2.0, 0.25, 0.5)),
        rules=lambda kind: None,
        generator=torch.Generator().manual_seed(0),
    )
    return layer.double()


def test_a_layer_by_hand() -> None:
    """The input arrives a step late: V_e = 0.8, then 0.4 + 0.8 = 1.2 >= 1. Its spike fires the inhibitory neuron one step later, while it
    is refractory itself; two steps later inhibition of 0.25 meets the input's 0.8."""
    layer = one_of_each()
    state = layer.silent(1)
    seen = []
    for x in (1, 1, 1, 1, 1):
        spikes, state = layer.step(torch.tensor([[float(x)]]), state)
        seen.append((*spikes[0].int().tolist(), round(float(state.v_Nn[0, 0]), 6)))
    assert seen == [(0, 0, 0.0), (0, 0, 0.8), (1, 0, 0.0), (0, 1, 0.0), (0, 0, 0.55)]


def test_no_neuron_is_wired_to_itself_and_inhibition_is_negative() -> None:
    layer = net().layers[0]
    assert not layer.mask.diagonal().any()
    assert (layer.weight[:, :20] >= 0).all() and (layer.weight[:, 20:] <= 0).all() and (layer.weight[:, 20:] < 0).any()
    assert layer.sign.tolist() == [1.0] * 20 + [-1.0] * 5


@pytest.mark.parametrize("homeostasis", [None, IntrinsicPlasticity()])
@pytest.mark.parametrize("rules", [all_rules, lambda kind: None])
def test_the_compiled_run_is_the_step(rules: Any, homeostasis: IntrinsicPlasticity | None) -> None:
    """Spikes, weights and thresholds after 400 steps of two layers, in float64."""
    slow, fast = (net(rules, homeostasis) for _ in range(2))
    x = inputs(400)
    spikes = slow(x[:, None].double())[:, 0]
    traces = fast.simulate(x)
    assert torch.equal(spikes.to(torch.uint8), traces[-1].spikes_Tn[:, :10]) and int(spikes.sum()) > 50
    for name, value in slow.state_dict().items():
        if torch.is_tensor(value):
            torch.testing.assert_close(fast.state_dict()[name], value, rtol=0, atol=1e-12)
    learned = not torch.equal(slow.layers[0].weight, net(rules).layers[0].weight)
    assert learned == (rules is all_rules)


def test_currents_and_looks_of_the_compiled_run() -> None:
    """Of a layer that does not learn: the currents that its own spikes and inputs say."""
    fixed = net(lambda kind: None)
    x = inputs(60)
    trace, layer = fixed.simulate(x, every=20)[0], fixed.layers[0]
    before = torch.cat([torch.zeros(1, 15), x[:-1].double()]).double()
    own = torch.cat([torch.zeros(1, 25), trace.spikes_Tn[:-1].double()]).double()
    plus = before @ layer.projection("input->e").weight.T + own[:, :20] @ layer.projection("e->e").weight.T
    minus = -own[:, 20:] @ layer.projection("i->e").weight.T
    torch.testing.assert_close(trace.current_T2, torch.stack([plus.mean(1), minus.mean(1)], 1), rtol=0, atol=1e-12)
    assert trace.inhibition.tolist() == pytest.approx([float(layer.projection("i->e").magnitude.sum())] * 3)


def test_samples_side_by_side_are_those_one_by_one() -> None:
    fixed = net(lambda kind: None)
    x_TNC = (torch.rand(30, 4, 15, generator=torch.Generator().manual_seed(3)) < 0.2).double()
    together = fixed(x_TNC)
    assert torch.equal(together[:, 2:3], fixed(x_TNC[:, 2:3])) and int(together.sum()) > 20


def test_eval_freezes_everything() -> None:
    learning = net(all_rules, IntrinsicPlasticity()).eval()
    before = {name: value.clone() for name, value in learning.state_dict().items() if torch.is_tensor(value)}
    first, second = (learning.simulate(inputs(100))[-1].spikes_Tn for _ in range(2))
    learning(inputs(50)[:, None].double())
    assert torch.equal(first, second)
    assert all(torch.equal(learning.state_dict()[name], value) for name, value in before.items())


def test_the_order_of_samples_does_not_matter_after_eval() -> None:
    """C8.8: thresholds that went on adapting would make a score depend on the order."""
    learning = net(all_rules, IntrinsicPlasticity())
    learning.simulate(inputs(300))
    learning.eval()
    x_TNC = (torch.rand(30, 6, 15, generator=torch.Generator().manual_seed(3)) < 0.3).double()
    order = torch.tensor([3, 5, 0, 1, 4, 2])
    first, again = learning(x_TNC), learning(x_TNC[:, order])
    assert torch.equal(first[:, order], again) and int(first.sum()) > 20


def test_layers_keep_traces_of_their_own() -> None:
    """A layer under another gives what it gives alone on the same spikes."""
    both = net()
    traces = both.simulate(inputs(200))
    alone = net()
    lone = BioSNN([{"n_e": 10, "n_i": 3}], 20, synaptic_rule=all_rules, generator=torch.Generator().manual_seed(9)).double()
    lone.layers[0].load_state_dict(alone.layers[1].state_dict())
    assert torch.equal(lone.simulate(traces[0].spikes_Tn[:, :20])[0].spikes_Tn, traces[1].spikes_Tn)


def test_the_time_constant_is_used() -> None:
    """V falls by exp(-k / tau) in k silent steps."""
    for tau in (5.0, 50.0):
        layer = Layer(1, 1, 0, neurons=Neurons(tau_ms=tau), wiring=Wiring(), rules=lambda kind: None, generator=torch.Generator())
        state = layer.silent(1)._replace(v_Nn=torch.tensor([[0.5]]))
        for _ in range(10):
            _, state = layer.step(torch.zeros(1, 1), state)
        assert float(state.v_Nn) == pytest.approx(0.5 * 2.718281828 ** (-10 / tau), rel=1e-5)


def test_what_a_layer_refuses() -> None:
    generator = torch.Generator()
    with pytest.raises(UserError, match=r"layer_configs=\[\]; need at least one layer"):
        BioSNN([], 3, generator=generator)
    with pytest.raises(UserError, match=r"layer_configs=.*need at least one layer, each"):
        BioSNN([{"n_e": 3}], 3, generator=generator)
    with pytest.raises(UserError, match="layer 0: 3 senders, n_e=0, n_i=2"):
        BioSNN([{"n_e": 0, "n_i": 2}], 3, generator=generator)
    with pytest.raises(UserError, match="need a density from 0 to 1, 6 strengths"):
        Wiring(strength=(1.0,))
    with pytest.raises(UserError, match="need tau_ms"):
        Neurons(tau_ms=0.0)
    with pytest.raises(UserError, match="unknown projection 'e->x'; did you mean"):
        net().layers[0].projection("e->x")


def test_rules_that_compiled_runs_do_not_know() -> None:
    with pytest.raises(UserError, match=r"layer 0: compiled runs know PairSTDP with hard bounds.*call the network itself"):
        net(lambda kind: TripletSTDP() if kind == "e->e" else None).simulate(inputs(5))
    with pytest.raises(UserError, match="layer 0: i->i learns, which compiled runs do not know"):
        net(lambda kind: PairSTDP() if kind == "i->i" else None).simulate(inputs(5))
    with pytest.raises(UserError, match="compiled runs know InhibitorySTDP"):
        net(lambda kind: PairSTDP() if kind == "i->e" else None).simulate(inputs(5))


def test_every_kind_has_a_projection_of_its_own() -> None:
    layer = net().layers[0]
    assert len({id(layer.projection(kind)) for kind in KINDS}) == 6
    assert all(isinstance(layer.projection(kind), Projection) for kind in KINDS)
