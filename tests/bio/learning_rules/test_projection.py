"""Every rule in the registry on a projection: state of its own, bounds, frozen in eval, and a run that goes on where it was saved."""

import pytest
import torch
from spikingjelly.activation_based import functional
from torch import Tensor

from snn5.bio.learning_rules import (
    BCM,
    Hard,
    InhibitorySTDP,
    PairSTDP,
    ProbabilisticSTDP,
    Projection,
    Soft,
    learning_rule,
    list_learning_rules,
)
from snn5.errors import UserError

EACH = pytest.mark.parametrize("name", list_learning_rules())
FAST = {
    "bcm": {"eta": 50.0},
    "decayed_hebb": {"eta": 0.1},
    "inhibitory_stdp": {"eta": 0.1},
    "competitive_stdp": {"eta": 0.1},
    "triplet_stdp": {"a2_minus": 0.1},
}
SIGN = torch.tensor([1.0, 1.0, -1.0, 1.0, -1.0])


def made(name: str, seed: int = 0, q: int = 3) -> Projection:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(q, 5, generator=generator) < 0.7
    return Projection(torch.rand(q, 5, generator=generator), learning_rule(name, **FAST.get(name, {})), mask_qp=mask, sign_p=SIGN)


def trains(steps: int, seed: int = 1, samples: int = 2, q: int = 3) -> list[tuple[Tensor, Tensor]]:
    draws = torch.rand(steps, samples, 5 + q, generator=torch.Generator().manual_seed(seed)) < 0.3
    return [(row[:, :5], row[:, 5:]) for row in draws]


def teach(net: Projection, spikes: list[tuple[Tensor, Tensor]], start: int = 0) -> None:
    more = {"reward_N": torch.tensor([1.0, -0.5])} if net.rule == learning_rule("reward_modulated_stdp") else {}
    for pre, post in spikes[start:]:
        net.learn(pre, post, **more)


@EACH
def test_learns_in_train_and_nothing_in_eval(name: str) -> None:
    net, spikes = made(name), trains(20)
    before = net.magnitude.clone()
    net.eval()
    teach(net, spikes)
    assert torch.equal(net.magnitude, before) and net.traces is None
    net.train()
    teach(net, spikes)
    assert not torch.equal(net.magnitude, before) and not net.magnitude.requires_grad
    frozen, traces = net.eval().magnitude.clone(), net.traces
    teach(net, spikes)
    assert torch.equal(net.magnitude, frozen) and net.traces is traces


@EACH
def test_twice_is_bit_identical(name: str) -> None:
    one, two = made(name), made(name)
    teach(one, trains(30))
    teach(two, trains(30))
    assert torch.equal(one.magnitude, two.magnitude)


@EACH
def test_the_wiring_and_the_signs_hold(name: str) -> None:
    net = made(name)
    teach(net, trains(200))
    assert bool((net.magnitude >= 0).all()) and bool((net.magnitude <= 1).all())
    assert bool((net.weight[~net.mask] == 0).all())
    assert bool((net.weight * net.sign >= 0).all())


@EACH
def test_one_rule_two_projections(name: str) -> None:
    """Taught in turn they become what each becomes alone, also where their shapes are the same."""
    alone = [made(name, seed=k) for k in (0, 1)]
    spikes = [trains(25, seed=k) for k in (3, 4)]
    for net, own in zip(alone, spikes, strict=True):
        teach(net, own)
    rule = learning_rule(name, **FAST.get(name, {}))
    shared = [Projection(made(name, seed=k).magnitude, rule, mask_qp=made(name, seed=k).mask, sign_p=SIGN) for k in (0, 1)]
    for first, second in zip(*spikes, strict=True):
        teach(shared[0], [first])
        teach(shared[1], [second])
    for net, together in zip(alone, shared, strict=True):
        assert torch.equal(net.magnitude, together.magnitude)


@EACH
def test_a_saved_run_goes_on(name: str) -> None:
    straight, first = made(name), made(name)
    spikes = trains(30)
    teach(straight, spikes)
    teach(first, spikes[:13])
    second = made(name, seed=9)
    second.load_state_dict(first.state_dict())
    teach(second, spikes, start=13)
    assert torch.equal(straight.magnitude, second.magnitude)


