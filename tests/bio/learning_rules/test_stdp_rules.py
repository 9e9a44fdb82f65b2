"""Pair and triplet STDP against closed forms, by hand, and against SpikingJelly where the two coincide."""

import math

import pytest
import torch
from spikingjelly.activation_based.functional.learning import mstdp_linear_step, mstdpet_linear_step
from torch import Tensor

from snn5.bio.learning_rules import PairSTDP, Soft, TripletSTDP
from snn5.errors import UserError

HALF = 1 / math.log(2)  # a time constant with which traces halve from step to step of 1 ms


def change(rule: PairSTDP | TripletSTDP, pre: list[int], post: list[int], steps: int, dtype: torch.dtype = torch.float64) -> float:
    """What one synapse of weight 0.5 is changed by in all when its ends fire in these steps; the weight itself stays."""
    weight = torch.full((1, 1), 0.5, dtype=dtype)
    state, total = rule.start(weight, 1), 0.0
    for t in range(steps):
        moved, state = rule.step(torch.tensor([[t in pre]]), torch.tensor([[t in post]]), state, weight)  # type: ignore[arg-type]
        total += moved.item()
    return total


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-15), (torch.float32, 1e-6)])
def test_the_window_of_all_delays(dtype: torch.dtype, tolerance: float) -> None:
    """A_+ e^(-Dt / tau_+), -A_- e^(Dt / tau_-), 0: for all delays at once, sender k firing k steps into the run and the receiver in 50."""
    rule = PairSTDP(a_plus=0.01, a_minus=0.012, tau_plus_ms=20.0, tau_minus_ms=33.0)
    weight = torch.full((1, 101), 0.5, dtype=dtype)
    state, total = rule.start(weight, 1), torch.zeros_like(weight)
    for t in range(101):
        moved, state = rule.step((torch.arange(101) == t)[None], torch.tensor([[t == 50]]), state, weight)
        total += moved
    lag = 50 - torch.arange(101, dtype=torch.float64)
    closed = torch.where(lag > 0, 0.01 * torch.exp(-lag / 20), -0.012 * torch.exp(lag / 33))
    closed[50] = 0.0
    assert torch.allclose(total[0].double(), closed, rtol=0, atol=tolerance)


def test_pairs_add_up() -> None:
    """Two sender and two receiver spikes: the sum over all four pairs."""
    rule = PairSTDP(tau_plus_ms=20.0, tau_minus_ms=20.0)
    pairs = sum(change(rule, [i], [j], 60) for i in (3, 20) for j in (11, 40))
    assert change(rule, [3, 20], [11, 40], 60) == pytest.approx(pairs, abs=1e-16)


def test_time_steps_of_another_length_leave_the_window_as_it_is() -> None:
    """10 ms are 20 steps of 0.5 ms."""
    assert change(PairSTDP(dt_ms=0.5), [0], [20], 30) == pytest.approx(change(PairSTDP(dt_ms=1.0), [0], [10], 30), rel=1e-12)


def test_order_decides_the_sign_and_coincidence_nothing() -> None:
    rule = PairSTDP(a_minus=0.01)
    assert change(rule, [5], [9], 20) == pytest.approx(-change(rule, [9], [5], 20)) != 0
    assert change(rule, [7], [7], 20) == 0.0
    assert change(PairSTDP(a_plus=0.0, a_minus=0.0), [5, 7], [6, 9], 20) == 0.0


def test_soft_bounds_by_hand() -> None:
    """w = 0.25 of 1: up by 0.75 of a step, down by 0.25 of one; with power 2 by 0.5625 and 0.0625."""
    weight = torch.tensor([[0.25]], dtype=torch.float64)
    for power, up, down in ((1.0, 0.75, 0.25), (2.0, 0.5625, 0.0625)):
        rule = PairSTDP(a_plus=1.0, a_minus=1.0, tau_plus_ms=HALF, tau_minus_ms=HALF, bounds=Soft(maximum=1.0, power=power))
        for first, second, expected in (((1.0, 0.0), (0.0, 1.0), up / 2), ((0.0, 1.0), (1.0, 0.0), -down / 2)):
            _, state = rule.step(torch.tensor([[first[0]]]), torch.tensor([[first[1]]]), rule.start(weight, 1), weight)
            moved, _ = rule.step(torch.tensor([[second[0]]]), torch.tensor([[second[1]]]), state, weight)
            assert moved.item() == pytest.approx(expected, abs=1e-15)


def test_triplet_by_hand() -> None:
    """All traces halve. Receiver, sender, receiver in steps 0, 1, 2: at 1 y = 1/2, at 2 x = 1/2 and y2 = 1/4."""
    rule = TripletSTDP(
        a2_plus=0.1, a3_plus=1.0, a2_minus=0.2, a3_minus=3.0, tau_plus_ms=HALF, tau_minus_ms=HALF, tau_x_ms=HALF, tau_y_ms=HALF
    )
    assert change(rule, [1], [0, 2], 3) == pytest.approx(-0.5 * 0.2 + 0.5 * (0.1 + 1.0 * 0.25), abs=1e-15)
    # Sender, receiver, sender: at 1 x = 1/2 and y2 = 0; at 2 y = 1/2 and x2 = 1/4.
    assert change(rule, [0, 2], [1], 3) == pytest.approx(0.5 * 0.1 - 0.5 * (0.2 + 3.0 * 0.25), abs=1e-15)


