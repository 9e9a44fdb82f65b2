"""Inhibitory STDP, BCM, decayed Hebb, competitive STDP and intrinsic plasticity."""

import math

import pytest
import torch
from torch import Tensor

from snn5.bio.learning_rules import BCM, CompetitiveSTDP, DecayedHebb, Free, Hard, InhibitorySTDP, IntrinsicPlasticity
from snn5.errors import UserError

HALF = 1 / math.log(2)  # a time constant with which traces halve in 1 ms


def one(value: float) -> Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


# --- inhibitory STDP


def test_inhibitory_rule_by_hand() -> None:
    """eta 1, alpha = 2 r0 tau = 0.5: a lone inhibitory spike -0.5; the receiver a step later + 1/2; the sender after it 1/2 - 0.5."""
    rule = InhibitorySTDP(eta=1.0, rate_per_ms=0.25 / HALF, tau_ms=HALF)
    assert rule.alpha == pytest.approx(0.5)
    state, moves = rule.start(one(0.5), 1), []
    for pre, post in ((1.0, 0.0), (0.0, 1.0), (1.0, 0.0)):
        moved, state = rule.step(one(pre), one(post), state, one(0.5))
        moves.append(moved.item())
    assert moves == pytest.approx([-0.5, 0.5, 0.0], abs=1e-15)


def test_inhibition_has_no_drift_at_the_target_rate() -> None:
    """Independent trains: strengthens above r0, weakens below, and within five standard errors of 2 tau r_pre (r - r0) eta T N.

    A step's own pairs do not count, so the trace's window is a sum over whole steps: d / (1 - d) in place of tau.
    """
    rule = InhibitorySTDP(eta=1.0, rate_per_ms=0.05, tau_ms=20.0)
    window = math.exp(-1 / 20) / (1 - math.exp(-1 / 20))
    for rate in (0.02, 0.05, 0.1):
        generator = torch.Generator().manual_seed(1)
        pre, post = (torch.rand(2000, 100, 1, generator=generator, dtype=torch.float64) < r for r in (0.03, rate))
        state, total = rule.start(one(0.5), 100), []
        for a, b in zip(pre, post, strict=True):
            moved, state = rule.step(a, b, state, one(0.5))
            total.append(moved.item())
        expected = 2000 * 100 * 0.03 * (2 * window * rate - rule.alpha)
        assert sum(total) == pytest.approx(expected, abs=0.05 * 2000 * 100 * 0.03 * rule.alpha)


# --- BCM


def test_sign_of_bcm() -> None:
    """Weakens for 0 < y < theta, strengthens above, nothing at 0 and at theta."""
    rule = BCM(eta=1.0, bounds=Free())
    answers = torch.tensor([[0.0], [0.01], [0.02], [0.03]], dtype=torch.float64)
    moves = [rule.rates(one(1.0), y[None], torch.tensor([0.02], dtype=torch.float64), one(0.5))[0].item() for y in answers]
    assert moves[0] == 0.0 and moves[1] < 0 and moves[2] == 0.0 and moves[3] == pytest.approx(0.03 * 0.01)


@pytest.mark.parametrize("probability", [1.0, 0.1])
def test_theta_becomes_the_second_moment(probability: float) -> None:
    """<y^2> / y0 within 5 %, of a steady rate and of a Poisson train (of its low-passed rate)."""
    rule = BCM(eta=0.0, rate_per_ms=0.1, tau_rate_ms=20.0, tau_theta_ms=500.0)
    draws = torch.rand(6000, 1, 200, generator=torch.Generator().manual_seed(2)) < probability
    weight = torch.zeros(200, 1, dtype=torch.float64)
    state, squares = rule.start(weight, 1), []
    for spikes in draws:
        _, state = rule.step(torch.zeros(1, 1), spikes, state, weight)
        squares.append((state.y_Nq**2).mean().item())
    assert state.theta_q.mean().item() == pytest.approx(sum(squares[3000:]) / 3000 / 0.1, rel=0.05)
    fade = math.exp(-1 / 20)
    closed = probability**2 + probability * (1 - probability) * (1 - fade) / (1 + fade)  # mean square of an exponential average
    assert state.theta_q.mean().item() == pytest.approx(closed / 0.1, rel=0.05)


