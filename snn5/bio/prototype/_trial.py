"""The early prototype's experiment, one seed: two classes of Poisson rates or latencies, a pool that learns, a ridge read-out.

Its defects, each of which `Flaws` switches on: spikes of the pool arrive a step late and STDP pairs them late; STDP grows synapses outside
the wiring; STDP wipes inhibition out; thresholds go on adapting while the network is tested. Rebuilt from a description: random streams
are our own, so figures agree in distribution, not seed by seed. All samples of a class have the same rates, so its accuracies say nothing
about generalisation. Mended also means exact decays, exp(-dt / tau) in place of 1 - dt / tau.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from snn5.bio.prototype._kernel import present
from snn5.record import Run

NEURONS, INPUTS, PATTERN = 80, 40, 6
TRAIN, TEST, EPOCHS = 100, 60, 3
TAU_MS, ETA, ALPHA = 20.0, 5e-4, 0.1
MODELS: Mapping[str, Mapping[str, Any]] = {
    "homeo_poisson": {"code": "poisson", "inhibition": False},
    "homeo_latency": {"code": "latency", "inhibition": False},
    "ei_poisson": {"code": "poisson", "inhibition": True},
}


class Flaws(NamedTuple):
    """Which defects a run has."""

    late: bool
    dense: bool
    wiped: bool
    adapts_in_test: bool
    coarse_decay: bool


FLAWS = Flaws(late=True, dense=True, wiped=True, adapts_in_test=True, coarse_decay=True)
MENDED = Flaws(late=False, dense=False, wiped=False, adapts_in_test=False, coarse_decay=False)


def rates_hz(label: int) -> np.ndarray:
    """2 Hz everywhere, 40 Hz of the first six inputs (class 0) or of the last six."""
    rate_C = np.full(INPUTS, 2.0)
    rate_C[:PATTERN] = 40.0 if label == 0 else 2.0
    rate_C[-PATTERN:] = 40.0 if label == 1 else 2.0
    return rate_C


def encode(label: int, code: str, generator: np.random.Generator) -> np.ndarray:
    """uint8 [T, C]: Poisson (T = 100), or (T = 80) a spike each, early where the rate is high, two more behind it in 60 % of the inputs."""
    rate_C = rates_hz(label)
    if code == "poisson":
        return (generator.random((100, INPUTS)) < rate_C / 1000).astype(np.uint8)
    burst, steps = 2, 80
    share_C = (rate_C - rate_C.min()) / (rate_C.max() - rate_C.min())
    first_C = np.floor((1 - share_C) * (steps - max(5, burst + 2))).astype(int)
    x_TC = np.zeros((steps, INPUTS), np.uint8)
    more_C = generator.random(INPUTS) < 0.6
    for c in range(INPUTS):
        x_TC[first_C[c] : first_C[c] + (1 + burst if more_C[c] else 1), c] = 1
    return x_TC


def prototype_trial(model: str, *, flaws: Flaws, seed: int, plastic: bool = True) -> Run:
    """Train for three epochs, fit the read-out to the training samples shown once more, test.

    Args:
        model: of `MODELS`. plastic: False holds all weights; thresholds still drift.

    Returns:
        `test/acc`, `test/rate` (spikes per neuron and step), `cost/spikes` (of the pool, per sample), `cost/input_spikes`,
        `wiring/density` of the pool's synapses, `wiring/inhibition` (sum of |inhibitory weights| over what it was at first).
    """
    code, inhibition = MODELS[model]["code"], MODELS[model]["inhibition"]
    generator = np.random.default_rng(seed)
    e = NEURONS * 4 // 5 if inhibition else NEURONS
    into_nC = np.clip(generator.normal(0.5, 0.1, (NEURONS, INPUTS)), 0, None)
    mask_nn = ~np.eye(NEURONS, dtype=bool) & ((generator.random((NEURONS, NEURONS)) < 0.12) | inhibition)
    own_nn = np.abs(generator.normal(0.15, 0.04, (NEURONS, NEURONS))) * mask_nn
    own_nn[:, e:] *= -1.0
    theta_n = np.ones(NEURONS)
    before = np.abs(own_nn[:, e:]).sum()
    rest = 1 - 1 / TAU_MS if flaws.coarse_decay else math.exp(-1 / TAU_MS)

    def show(x_TC: np.ndarray, *, learn: bool) -> np.ndarray:
        drift = learn or flaws.adapts_in_test
        switches = (flaws.late, flaws.dense, flaws.wiped)
        counts_n: np.ndarray = present(
            x_TC,
            into_nC,
            own_nn,
            mask_nn,
            theta_n,
            e,
            8 if inhibition else 0,
            ETA,
            learn and plastic,
            drift,
            switches,
            rest,
            math.exp(-1 / TAU_MS),
        )
        return counts_n

    train = [encode(k % 2, code, generator) for k in range(TRAIN)]
    test = [encode(k % 2, code, generator) for k in range(TEST)]
    for _ in range(EPOCHS):
        for x_TC in train:
            show(x_TC, learn=True)
    steps = len(train[0])
    seen_Nn, tested_Nn = (np.array([show(x_TC, learn=False) for x_TC in side]) / steps for side in (train, test))
    target_N2 = np.eye(2)[np.arange(TRAIN) % 2]
    weight_n2 = np.linalg.solve(seen_Nn.T @ seen_Nn + ALPHA * np.eye(NEURONS), seen_Nn.T @ target_N2)
    right = (tested_Nn @ weight_n2).argmax(1) == np.arange(TEST) % 2
    metrics = {
        "test/acc": float(right.mean()),
        "test/rate": float(tested_Nn.mean()),
        "cost/spikes": float(tested_Nn.sum(1).mean() * steps),
        "cost/input_spikes": float(np.mean([x_TC.sum() for x_TC in test])),
        "wiring/density": float((own_nn != 0).mean()),
    }
    if inhibition:
        metrics["wiring/inhibition"] = float(np.abs(own_nn[:, e:]).sum() / before)
    return Run(params={"model": model, "seed": seed, **flaws._asdict(), "plastic": plastic}, metrics=metrics, details={"n_test": TEST})
