"""Random numbers by counter, and the rule that draws them."""

import numpy as np
import pytest
import torch

from snn5.bio.learning_rules import PairSTDP, ProbabilisticState, ProbabilisticSTDP, philox, uniform
from snn5.errors import UserError


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_known_answers(counter: tuple[int, ...], key: tuple[int, int], words: str) -> None:
    """The three test vectors of philox4x32-10 that come with Random123."""
    assert " ".join(f"{int(word):08x}" for word in philox(counter, key)) == words


def test_uniform_numbers() -> None:
    """Mean 1/2 and variance 1/12 within five standard errors, [0, 1), a whole block equal to its parts."""
    block = uniform((np.arange(20000), 3, 1, 4), (1, 5))
    assert block.min() >= 0 and block.max() < 1
    assert abs(block.mean() - 0.5) < 5 / np.sqrt(12 * 20000) and abs(block.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / 20000)
    assert np.array_equal(block[7000:7010], uniform((np.arange(7000, 7010), 3, 1, 4), (1, 5)))


def run(rule: ProbabilisticSTDP, samples: list[int], steps: int = 40) -> torch.Tensor:
    """Changes of 3 x 4 synapses in all, the weight held; spikes of a sample are its own."""
    weight = torch.full((3, 4), 0.5, dtype=torch.float64)
    state = rule.start(weight, len(samples))._replace(sample_N=torch.tensor(samples))
    trains = torch.stack([torch.rand(steps, 7, generator=torch.Generator().manual_seed(k)) < 0.2 for k in samples], dim=1)
    total = torch.zeros_like(weight)
    for spikes in trains:
        moved, state = rule.step(spikes[:, :4], spikes[:, 4:], state, weight)
        total += moved
    return total


def test_draws_do_not_depend_on_the_batch() -> None:
    """Steps of 1/64 add exactly: 12 samples at once, in other batches, in another order."""
    rule = ProbabilisticSTDP(size=1 / 64, p_plus=0.4, p_minus=0.5, seed=9)
    whole = run(rule, list(range(12)))
    assert whole.abs().max() > 0
    assert torch.equal(whole, run(rule, [0, 1, 2, 3, 4]) + run(rule, [5, 6, 7, 8, 9, 10, 11]))
    assert torch.equal(whole, run(rule, [11, 3, 5, 0, 1, 2, 4, 9, 10, 7, 6, 8]))


def test_seed_and_epoch_draw_others() -> None:
    base = {"size": 1 / 64, "p_plus": 0.4, "p_minus": 0.5}
    first, seed, epoch = (run(ProbabilisticSTDP(**base, seed=s, epoch=e), [0, 1, 2]) for s, e in ((0, 0), (1, 0), (0, 1)))  # type: ignore[arg-type]
    assert not torch.equal(first, seed) and not torch.equal(first, epoch) and not torch.equal(seed, epoch)


def test_the_mean_is_pair_stdp() -> None:
    """4000 copies of one spike train: the mean change within five standard errors of the deterministic one with A = p size."""
    copies, size = 4000, 0.01
    rule = ProbabilisticSTDP(size=size, p_plus=0.3, p_minus=0.2)
    pair = PairSTDP(a_plus=0.3 * size, a_minus=0.2 * size)
    weight = torch.full((1, 1), 0.5, dtype=torch.float64)
    state, exact = rule.start(weight, copies), pair.start(weight, 1)
    moved, expected, events = 0.0, 0.0, 0
    for t in range(30):
        pre, post = t in (0, 6, 20), t in (3, 9, 15)
        events += pre + post
        a, state = rule.step(torch.full((copies, 1), pre), torch.full((copies, 1), post), state, weight)
        b, exact = pair.step(torch.tensor([[pre]]), torch.tensor([[post]]), exact, weight)
        moved, expected = moved + a.item() / copies, expected + b.item()
    assert abs(moved - expected) < 5 * size * 0.5 * np.sqrt(events / copies)


def test_a_synapse_moves_by_whole_steps() -> None:
    total = run(ProbabilisticSTDP(size=1 / 64, p_plus=0.4, p_minus=0.5), [0]) * 64
    assert torch.equal(total, total.round()) and len(total.unique()) > 2


def test_certain_and_impossible_steps() -> None:
    """p = 1 right after a sender's spike: x = e^(-1/20) at first, above every second draw; p = 0 never."""
    assert run(ProbabilisticSTDP(p_plus=0.0, p_minus=0.0), [0, 1]).abs().max() == 0
    weight = torch.zeros(1, 1, dtype=torch.float64)
    rule = ProbabilisticSTDP(size=0.5)
    sure = ProbabilisticState(torch.full((8, 1), 2.0).double(), torch.zeros(8, 1).double(), 3, torch.arange(8))
    assert rule.step(torch.zeros(8, 1), torch.ones(8, 1), sure, weight)[0].item() == 4.0


@pytest.mark.parametrize(("constant", "value"), [("p_plus", 1.5), ("seed", -1), ("epoch", 2**32), ("size", 0.0)])
def test_constants_out_of_range(constant: str, value: float) -> None:
    with pytest.raises(UserError, match=f"ProbabilisticSTDP: {constant}={value}"):
        ProbabilisticSTDP(**{constant: value})  # type: ignore[arg-type]
