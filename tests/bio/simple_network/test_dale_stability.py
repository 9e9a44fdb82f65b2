"""Dale's law over 20 000 random steps, the balance that inhibition learns, and the figures of the stability report by hand."""

from dataclasses import replace

import pytest
import torch

from snn5.bio.learning_rules import Hard, InhibitorySTDP, PairSTDP, Rule
from snn5.bio.simple_network import (
    VARIANTS,
    BioSNN,
    Trace,
    Wiring,
    check_alive,
    correlation,
    dale_violations,
    digits_trial,
    highest_rate,
    stability,
    steady_trial,
    verdict,
)
from snn5.config import Dale
from snn5.errors import UserError
from snn5.record import Run

SMALL = Dale(seeds=[0], steps=6000)


def strong(kind: str) -> Rule | None:
    """Rules that push weights to their bounds again and again."""
    if kind == "i->e":
        return InhibitorySTDP(eta=0.1, bounds=Hard(maximum=0.5))
    return PairSTDP(a_plus=0.1, a_minus=0.12, bounds=Hard(maximum=0.5)) if kind in ("input->e", "e->e") else None


def test_dale_holds_in_20_000_steps_of_strong_learning() -> None:
    net = BioSNN([{"n_e": 30, "n_i": 8}], 20, wiring=Wiring(), synaptic_rule=strong, generator=torch.Generator().manual_seed(0))
    layer = net.layers[0]
    mask, first = layer.mask.clone(), layer.weight.clone()
    x_TC = torch.rand(20000, 20, generator=torch.Generator().manual_seed(1)) < 0.05
    trace = net.simulate(x_TC, every=1)[0]
    assert int(trace.violations.sum()) == 0 and len(trace.violations) == 20000
    assert dale_violations(layer.weight, mask, layer.sign) == 0 and not layer.weight.diagonal().any()
    assert not torch.equal(layer.weight, first)
    assert float(trace.inhibition.min()) > 0.5 * float(trace.inhibition[0])


def test_violations_are_counted() -> None:
    sign = torch.tensor([1.0, -1.0])
    mask = torch.tensor([[False, True], [True, False]])
    assert dale_violations(torch.tensor([[0.0, -1.0], [1.0, 0.0]]), mask, sign) == 0
    assert dale_violations(torch.tensor([[0.0, 1.0], [-1.0, 0.0]]), mask, sign) == 2
    assert dale_violations(torch.tensor([[0.5, -1.0], [1.0, 0.0]]), mask, sign) == 1  # onto itself


def test_a_compiled_run_sees_what_is_wrong() -> None:
    net = BioSNN([{"n_e": 5, "n_i": 2}], 4, generator=torch.Generator().manual_seed(0))
    projection = net.layers[0].projection("e->i")
    row, column = projection.mask.nonzero()[0].tolist()
    projection.magnitude[row, column] = -1.0
    assert net.simulate(torch.zeros(20, 4), every=10)[0].violations.tolist() == [1.0, 1.0]


def test_inhibition_that_learns_holds_the_rate() -> None:
    """C8.5 and C8.6 on one seed and fewer steps; the stage judges five and 20 000."""
    runs = {name: steady_trial(SMALL, VARIANTS[name], 1).metrics for name in ("istdp", "frozen", "e_only")}
    assert runs["istdp"]["rate_ratio"] <= 1.15 and runs["frozen"]["rate_ratio"] >= 1.8
    assert runs["e_only"]["steady/rate_e"] >= 3 * runs["istdp"]["steady/rate_e"]
    assert abs(runs["istdp"]["steady/rate_e"] / SMALL.rate_per_ms - 1) < 0.5  # not yet settled
    assert runs["istdp"]["dale/violations"] == 0 and runs["istdp"]["dale/inhibition_kept"] > 0.5
    assert runs["frozen"]["weight_drift"] == 0 != runs["istdp"]["weight_drift"]
    assert runs["istdp"]["rate_ratio_frozen_then"] > runs["istdp"]["rate_ratio"]


def test_the_same_seed_gives_the_same_run() -> None:
    settings = replace(SMALL, steps=500)
    one, two, other = (steady_trial(settings, VARIANTS["istdp"], seed) for seed in (1, 1, 2))
    assert one == two and one.metrics != other.metrics


def test_correlation_by_hand() -> None:
    """Counts in bins of two: (2, 0, 1), (2, 0, 1), (0, 2, 1): correlations 1, -1, -1."""
    spikes = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 1], [0, 1, 0]])
    assert correlation(spikes, 2) == pytest.approx(-1 / 3)
    assert correlation(torch.ones(6, 3), 2) == 0.0


