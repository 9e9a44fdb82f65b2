"""The early prototype as a regression: its published behaviour with its defects, and what is left of it without them."""

import numpy as np
import pytest

from snn5.bio.prototype import FLAWS, MENDED, prototype_trial
from snn5.bio.prototype._kernel import present
from snn5.bio.prototype._trial import encode, rates_hz


def test_inputs_by_hand() -> None:
    assert rates_hz(0).tolist() == [40.0] * 6 + [2.0] * 34 and rates_hz(1).tolist() == [2.0] * 34 + [40.0] * 6
    x_TC = encode(0, "latency", np.random.default_rng(0))
    assert x_TC.shape == (80, 40) and x_TC[0].tolist() == [1] * 6 + [0] * 34  # the pattern at once
    assert x_TC[1:75].sum() <= 12 and x_TC[75, 6:].tolist() == [1] * 34  # all others in step 75
    assert set(x_TC.sum(0).tolist()) == {1, 3}
    mean = np.mean([encode(1, "poisson", np.random.default_rng(k)).sum() for k in range(200)])
    assert mean == pytest.approx(100 * (6 * 0.04 + 34 * 0.002), rel=0.05)  # 30.8


def pair(*, late: bool) -> list[list[int]]:
    """Neuron 0 gets an input spike in step 0 and drives neuron 1: the steps in which each fires."""
    x_TC = np.zeros((6, 1), np.uint8)
    x_TC[0] = 1
    out = []
    for steps in range(1, 7):
        own_nn = np.array([[0.0, 0.0], [40.0, 0.0]])
        args = (np.array([[40.0], [0.0]]), own_nn, own_nn > 0, np.ones(2), 2, 0, 0.0, False, False, (late, False, False), 0.95, 0.95)
        out.append(present(x_TC[:steps], *args).tolist())
    return out


def test_the_delay_of_the_pool() -> None:
    """Published: two steps instead of one."""
    assert [counts[1] for counts in pair(late=False)] == [0, 1, 1, 1, 1, 1]
    assert [counts[1] for counts in pair(late=True)] == [0, 0, 1, 1, 1, 1]


def test_thresholds_drift_as_published() -> None:
    """A silent neuron's falls by 5e-4 x 0.08 a step."""
    theta_n = np.ones(3)
    x_TC, own_nn = np.zeros((100, 2), np.uint8), np.zeros((3, 3))
    present(x_TC, np.zeros((3, 2)), own_nn, own_nn > 0, theta_n, 3, 0, 5e-4, True, True, (True, True, True), 0.95, 0.95)
    assert theta_n == pytest.approx(1 - 100 * 4e-5)


def test_latencies_as_published_and_frozen() -> None:
    """Published: about 89 % (sd 5) at a rate of 0.056, and the pool loses all its synapses. With frozen thresholds chance is left."""
    published = prototype_trial("homeo_latency", flaws=FLAWS, seed=2028).metrics
    assert 0.75 < published["test/acc"] < 1 and published["test/rate"] == pytest.approx(0.0558, abs=0.002)
    assert published["wiring/density"] == 0.0 and published["cost/input_spikes"] == pytest.approx(87.6, abs=3)
    frozen = prototype_trial("homeo_latency", flaws=FLAWS._replace(adapts_in_test=False), seed=2028).metrics
    assert frozen["test/acc"] < 0.65 and frozen["test/rate"] == pytest.approx(0.0498, abs=0.002)


def test_poisson_as_published_and_without_stdp() -> None:
    """Published: 100 % at 0.0936; without STDP no worse, as the drift of the thresholds does it all. The wiring's 12 % become dense."""
    published = prototype_trial("homeo_poisson", flaws=FLAWS, seed=2028).metrics
    assert published["test/acc"] >= 0.95 and published["test/rate"] == pytest.approx(0.0936, abs=0.006)
    assert published["wiring/density"] > 0.5
    fixed = prototype_trial("homeo_poisson", flaws=FLAWS, seed=2028, plastic=False).metrics
    assert fixed["test/acc"] >= published["test/acc"] - 0.02 and fixed["wiring/density"] < 0.15


def test_inhibition_is_wiped_out_and_survives_where_that_is_mended() -> None:
    published, mended = (prototype_trial("ei_poisson", flaws=flaws, seed=2028).metrics for flaws in (FLAWS, MENDED))
    assert published["wiring/inhibition"] == 0.0 and published["test/rate"] == pytest.approx(0.1128, abs=0.006)
    assert mended["wiring/inhibition"] == 1.0 and mended["test/rate"] < published["test/rate"] / 2


def test_the_wiring_holds_where_it_is_mended() -> None:
    made = prototype_trial("homeo_poisson", flaws=MENDED, seed=2028)
    assert made.metrics["wiring/density"] < 0.14
    assert made.metrics == prototype_trial("homeo_poisson", flaws=MENDED, seed=2028).metrics