@EACH
def test_reset_forgets_the_traces(name: str) -> None:
    """After a reset the same spikes change as much as at first, from the same magnitude; other numbers of samples are then welcome."""
    net = made(name)
    teach(net, trains(10))
    functional.reset_net(net)
    assert net.traces is None
    teach(net, trains(3))
    if net.rule != learning_rule("reward_modulated_stdp"):
        functional.reset_net(net)
        teach(net, trains(3, samples=4))
        with pytest.raises(UserError, match="reset before the number of samples changes"):
            teach(net, trains(3, samples=2))


def test_the_sliding_threshold_outlives_a_reset() -> None:
    rule = BCM(eta=0.0, tau_theta_ms=10.0)
    net = Projection(torch.rand(3, 5, generator=torch.Generator().manual_seed(0)), rule)
    teach(net, trains(50))
    theta = net.traces.theta_q
    assert not torch.equal(theta, rule.start(net.magnitude, 2).theta_q)
    functional.reset_net(net)
    net.learn(torch.zeros(4, 5), torch.zeros(4, 3))
    assert net.traces.y_Nq.abs().max() == 0
    assert torch.allclose(net.traces.theta_q, theta * torch.exp(torch.tensor(-0.1)))


def test_input_by_hand() -> None:
    net = Projection(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), mask_qp=torch.tensor([[1, 1], [0, 1]]), sign_p=torch.tensor([1.0, -1.0]))
    assert net(torch.tensor([[1, 1], [0, 1]])).tolist() == [[-1.0, -4.0], [-2.0, -4.0]]
    net.learn(torch.ones(1, 2), torch.ones(1, 2))
    assert net.magnitude.tolist() == [[1.0, 2.0], [0.0, 4.0]]  # no rule, no change


def test_dale_in_20000_steps() -> None:
    """Random spikes in an E/I pair of projections: no sign changes, no synapse appears, inhibition keeps more than half of its strength."""
    generator = torch.Generator().manual_seed(0)
    mask = (torch.rand(20, 20, generator=generator) < 0.3).fill_diagonal_(False)
    start = 0.5 * torch.rand(20, 20, generator=generator)
    excitatory = Projection(start, PairSTDP(bounds=Soft()), mask_qp=mask, sign_p=torch.ones(20))
    inhibitory = Projection(start, InhibitorySTDP(eta=1e-3, rate_per_ms=0.02), mask_qp=mask, sign_p=-torch.ones(20))
    violations = 0
    for _ in range(20000):
        pre, post = (torch.rand(2, 1, 20, generator=generator) < 0.02).float()
        excitatory.learn(pre, post)
        inhibitory.learn(pre, post)
        violations += int((excitatory.weight < 0).sum()) + int((inhibitory.weight > 0).sum())
    assert violations == 0
    assert bool((excitatory.weight[~mask] == 0).all()) and bool((inhibitory.weight[~mask] == 0).all())
    assert float(inhibitory.magnitude.sum()) > 0.5 * float((start * mask).sum())
    assert not torch.equal(excitatory.magnitude, start * mask)


def test_constants_are_used() -> None:
    """A rule's constant changes what it does; nothing is hard-wired."""
    nets = [Projection(torch.full((3, 5), 0.5), PairSTDP(tau_plus_ms=tau)) for tau in (5.0, 50.0)]
    for net in nets:
        teach(net, trains(20))
    assert not torch.equal(nets[0].magnitude, nets[1].magnitude)
    assert ProbabilisticSTDP().bounds == Hard(maximum=1.0)


def test_unknown_names() -> None:
    with pytest.raises(UserError, match="unknown learning rule 'stpd'; did you mean stdp"):
        learning_rule("stpd")
    with pytest.raises(UserError, match="unknown constant of stdp 'tau_plus'; did you mean a_plus, tau_plus_ms"):
        learning_rule("stdp", tau_plus=3.0)


@pytest.mark.parametrize(
    ("magnitude", "more", "message"),
    [
        (torch.tensor([[-1.0]]), {"sign_p": torch.ones(1)}, r"magnitudes from 0 \(least here: -1\)"),
        (torch.tensor([[1.0]]), {"sign_p": torch.zeros(1)}, r"signs of \+1 or -1"),
        (torch.ones(2, 3), {"sign_p": torch.ones(2)}, r"\[2, 3\], \[2, 3\] and \[2\]"),
        (torch.ones(2, 3), {"mask_qp": torch.ones(3, 3)}, r"\[2, 3\], \[3, 3\] and \[3\]"),
    ],
)
def test_what_a_projection_refuses(magnitude: Tensor, more: dict[str, Tensor], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Projection(magnitude, **more)