def raster(steps: int, samples: int, neurons: int, seed: int) -> Tensor:
    return (torch.rand(steps, samples, neurons, generator=torch.Generator().manual_seed(seed)) < 0.3).double()


def test_triplet_without_triplets_is_pair_stdp() -> None:
    weight = torch.rand(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    taus = {"tau_plus_ms": 17.0, "tau_minus_ms": 34.0}
    pair = PairSTDP(a_plus=0.02, a_minus=0.03, bounds=Soft(), **taus)
    triplet = TripletSTDP(a2_plus=0.02, a2_minus=0.03, a3_plus=0.0, a3_minus=0.0, bounds=Soft(), **taus)
    one, two = pair.start(weight, 5), triplet.start(weight, 5)
    for pre, post in zip(raster(30, 5, 4, 1), raster(30, 5, 3, 2), strict=True):
        a, one = pair.step(pre, post, one, weight)
        b, two = triplet.step(pre, post, two, weight)
        assert torch.allclose(a, b, rtol=0, atol=1e-15)


def test_triplets_make_potentiation_grow_with_the_rate() -> None:
    """As BCM's: the minimal model weakens at low rates of both ends and strengthens at high ones."""
    rule, drift = TripletSTDP(), []
    weight = torch.full((1, 1), 0.5, dtype=torch.float64)
    for rate in (0.005, 0.1):
        draws = torch.rand(4000, 2, 50, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        state, total = rule.start(weight, 50), 0.0
        for pre, post in draws < rate:
            moved, state = rule.step(pre, post, state, weight)
            total += moved.item()
        drift.append(total)
    assert drift[0] < 0 < drift[1]


def test_parity_with_spikingjelly() -> None:
    """SpikingJelly adds a step's spikes to the traces before it uses them: the rules differ in pairs within one step, whose two terms
    cancel where A_+ = A_-."""
    weight = torch.rand(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    rule = PairSTDP(a_plus=0.02, a_minus=0.02, tau_plus_ms=20.0, tau_minus_ms=30.0)
    state, theirs = rule.start(weight, 6), (torch.zeros(6, 4).double(), torch.zeros(6, 3).double())
    for pre, post in zip(raster(40, 6, 4, 6), raster(40, 6, 3, 7), strict=True):
        ours, state = rule.step(pre, post, state, weight)
        each, theirs = mstdp_linear_step(
            pre, post, theirs, weight, tau_pre=20.0, tau_post=30.0, f_pre=lambda w: 0.02, f_post=lambda w: 0.02
        )
        assert torch.allclose(ours, each.sum(0), rtol=0, atol=1e-15)
        assert torch.allclose(state.x_Np, theirs[0]) and torch.allclose(state.y_Nq, theirs[1])


def test_parity_with_spikingjelly_of_soft_bounds() -> None:
    """Trains without coincident spikes: equal for any weight dependence."""
    weight = torch.rand(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    rule = PairSTDP(a_plus=0.02, a_minus=0.03, bounds=Soft(maximum=1.0))
    state, theirs = rule.start(weight, 1), (torch.zeros(4).double(), torch.zeros(3).double())
    for t, (pre, post) in enumerate(zip(raster(60, 1, 4, 6), raster(60, 1, 3, 7), strict=True)):
        pre, post = pre * (t % 2), post * (1 - t % 2)
        ours, state = rule.step(pre, post, state, weight)
        each, theirs = mstdpet_linear_step(
            pre[0], post[0], theirs, weight, tau_pre=20.0, tau_post=20.0, f_pre=lambda w: 0.03 * w, f_post=lambda w: 0.02 * (1 - w)
        )
        assert torch.allclose(ours, each, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("rule", "constants", "message"),
    [
        (PairSTDP, {"tau_plus_ms": 0.0}, "PairSTDP: tau_plus_ms=0.0; need a finite value above 0"),
        (PairSTDP, {"a_minus": -0.1}, "PairSTDP: a_minus=-0.1; need a finite value of at least 0"),
        (TripletSTDP, {"a3_plus": math.nan}, "TripletSTDP: a3_plus=nan"),
        (Soft, {"maximum": 0.0}, "Soft: maximum=0.0"),
    ],
)
def test_constants_out_of_range(rule: type, constants: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        rule(**constants)


def test_shapes_must_match_the_traces() -> None:
    weight, rule = torch.zeros(3, 4), PairSTDP()
    with pytest.raises(UserError, match=r"weight of 3 x 4 with traces of 2 samples needs spikes \[2, 4\] and \[2, 3\]; got \[5, 4\]"):
        rule.step(torch.zeros(5, 4), torch.zeros(5, 3), rule.start(weight, 2), weight)
