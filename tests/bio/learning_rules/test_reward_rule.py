"""Reward-modulated STDP: linear in the reward, fading with its delay, and good enough to find the better of two actions."""

import math

import pytest
import torch
from spikingjelly.activation_based.functional.learning import mstdpet_linear_step, mstdpet_reward_step

from snn5.bio.learning_rules import Hard, PairSTDP, Projection, RewardModulatedSTDP, RewardState, advantage
from snn5.errors import UserError

RULE = RewardModulatedSTDP(eta=0.5, tau_c_ms=200.0, stdp=PairSTDP(a_plus=0.1, a_minus=0.05))


def after(delay: int, rule: RewardModulatedSTDP = RULE) -> tuple[torch.Tensor, RewardState]:
    """Two samples; sender fires in step 0, receiver in step 2, then `delay` silent steps."""
    weight = torch.full((1, 1), 0.5, dtype=torch.float64)
    state = rule.start(weight, 2)
    for t in range(3 + delay):
        moved, state = rule.step(torch.full((2, 1), t == 0), torch.full((2, 1), t == 2), state, weight)
        assert moved.abs().max() == 0
    return weight, state


def test_no_reward_no_change_and_the_mirror_image() -> None:
    _, state = after(0)
    pay = [RULE.pay(state, torch.tensor([m, m], dtype=torch.float64)).item() for m in (0.0, 1.0, -1.0, 0.25)]
    assert pay[0] == 0.0 and pay[1] == pytest.approx(2 * 0.5 * 0.1 * math.exp(-2 / 20), rel=1e-14)
    assert pay[2] == -pay[1] and pay[3] == pytest.approx(pay[1] / 4, rel=1e-14)


@pytest.mark.parametrize("delay", [1, 50, 400])
def test_credit_fades_with_the_delay(delay: int) -> None:
    reward = torch.ones(2, dtype=torch.float64)
    late, soon = RULE.pay(after(delay)[1], reward).item(), RULE.pay(after(0)[1], reward).item()
    assert late / soon == pytest.approx(math.exp(-delay / 200), rel=1e-12)


def test_each_sample_has_its_own_reward() -> None:
    _, state = after(0)
    both, first = (RULE.pay(state, torch.tensor(r, dtype=torch.float64)).item() for r in ([1.0, 1.0], [1.0, 0.0]))
    assert both == pytest.approx(2 * first)
    with pytest.raises(UserError, match=r"rewards \[3\] for 2 samples"):
        RULE.pay(state, torch.ones(3))


def test_a_reward_leaves_the_trace_and_clear_forgets_it() -> None:
    weight, state = after(0)
    nothing = torch.zeros(2, 1)
    paid, state = RULE.step(nothing, nothing, state, weight, torch.ones(2))
    again, state = RULE.step(nothing, nothing, state, weight, torch.ones(2))
    assert again.item() == pytest.approx(paid.item() * math.exp(-1 / 200), rel=1e-12)
    assert RULE.pay(RULE.clear(state), torch.ones(2)).item() == 0.0


def test_parity_with_spikingjelly() -> None:
    """MSTDPET divides what enters the eligibility by tau; sender and receiver take turns (see the parity of pair STDP)."""
    draws = torch.rand(50, 7, generator=torch.Generator().manual_seed(0)).double()
    weight = torch.full((3, 4), 0.5, dtype=torch.float64)
    rule = RewardModulatedSTDP(eta=1 / 25, tau_c_ms=25.0, stdp=PairSTDP(a_plus=1.0, a_minus=1.0))
    state, traces = rule.start(weight, 1), (torch.zeros(4).double(), torch.zeros(3).double())
    held = torch.zeros(3, 4).double()
    for t, row in enumerate(draws):
        pre, post = (row[:4] < 0.3).double() * (t % 2), (row[4:] < 0.3).double() * (1 - t % 2)
        moved, state = rule.step(pre[None], post[None], state, weight, torch.tensor([0.7], dtype=torch.float64))
        fresh, traces = mstdpet_linear_step(
            pre, post, traces, weight, tau_pre=20.0, tau_post=20.0, f_pre=torch.ones_like, f_post=torch.ones_like
        )
        theirs, held = mstdpet_reward_step(0.7, fresh, held, tau_trace=25.0)
        assert torch.allclose(moved, theirs, rtol=0, atol=1e-14)


def test_surprise_by_hand() -> None:
    """Mean 0.5, rewards 1 and 0.5: surprises 0.5 and 0; the mean moves a tenth of 0.25."""
    surprise, mean = advantage(torch.tensor([1.0, 0.5]), 0.5, rate=0.1)
    assert surprise.tolist() == [0.5, 0.0] and mean == pytest.approx(0.525)
    with pytest.raises(UserError, match=r"rate=1\.5"):
        advantage(torch.ones(1), 0.0, rate=1.5)


TRIALS = 500


def bandit(seeds: int) -> torch.Tensor:
    """Two contexts of ten inputs, two actions; the right one of a context is rewarded nine times in ten, the other once.

    Per trial an active input fires once, the action with more (noisy) input fires a step later, and the reward comes five steps after.
    One sample at a time, as learning by reward must; the share of right actions in the last 100 trials, one for each seed.
    """
    right = torch.zeros(seeds, 100)
    rule = RewardModulatedSTDP(eta=0.05, tau_c_ms=200.0, stdp=PairSTDP(a_plus=1.0, a_minus=0.0, bounds=Hard(maximum=1.0)))
    for seed in range(seeds):
        generator = torch.Generator().manual_seed(seed)
        net = Projection(0.5 + 0.01 * torch.randn(2, 20, generator=generator), rule)
        mean = 0.5
        contexts = torch.randint(2, (TRIALS,), generator=generator)
        noise, luck = torch.randn(TRIALS, 2, generator=generator), torch.rand(TRIALS, generator=generator)
        for trial in range(TRIALS):
            context = int(contexts[trial])
            pre = torch.zeros(1, 20)
            pre[0, 10 * context : 10 * context + 10] = 1.0
            action = int((net(pre)[0] + 0.3 * noise[trial]).argmax())
            net.reset()
            net.learn(pre, torch.zeros(1, 2))
            net.learn(torch.zeros(1, 20), torch.eye(2)[action][None])
            for _ in range(4):
                net.learn(torch.zeros(1, 20), torch.zeros(1, 2))
            reward = float(luck[trial] < (0.9 if action == context else 0.1))
            surprise, mean = advantage(torch.tensor([reward]), mean, rate=0.05)
            net.learn(torch.zeros(1, 20), torch.zeros(1, 2), reward_N=surprise)
            if trial >= TRIALS - 100:
                right[seed, trial - TRIALS + 100] = action == context
    return right.mean(1)


@pytest.mark.slow
def test_contextual_bandit() -> None:
    """At least nine of ten right in the last 100 trials by 19 seeds of 20."""
    assert int((bandit(20) >= 0.9).sum()) >= 19


def test_contextual_bandit_of_two_seeds() -> None:
    assert float(bandit(2).mean()) >= 0.9