def selective(eta: float, tau_theta_ms: float, patterns: Tensor, steps: int) -> tuple[Tensor, Tensor, float]:
    """A linear receiver under patterns in random order: its answers, the threshold and the largest weight on the way."""
    rule = BCM(eta=eta, rate_per_ms=1.0, tau_theta_ms=tau_theta_ms, bounds=Free())
    weight, theta = torch.full((1, patterns.shape[1]), 0.5, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    order, largest = torch.randint(len(patterns), (steps,), generator=torch.Generator().manual_seed(0)), 0.0
    for k in order:
        x = patterns[k][None]
        moved, theta = rule.rates(x, x @ weight.T, theta, weight)
        weight = (weight + moved).clamp(0.0, 1e3)
        largest = max(largest, float(weight.max()))
    return (patterns @ weight.T)[:, 0], theta, largest


@pytest.mark.parametrize("inputs", [2, 3, 5])
def test_a_receiver_becomes_selective(inputs: int) -> None:
    """1 - mean / max of the answers above 0.7 of its limit 1 - 1 / K; theta follows <y^2>; weights stay bounded."""
    patterns = torch.full((inputs, inputs), 0.2, dtype=torch.float64).fill_diagonal_(1.0)
    answers, theta, largest = selective(2e-3, 200.0, patterns, 30000)
    assert 1 - answers.mean() / answers.max() > 0.7 * (1 - 1 / inputs) and largest < 10
    assert theta.item() == pytest.approx((answers**2).mean().item(), rel=0.2)


def test_the_stability_bound_of_bcm() -> None:
    """One steady pattern, |x|^2 = 1, y0 = 1. Loop gain eta tau: at 0.2 the answer settles on y0, at 5 the weights overshoot by far."""
    pattern = torch.ones(1, 1, dtype=torch.float64)
    for eta, settles in ((1e-3, True), (2.5e-2, False)):
        rule = BCM(eta=eta, rate_per_ms=1.0, tau_theta_ms=200.0)
        assert (rule.loop_gain(pattern) < 1) is settles
        answers, _, largest = selective(eta, 200.0, pattern, 20000)
        assert (abs(answers.item() - 1) < 0.01 and largest < 2) is settles


def test_bcm_forgets_by_weight_decay() -> None:
    """Silence: dw = -lambda w per sample."""
    rule = BCM(decay_weight=0.1)
    moved, _ = rule.step(torch.zeros(3, 1), torch.zeros(3, 1), rule.start(one(0.5), 3), one(0.5))
    assert moved.item() == pytest.approx(-0.15)


# --- decayed Hebb


def test_decayed_hebb_by_hand_and_its_fixed_point() -> None:
    """eta (2 - 3 beta w) for two coincidences in three samples; no drift at w = (2 / 3) / beta."""
    rule = DecayedHebb(eta=0.1, beta=2.0)
    pre, post = (torch.tensor([[1.0], [1.0], [1.0]]), torch.tensor([[1.0], [0.0], [1.0]]))
    assert rule.step(pre, post, rule.start(one(0.5), 3), one(0.5))[0].item() == pytest.approx(0.1 * (2 - 3.0))
    assert rule.step(pre, post, rule.start(one(0.5), 3), one(1 / 3))[0].item() == pytest.approx(0.0, abs=1e-15)


# --- competitive STDP


def test_competitive_rule_by_hand() -> None:
    """Sender 0 fires in steps 0 and 1, the receiver in step 1: x = 1.5 and 0; eta (scale x - w) for both."""
    rule = CompetitiveSTDP(eta=0.1, scale=0.5, tau_ms=HALF)
    weight = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    still, state = rule.step(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 1), rule.start(weight, 1), weight)
    moved, _ = rule.step(torch.tensor([[1.0, 0.0]]), torch.ones(1, 1), state, weight)
    assert still.abs().max() == 0 and moved[0].tolist() == pytest.approx([0.1 * (0.75 - 0.5), -0.05], abs=1e-15)


def test_competitive_weights_become_the_mean_pattern() -> None:
    """The receiver fires with three patterns in turn: w within eta of their mean."""
    rule = CompetitiveSTDP(eta=0.01, tau_ms=1e-3, bounds=Hard(maximum=1.0))
    patterns = torch.tensor([[1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=torch.float64)
    weight = torch.full((1, 4), 0.5, dtype=torch.float64)
    state = rule.start(weight, 1)
    for t in range(3000):
        moved, state = rule.step(patterns[t % 3][None], torch.ones(1, 1), state, weight)
        weight = rule.bounds.clip(weight + moved)
    assert torch.allclose(weight[0], patterns.mean(0), atol=0.01)


# --- intrinsic plasticity


def test_intrinsic_plasticity_by_hand() -> None:
    """Two samples, one spike: <s> = 1/2, r* = 0.1; walls at 0.5 and 2."""
    rule = IntrinsicPlasticity(eta=1.0, rate_per_ms=0.1, lowest=0.5, highest=2.0)
    theta = torch.tensor([1.0, 1.0, 2.0, 0.5], dtype=torch.float64)
    after = rule.step(torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0]]), theta)
    assert after.tolist() == pytest.approx([math.exp(0.4), math.exp(-0.1), 2.0, 0.5])


def rates(eta: float, gains: tuple[float, ...]) -> list[float]:
    """Mean rate of 50 leaky neurons in the last 1000 of 4000 steps under each gain of a noisy input."""
    rule, found = IntrinsicPlasticity(eta=eta, rate_per_ms=0.02), []
    theta, v = torch.full((50,), 1.0), torch.zeros(1, 50)
    generator = torch.Generator().manual_seed(4)
    for gain in gains:
        counts = []
        for t in range(4000):
            v = 0.95 * v + 0.05 * gain * 2 * torch.rand(1, 50, generator=generator)
            spikes = v >= theta
            v = torch.where(spikes, 0.0, v)
            theta = rule.step(spikes, theta)
            if t >= 3000:
                counts.append(float(spikes.double().mean()))
        found.append(sum(counts) / len(counts))
    return found


def test_the_rate_comes_back_after_another_gain() -> None:
    """Within 10 % of r* in 4000 steps from rest, after x 4 and after x 1/16 (to 1/4); without the rule it does not."""
    assert rates(0.1, (1.0, 4.0, 0.25)) == pytest.approx([0.02] * 3, rel=0.1)
    assert not any(abs(r / 0.02 - 1) < 0.1 for r in rates(0.0, (1.0, 4.0, 0.25)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IntrinsicPlasticity(lowest=2.0, highest=1.0), "need lowest <= highest"),
        (lambda: IntrinsicPlasticity(rate_per_ms=2.0), "at most one spike per step"),
        (lambda: InhibitorySTDP(rate_per_ms=0.0), "InhibitorySTDP: rate_per_ms=0.0"),
        (lambda: BCM(tau_theta_ms=-1.0), "BCM: tau_theta_ms=-1.0"),
        (lambda: DecayedHebb(beta=-1.0), "DecayedHebb: beta=-1.0"),
        (lambda: CompetitiveSTDP(scale=0.0), "CompetitiveSTDP: scale=0.0"),
    ],
)
def test_constants_out_of_range(make: type, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()
