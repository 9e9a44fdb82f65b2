"""A liquid that learns: against the rules on projections step by step, and what must hold whatever it learns."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from snn5.bio import ABLATIONS, Liquid, State, observe, step, train_liquid
from snn5.bio._features import features
from snn5.bio._plastic import plastic_rules
from snn5.bio._topology import GRID
from snn5.bio.learning_rules import Projection
from snn5.config import Liquid as Settings
from snn5.config import Plasticity

SETTINGS = Settings(neurons=40, gain=1.0, plasticity=Plasticity(eta_threshold=0.02, eta_stdp=0.05, eta_inhibition=0.05))


def made(seed: int = 0, **changes: object) -> Liquid:
    return Liquid(6, replace(SETTINGS, **changes), input_rate=0.1, generator=torch.Generator().manual_seed(seed))  # type: ignore[arg-type]


def counts(samples: int = 5, steps: int = 60, seed: int = 1) -> Tensor:
    return (torch.rand(steps, samples, 6, generator=torch.Generator().manual_seed(seed)) < 0.1).to(torch.uint8)


def trained(liquid: Liquid, x_TNC: Tensor, settings: Plasticity, seed: int = 3) -> Liquid:
    return train_liquid(liquid, x_TNC, settings, torch.Generator().manual_seed(seed))


def reference(liquid: Liquid, x_TNC: Tensor, settings: Plasticity, seed: int = 3) -> tuple[Tensor, Tensor]:
    """Magnitudes and thresholds by `step` and the library's rules on two projections, dense and in float64."""
    s = liquid.settings
    pair, inhibitory, intrinsic = plastic_rules(settings, dt_ms=s.dt_ms, threshold=s.threshold)
    unit = liquid.unit * torch.where(liquid.sign < 0, s.inhibition, 1.0).double()
    positive = liquid.sign > 0
    start = liquid.magnitude.double() / unit
    onto_e = liquid.mask & positive[:, None]
    excite = Projection(start, pair if settings.eta_stdp else None, mask_qp=onto_e & positive)
    inhibit = Projection(start, inhibitory if settings.eta_inhibition else None, mask_qp=onto_e & ~positive)
    rest = start * (liquid.mask & ~positive[:, None])
    base = liquid.double().constants()
    threshold = liquid.threshold.double()
    for k in torch.randperm(x_TNC.shape[1], generator=torch.Generator().manual_seed(seed)):
        excite.reset()
        inhibit.reset()
        state = State(*(tensor.double() for tensor in liquid.silent(1)))
        for row in x_TNC[:, k]:
            weight = (excite.magnitude + inhibit.magnitude + rest) * unit * liquid.sign
            arriving = state.past_DNn[0]
            spikes, state = step(row[None].double() @ liquid.weight_in.T, state, base._replace(weight_nn=weight, threshold=threshold))
            excite.learn(arriving, spikes)
            inhibit.learn(arriving, spikes)
            threshold = intrinsic.step(spikes, threshold)
    return (excite.magnitude + inhibit.magnitude + rest) * unit, threshold


@pytest.mark.parametrize("ablation", ["ip", "ip_stdp", "ip_stdp_istdp"])
def test_parity_with_the_rules_on_projections(ablation: str) -> None:
    settings = replace(SETTINGS.plasticity, **ABLATIONS[ablation])
    liquid, x_TNC = made(), counts()
    found = trained(liquid, x_TNC, settings)
    magnitude, threshold = reference(made(), x_TNC, settings)
    assert torch.allclose(found.magnitude.double(), magnitude, rtol=0, atol=GRID / 2 + 1e-9)
    assert torch.allclose(found.threshold.double(), threshold, rtol=1e-6)
    assert not torch.allclose(found.threshold, liquid.threshold, atol=1e-3)


