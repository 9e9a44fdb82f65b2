"""GLIF's initial values, its draws, one step by itself, and its errors."""

import pytest
import torch
from spikingjelly.activation_based import surrogate

from snn5.errors import UserError
from snn5.neurons import GLIF
from snn5.neurons._glif import Raw, coefficients, glif_step


def test_initial_values() -> None:
    k = GLIF(channels=50, time_steps=3).effective()
    expected = {"tau": 0.25, "theta": 0.5, "theta_r": 0.5, "leak": 0.0625, "g": 0.5}
    for name, value in expected.items():
        assert torch.allclose(k[name], torch.full_like(k[name], value), atol=1e-6), name
    for name in ("alpha", "beta", "gamma"):
        assert float(k[name].min()) > 0.474 and float(k[name].max()) < 0.526 and float(k[name].std()) > 0.01
    other = GLIF(channels=1, time_steps=9, tau=0.5, v_threshold=0.8, conductance=0.9).effective()
    assert [round(other[n][0].mean().item(), 5) for n in ("tau", "theta", "theta_r", "leak", "g")] == [0.5, 0.8, 0.8, 0.1, 0.9]


def test_gates_are_drawn_from_the_generator_that_is_passed() -> None:
    before = torch.get_rng_state()
    node = GLIF(channels=4, time_steps=2)
    default = [p.clone() for p in node.parameters()]
    node.reset_parameters(torch.Generator().manual_seed(7))
    drawn = [p.clone() for p in node.parameters()]
    node.reset_parameters(torch.Generator().manual_seed(7))
    assert all(map(torch.equal, drawn, node.parameters())) and not torch.equal(default[0], drawn[0])
    assert all(map(torch.equal, default, GLIF(channels=4, time_steps=2).parameters()))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_pure_step() -> None:
    raw = Raw(*(torch.zeros(1) for _ in Raw._fields))  # everything 1/2
    k = coefficients(raw, torch.zeros(1, 1))
    assert [round(c.item(), 6) for c in k] == [0.75, 0.5, 0.25, 0.75, 0.25, 0.5]
    s, u = glif_step(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1), k, surrogate.Rect())
    assert (s.item(), u.item()) == (1.0, 0.75 * 0.5 - 0.25 + 0.75 - 0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GLIF(channels=0, time_steps=4), "channels=0; need at least 1"),
        (lambda: GLIF(channels=4, time_steps=0), "time_steps=0; need at least 1"),
        (lambda: GLIF(channels=4, time_steps=4, v_threshold=1.0), r"v_threshold=1.0; need a number between 0 and 1"),
        (lambda: GLIF(channels=4, time_steps=4, tau=2.0), r"tau=2.0; need a number between 0 and 1"),
        (lambda: GLIF(channels=4, time_steps=4, surrogate="rectangel"), "unknown surrogate 'rectangel'; did you mean rectangle"),
        (lambda: GLIF(channels=4, time_steps=4)(torch.zeros(2, 3, 5)), r"shape \[2, 3, 5\]; need \[T, N, 4, ...\]"),
        (lambda: GLIF(channels=4, time_steps=4)(torch.zeros(2, 4)), r"shape \[2, 4\]; need \[T, N, 4, ...\]"),
    ],
)
def test_mistakes(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=message):
        call()
