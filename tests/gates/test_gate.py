"""The gates themselves: what is committed holds, and every fault is caught."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from snn5 import benchmark, gates
from snn5.benchmark import RULES, Work
from snn5.errors import UserError
from snn5.gates import GATES, Outcome, _faults, _networks
from snn5.models import MatMul

ROOT = Path(__file__).parents[2]


def test_the_frozen_networks_hold_their_baseline() -> None:
    assert [f for f in gates.hold("networks", ROOT) if f.fails] == []


@cache
def outcomes() -> tuple[Outcome, ...]:
    return tuple(gates.selftest(ROOT))


def test_the_selftest_has_every_fault() -> None:
    for gate in GATES:
        words = " | ".join(o.fault.lower() for o in outcomes() if o.gate == gate)
        assert all(fault in words for fault in ("none", "times 1.2", "labels shuffled", "missing", "nan", "accuracy metric missing"))
        assert any("params_nnz" in o.expected for o in outcomes() if o.gate == gate)  # the mask


def test_every_fault_is_caught_and_no_fault_passes() -> None:
    assert [(o.gate, o.fault, o.failed[:5]) for o in outcomes() if not o.caught] == []
    assert {o.gate for o in outcomes() if not o.expected} == set(GATES)


def test_a_missing_figure_fails_alone() -> None:
    for o in outcomes():
        if o.fault.endswith(("missing", "NaN")):
            assert o.failed == (o.expected,)


def test_an_outcome_is_caught_for_the_right_reason_only() -> None:
    one = Outcome(gate="g", fault="f", expected="/rate/", failed=("net/accuracy",))
    assert not one.caught and replace(one, failed=("net/rate/stem",)).caught
    assert replace(one, expected="", failed=()).caught and not replace(one, expected="").caught


def test_a_counter_that_forgets_attention_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, MatMul, lambda _m, _inputs, out: Work(outputs=out.numel()))
    found = {f.metric for f in gates.check("networks", ROOT) if f.fails}
    assert {"former/acs", "former/operations/blocks.0.attention.inner", "former/energy_pj/fp32"} <= found
    assert not any(name.startswith("sew/") or "/rate/" in name or name.endswith("accuracy") for name in found)


def test_a_failing_gate_names_the_figures_and_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    wider = replace(GATES["networks"], measure=lambda root: {})
    monkeypatch.setitem(gates._gate.GATES, "networks", wider)  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"'networks' fails on \d+ figures:\n  former/accuracy is missing.*(\n.*)+snn5 gate move networks"):
        gates.hold("networks", ROOT)
    with pytest.raises(UserError, match="unknown gate 'network'; did you mean networks"):
        gates.check("network", ROOT)


def test_float32_holds_the_frozen_networks_sums_without_rounding() -> None:
    """Why counts can be exact: float64, other batches and another order of samples give the same bits."""
    x_TNCHW = torch.from_numpy(_networks.test_split().x_TNCHW[:, :60]).float() / 16
    for source in _networks.networks(ROOT).values():
        model, double = source.build(), source.build().double()
        with torch.no_grad():
            logits = model(x_TNCHW)
            assert torch.equal(logits.double(), double(x_TNCHW.double()))
            assert torch.equal(logits[:, 7:19], model(x_TNCHW[:, 7:19]))
            assert torch.equal(logits.flip(1), model(x_TNCHW.flip(1)))


def test_the_frozen_networks_have_what_the_gate_is_about() -> None:
    sew, former = (_networks.networks(ROOT)[name] for name in ("sew", "former"))
    assert sew.card.cutoff is not None and former.card.cutoff is None
    kinds = {layer.kind for layer in benchmark.count_operations(sew.build(), torch.rand(1, 2, 1, 8, 8).round()).layers.values()}
    assert "integer" in kinds  # SEW's sums of spikes
    for source in (sew, former):
        weights = [w for name, w in source.state.items() if name in source.card.masks]
        zeros = sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)
        assert 0.45 < zeros < 0.7


def test_faults_change_what_they_say() -> None:
    source = _networks.networks(ROOT)["sew"]
    weight = "blocks.0.branch.0.0.weight"
    assert torch.equal(_faults.louder(source).state[weight], 1.2 * source.state[weight])
    assert int((_faults.unmasked(source).state[weight] == 0).sum()) == 0
    split = _networks.test_split()
    assert sorted(_faults.shuffled(split).y_N) == sorted(split.y_N) and (_faults.shuffled(split).y_N != split.y_N).mean() > 0.8