def test_highest_rate_by_hand() -> None:
    """Two neurons, windows of two steps: means 1/4, 3/4, 1."""
    spikes = torch.tensor([[0, 0], [1, 0], [1, 1], [1, 1]])
    assert highest_rate(spikes, 2) == 1.0 and highest_rate(spikes[:3], 2) == 0.75 and highest_rate(spikes, 9) == 5 / 8


def test_the_report_by_hand() -> None:
    net = BioSNN([{"n_e": 2, "n_i": 1}], 3, generator=torch.Generator().manual_seed(0))
    spikes = torch.zeros(100, 3, dtype=torch.uint8)
    spikes[::10, 0] = 1
    spikes[::20, 2] = 1
    current = torch.tensor([[4.0, 3.0]]).expand(100, 2)
    trace = Trace(spikes, current, torch.tensor([8.0, 6.0, 12.0]), torch.tensor([0.0, 2.0, 0.0]))
    found = stability(trace, net.layers[0], 0)
    assert (found["rate_e"], found["rate_i"]) == (pytest.approx(0.05), pytest.approx(0.05))
    assert found["net_current"] == 0.25 and found["inhibition_kept"] == 0.75 and found["violations"] == 2.0
    assert found["cv_isi"] == 0.0 and (found["silent"], found["runaway"]) == (0.0, 0.0)
    with pytest.raises(UserError, match="start=100 of 100 steps leaves nothing"):
        stability(trace, net.layers[0], 100)


def test_silent_and_runaway_layers_stop_with_their_name() -> None:
    net = BioSNN([{"n_e": 2, "n_i": 1}], 3, generator=torch.Generator().manual_seed(0))
    for value, said in ((0, "layer 0 is silent: 0 spikes"), (1, "layer 0 runs away: 1 spikes per neuron and step over 50 steps")):
        spikes = torch.full((60, 3), value, dtype=torch.uint8)
        trace = Trace(spikes, torch.zeros(60, 2), torch.ones(1), torch.zeros(1))
        with pytest.raises(UserError, match=said):
            check_alive(stability(trace, net.layers[0], 0), "layer 0")
    with pytest.raises(UserError, match=r"layer 0 \(80 excitatory neurons\) is silent"):
        steady_trial(replace(SMALL, steps=500, strengths=[0.01] * 6), VARIANTS["frozen"], 0)


def test_digits_are_read_out() -> None:
    """Two classes, told apart by which half of the inputs fires."""
    y_N = torch.arange(40) % 2
    p_NC = torch.where((torch.arange(20) < 10)[None, :] == (y_N == 0)[:, None], 0.3, 0.02)
    x_TNC = (torch.rand(40, 40, 20, generator=torch.Generator().manual_seed(0)) < p_NC).to(torch.uint8)
    settings = replace(SMALL, digit_steps=40)
    made = digits_trial(settings, VARIANTS["istdp"], (x_TNC[:, :24], y_N[:24]), (x_TNC[:, 24:], y_N[24:]), classes=2, seed=0)
    assert made.metrics["test/acc"] >= 0.8 and made.details["n_test"] == 16 and made.metrics["cost/spike_rate"] > 0


def test_the_verdict_is_the_worst_seeds() -> None:
    def of(rate: float, ratio: float, **more: float) -> Run:
        blank = {f"{when}/{what}": 0.0 for when in ("steady", "doubled") for what in ("runaway", "silent")}
        return Run(metrics=blank | {"steady/rate_e": rate, "rate_ratio": ratio, "dale/violations": 0.0, "dale/inhibition_kept": 0.9} | more)

    groups = {"istdp": [of(0.01, 1.0), of(0.012, 1.1)], "frozen": [of(0.03, 2.0), of(0.03, 1.9)], "e_only": [of(0.05, 2.0), of(0.05, 2.0)]}
    summary, rows = verdict(SMALL, groups)
    assert summary["verdict/all"] == 1.0 and {row["name"]: row["measured"] for row in rows}["needed"] == pytest.approx(0.05 / 0.012)
    for change, missed in (
        ({"rate_ratio": 1.2}, "ratio"),
        ({"dale/violations": 1.0}, "dale"),
        ({"dale/inhibition_kept": 0.4}, "kept"),
        ({"doubled/runaway": 1.0}, "alive"),
        ({"steady/rate_e": 0.014}, "target"),
    ):
        worse = groups | {"istdp": [groups["istdp"][0], of(0.012, 1.1, **change)]}
        found, _ = verdict(SMALL, worse)
        assert found[f"verdict/{missed}"] == 0.0 and found["verdict/all"] == 0.0
