"""The local classifier's pool: by hand, against the same rules on a projection, and on toy images."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from snn5.bio import LOCAL_VARIANTS, local_trial, local_verdict
from snn5.bio._local import Pool, learn, name_neurons, new_pool, rules, show, vote
from snn5.bio.learning_rules import Projection
from snn5.config import Local
from snn5.errors import UserError
from snn5.record import Run

SMALL = Local(neurons=12, time_steps=8, epochs=4, threshold=2.0, trace_scale=0.2, spikes=1.5)


def images(samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Three classes: a row of three pixels each out of nine, with noise."""
    y_N = torch.arange(samples) % 3
    x_NC = 0.25 * torch.rand(samples, 9, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for k in range(3):
        x_NC[y_N == k, 3 * k : 3 * k + 3] += 0.7
    return x_NC, y_N


SETS = (images(60, 0), images(30, 1), images(30, 2))


def spikes(seed: int, steps: int = 8, samples: int = 6, inputs: int = 9) -> Tensor:
    return (torch.rand(steps, samples, inputs, generator=torch.Generator().manual_seed(seed)) < 0.4).to(torch.uint8)


def test_competition_by_hand() -> None:
    """No leak to speak of. Weights (1, 0) and (0.6, 0.8), thresholds 2 and 1.5; input 0 fires in all steps.

    V: (1, 0.6), then (2, 1.2): neuron 0 fires and both start again, so it fires in steps 1, 3, 5. With both inputs: V = (1, 1.4), (2, 2.8);
    neuron 1 leads, 2.8 / 1.5 > 2 / 2.
    """
    settings = replace(SMALL, neurons=2, tau_m_ms=1e6)
    pool = Pool(torch.tensor([[1.0, 0.0], [0.6, 0.8]]).double(), torch.tensor([2.0 - 1e-4, 1.5]).double())
    x_TNC = torch.zeros(6, 2, 2, dtype=torch.uint8)
    x_TNC[:, 0, 0] = 1
    x_TNC[:, 1] = 1
    counts, after = show(pool, x_TNC, settings)
    assert counts.tolist() == [[3, 0], [0, 3]]
    assert torch.equal(after.weight_nC, pool.weight_nC) and torch.equal(after.threshold_n, pool.threshold_n)


def reference(pool: Pool, x_TNC: Tensor, settings: Local, progress: float) -> tuple[Tensor, Pool]:
    """The same training by `CompetitiveSTDP` on a projection and `IntrinsicPlasticity`, step by step in torch."""
    stdp, intrinsic = rules(settings, progress)
    net, threshold = Projection(pool.weight_nC, stdp), pool.threshold_n
    counts = torch.zeros(x_TNC.shape[1], settings.neurons, dtype=torch.int32)
    fade = torch.exp(torch.tensor(-settings.dt_ms / settings.tau_m_ms, dtype=torch.float64))
    for k in range(x_TNC.shape[1]):
        net.reset()
        v = torch.zeros(1, settings.neurons, dtype=torch.float64)
        for row in x_TNC[:, k]:
            v = fade * v + net(row[None])
            ratio = v / threshold
            fired = torch.zeros_like(v)
            if float(ratio.max()) >= 1:
                fired[0, int(ratio.argmax())] = 1.0
                v = torch.zeros_like(v)
            net.learn(row[None], fired)
            net.magnitude.copy_(torch.where(fired.T > 0, net.magnitude / net.magnitude.norm(dim=1, keepdim=True), net.magnitude))
            threshold = intrinsic.step(fired, threshold)
            counts[k] += fired[0].int()
    return counts, Pool(net.magnitude, threshold)


@pytest.mark.parametrize("progress", [0.0, 0.5])
def test_parity_with_the_rules_on_a_projection(progress: float) -> None:
    pool, x_TNC = new_pool(9, SMALL, torch.Generator().manual_seed(3)), spikes(4)
    counts, after = show(pool, x_TNC, SMALL, progress=progress)
    theirs, expected = reference(pool, x_TNC, SMALL, progress)
    assert int(counts.sum()) > 5 and torch.equal(counts, theirs)
    assert torch.allclose(after.weight_nC, expected.weight_nC, rtol=0, atol=1e-12)
    assert torch.allclose(after.threshold_n, expected.threshold_n, rtol=1e-12, atol=0)
    assert not torch.allclose(after.weight_nC, pool.weight_nC)


def test_weights_keep_their_length() -> None:
    pool = learn(new_pool(9, SMALL, torch.Generator().manual_seed(0)), spikes(1), SMALL, torch.Generator().manual_seed(1))
    assert torch.allclose(pool.weight_nC.norm(dim=1), torch.ones(12).double(), rtol=1e-12) and bool((pool.weight_nC >= 0).all())


def test_frozen_answers_depend_on_no_order() -> None:
    pool, x_TNC = new_pool(9, SMALL, torch.Generator().manual_seed(0)), spikes(5, samples=20)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    assert torch.equal(show(pool, x_TNC, SMALL)[0][order], show(pool, x_TNC, SMALL, order=order)[0])


def test_names_and_votes_by_hand() -> None:
    """Neuron 0 fires twice for class 0 and once for class 1, neuron 1 never, neuron 2 once for class 1."""
    share = name_neurons(torch.tensor([[2, 0, 0], [1, 0, 1]]), torch.tensor([0, 1]), 2)
    assert torch.allclose(share, torch.tensor([[2 / 3, 1 / 3], [0, 0], [0, 1]]).double())
    assert torch.allclose(vote(torch.tensor([[3, 5, 1]]), share), torch.tensor([[2.0, 2.0]]).double())


def test_it_learns_three_patterns() -> None:
    made = local_trial(SMALL, *SETS, classes=3, seed=0)
    assert made.metrics["test/acc"] > 0.95 and made.metrics["val/acc"] > 0.95
    assert made.metrics["cost/synops"] == pytest.approx(made.metrics["cost/input_spikes"] * 12 + made.metrics["cost/spikes"] * 11)
    assert made.details["n_test"] == 30 and len(made.details["fields"]["weights"]) == 9


def test_homeostasis_brings_the_spikes_to_their_number() -> None:
    """Spikes per sample near `spikes` from a threshold far too low and from one far too high; without it they stay where they were."""
    for threshold in (1.0, 3.9):
        fast = replace(SMALL, threshold=threshold, eta_threshold=0.1, epochs=30)
        found = local_trial(fast, *SETS, classes=3, seed=0).metrics["cost/spikes"]
        assert found == pytest.approx(1.5, abs=0.6)
    assert local_trial(replace(SMALL, threshold=1.0, eta_threshold=0.0), *SETS, classes=3, seed=0).metrics["cost/spikes"] > 3


def test_same_seed_same_bits_and_test_labels_decide_nothing() -> None:
    first, again, other = (local_trial(SMALL, *SETS, classes=3, seed=s) for s in (0, 0, 1))
    assert first == again and first.details["sha256"] != other.details["sha256"]
    scrambled = (SETS[2][0], SETS[2][1].roll(1))
    cheated = local_trial(SMALL, SETS[0], SETS[1], scrambled, classes=3, seed=0)
    assert cheated.details["sha256"] == first.details["sha256"] and cheated.metrics["test/acc"] < 0.3


def test_what_a_pool_refuses() -> None:
    pool = new_pool(9, SMALL, torch.Generator().manual_seed(0))
    with pytest.raises(UserError, match=r"a pool of 9 inputs needs spikes 0 or 1 \[T, N, 9\]; got \[8, 6, 5\]"):
        show(pool, spikes(0, inputs=5), SMALL)
    with pytest.raises(UserError, match="values up to 2"):
        show(pool, 2 * spikes(0), SMALL)
    with pytest.raises(UserError, match=r"no neuron fires at p8_local\.threshold=1000: the pool is silent; lower it"):
        local_trial(replace(SMALL, threshold=1000.0, eta_threshold=0.0), *SETS, classes=3, seed=0)
    with pytest.raises(UserError, match=r"spikes=99\.0 per sample; 2 neurons fire at most 4 times"):
        Local(neurons=2, time_steps=2, spikes=99.0)
    with pytest.raises(UserError, match=r"seeds=\[1\]; need at least two seeds"):
        Local(seeds=[1])


def group(*accuracies: float) -> list[Run]:
    return [Run(metrics={"test/acc": a}, details={"sha256": {"pool": str(a)}}) for a in accuracies]


GROUPS = {"stdp": group(0.95, 0.97), "no_stdp": group(0.6, 0.61), "no_homeostasis": group(0.5, 0.53)}


def test_verdict_by_hand() -> None:
    """Gains over no STDP 0.35 and 0.36: mean 0.355, t = 12.706 for one degree of freedom, half width 12.706 x 0.005."""
    summary, claims = local_verdict(GROUPS, GROUPS["stdp"][0], target=0.9)
    assert summary["stdp/test/acc"] == pytest.approx(0.96) and summary["verdict/all"] == 1.0
    assert summary["compare/acc_over_no_stdp"] == pytest.approx(0.355)
    assert summary["compare/acc_over_no_stdp_ci95"] == pytest.approx(12.7062 * 0.005, rel=1e-4)
    assert [row["name"] for row in claims] == ["deterministic", "accuracy", "worst", "stdp", "homeostasis"]
    assert set(GROUPS) == set(LOCAL_VARIANTS)


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"stdp": group(0.85, 0.97)}, "worst"),
        ({"no_stdp": group(0.96, 0.96)}, "stdp"),
        ({"no_homeostasis": group(0.95, 0.9)}, "homeostasis"),
    ],
)
def test_every_claim_can_be_missed(change: dict[str, list[Run]], missed: str) -> None:
    groups = {**GROUPS, **change}
    _, claims = local_verdict(groups, groups["stdp"][0], target=0.9)
    assert missed in [row["name"] for row in claims if not row["met"]]
    assert local_verdict(groups, groups["stdp"][1], target=0.9)[0]["verdict/deterministic"] == 0.0