def test_each_rule_moves_its_own_synapses() -> None:
    """Without a rule its weights keep every bit; no rule touches E->I and I->I."""
    liquid, x_TNC = made(), counts(20)
    positive = liquid.sign > 0
    groups = {"ee": positive[:, None] & positive, "ie": positive[:, None] & ~positive, "other": ~positive[:, None].expand(40, 40)}
    moved = {}
    for name, change in ABLATIONS.items():
        after = trained(liquid, x_TNC, replace(SETTINGS.plasticity, **change))
        moved[name] = {key for key, where in groups.items() if not torch.equal(after.magnitude[where], liquid.magnitude[where])}
        moved[name] |= set() if torch.equal(after.threshold, liquid.threshold) else {"threshold"}
    assert moved == {"frozen": set(), "ip": {"threshold"}, "ip_stdp": {"threshold", "ee"}, "ip_stdp_istdp": {"threshold", "ee", "ie"}}


def test_wiring_dale_and_grid_hold() -> None:
    liquid = made()
    after = trained(liquid, counts(40), replace(SETTINGS.plasticity, eta_stdp=0.5, eta_inhibition=0.5, epochs=2))
    assert bool((after.magnitude >= 0).all()) and bool((after.magnitude[~liquid.mask] == 0).all())
    assert bool((after.weight * after.sign >= 0).all())
    assert torch.equal(torch.round(after.magnitude / GRID) * GRID, after.magnitude)
    inhibitory = liquid.sign < 0
    assert float(after.magnitude[:, inhibitory].sum()) > 0.5 * float(liquid.magnitude[:, inhibitory].sum())
    limit = liquid.unit * SETTINGS.plasticity.maximum * torch.where(inhibitory, SETTINGS.inhibition, 1.0)
    positive = liquid.sign > 0
    assert bool((after.magnitude <= limit + GRID)[positive].all())


def test_thresholds_bring_the_rate_to_its_target() -> None:
    """Mean rate of the frozen liquid after training within a third of the target, for two targets; before it is neither."""
    liquid, x_TNC = made(), counts(60)
    read = features(SETTINGS)
    found = []
    for target in (0.01, 0.03):
        settings = Plasticity(eta_threshold=0.02, eta_stdp=0.0, eta_inhibition=0.0, rate_per_ms=target, epochs=15, threshold_range=100.0)
        seen = observe(trained(liquid, x_TNC, settings), x_TNC, read)
        found.append(float(seen.spikes_Nn.double().mean()) / seen.steps)
    assert found == pytest.approx([0.01, 0.03], rel=0.33)


def test_same_generator_same_bits_and_the_given_liquid_stays() -> None:
    liquid, x_TNC = made(), counts(20)
    before = [buffer.clone() for buffer in liquid.buffers()]
    one, two, other = (trained(liquid, x_TNC, SETTINGS.plasticity, seed=s) for s in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(one.buffers(), two.buffers(), strict=True))
    assert not torch.equal(one.magnitude, other.magnitude)
    assert all(torch.equal(a, b) for a, b in zip(before, liquid.buffers(), strict=True))


def test_a_trained_liquid_is_exact() -> None:
    """Its kernel and `step` still agree bit by bit, in any batches."""
    after, x_TNC = trained(made(), counts(20), SETTINGS.plasticity), counts(9, seed=8)
    whole, _ = after.simulate(x_TNC)
    assert torch.equal(whole, torch.cat([after.simulate(part)[0] for part in x_TNC.split(4, dim=1)], dim=1))
    state, c = after.silent(9), after.constants()
    for row, expected in zip(x_TNC, whole, strict=True):
        spikes, state = step(row.float() @ after.weight_in.T, state, c)
        assert torch.equal(spikes.to(torch.uint8), expected)
    assert int(whole.sum()) > 0


def test_without_recurrence_only_thresholds_learn() -> None:
    after = trained(made(gain=0.0), counts(10), SETTINGS.plasticity)
    assert float(after.magnitude.abs().max()) == 0 and len(after.threshold.unique()) > 1
