"""SpikingSSM: size, wires, thresholds as scales, and order that it learns where counts know nothing."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from snn5.errors import UserError
from snn5.models import SpikingModel, create_model, initialise
from snn5.models._spiking_ssm import SpikingSSMBlock, Threshold
from snn5.neurons import create_neuron

SHAPE: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 3, "time_steps": 30}
SMALL = {"width": 8, "d_state": 4, "dt_min": 0.05, "dt_max": 0.5, "neuron": "lif"}


def net(**changes: Any) -> SpikingModel:
    model = create_model("spiking_ssm", **{**SHAPE, **SMALL, **changes})
    initialise(model, torch.Generator().manual_seed(0))
    return model


def spikes(*shape: int, rate: float = 0.3, seed: int = 1) -> Tensor:
    return torch.bernoulli(torch.full(shape, rate), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("width", "depth", "d_state"), [(128, 2, 16), (8, 1, 4), (10, 3, 2)])
def test_size(width: int, depth: int, d_state: int) -> None:
    """Stem C p^2 D + 2 D; block: Delta, D and v 3 D, damping, frequency and complex C 4 D S/2, mixing 2 D^2 + 2 D, norm 2 D; head."""
    model = create_model("spiking_ssm", **{**SHAPE, "width": width, "depth": depth, "d_state": d_state, "neuron": "lif"})
    block = 3 * width + 4 * width * d_state // 2 + 2 * width**2 + 2 * width + 2 * width
    wanted = 2 * 9 * width + 2 * width + depth * block + width * 5 + 5
    assert sum(p.numel() for p in model.parameters()) == wanted


def test_blocks_send_each_other_zeros_and_ones() -> None:
    model, seen = net().train(), []
    for block in model.blocks:
        block.register_forward_hook(lambda _m, inputs, out: seen.append((set(inputs[0].unique().tolist()), set(out.unique().tolist()))))
    model(spikes(30, 4, 2, 3, 3))
    assert seen == [({0.0, 1.0}, {0.0, 1.0})] * 2


def test_a_threshold_is_a_scale() -> None:
    """f(I; v) = f(a I; a v), bit for bit where a is a power of two."""
    current_TND = 3 * torch.randn(40, 2, 6, generator=torch.Generator().manual_seed(0))
    spikes_of = {}
    for scale in (1.0, 2.0, 0.25, 1024.0):
        threshold, neuron = Threshold(6), create_neuron("lif", tau=8 / 7, decay_input=False)
        with torch.no_grad():
            threshold.log_threshold.fill_(math.log(scale))
            assert bool((threshold.log_threshold.exp() == scale).all())  # else the test says nothing about powers of two
            spikes_of[scale] = neuron(threshold(scale * current_TND))
    assert 0.1 < spikes_of[1.0].mean() < 0.9
    assert all(torch.equal(s, spikes_of[1.0]) for s in spikes_of.values())


def test_a_higher_threshold_fires_less() -> None:
    rates = []
    for scale in (0.5, 1.0, 4.0):
        block = net().blocks[0]
        assert isinstance(block, SpikingSSMBlock)
        with torch.no_grad():
            block.threshold.log_threshold.fill_(math.log(scale))
            rates.append(block.neuron(block.threshold(block.ssm(spikes(30, 4, 8)))).mean().item())
    assert rates[0] > rates[1] > rates[2]


def test_the_published_neuron_by_hand() -> None:
    """u' = u / 8 + y, hard reset: 0.8 -> no spike; 0.1 + 0.95 = 1.05 -> spike; 0 + 0.5; 0.0625 + 0.9."""
    neuron = net().stem_neuron
    s = neuron(torch.tensor([0.8, 0.95, 0.5, 0.9]).view(4, 1, 1))
    assert s.flatten().tolist() == [0.0, 1.0, 0.0, 0.0]
    assert neuron.v.item() == pytest.approx(0.9 + 0.5 / 8)


def test_the_users_word_on_the_neuron_goes_first() -> None:
    assert net(neuron_args={"tau": 3.0}).stem_neuron.tau == 3.0
    assert net().stem_neuron.tau == pytest.approx(8 / 7) and not net().stem_neuron.decay_input


def orders(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Channel 0 fires 9 steps before channel 1, or after, give or take a few: the same counts in both classes."""
    y_N = torch.arange(n) % 2
    early_N, late_N = (start + torch.randint(0, 4, (n,), generator=generator) for start in (2, 11))
    x_TNCHW = torch.zeros(20, n, 2, 1, 1)
    x_TNCHW[early_N, torch.arange(n), y_N] = 1.0
    x_TNCHW[late_N, torch.arange(n), 1 - y_N] = 1.0
    return x_TNCHW, y_N


def test_it_learns_an_order() -> None:
    """Where counts know nothing. Without memory in the state space it stays near chance, as the neurons forget in a step or two."""
    accuracies = {}
    for name, args in {"memory": {}, "none": {"dt_min": 30.0, "dt_max": 60.0}}.items():
        generator = torch.Generator().manual_seed(0)
        model = net(in_channels=2, num_classes=2, image_size=1, time_steps=20, width=16, depth=1, **args)
        optimiser = torch.optim.AdamW(model.parameters(), lr=0.03)
        for _ in range(60):
            x_TNCHW, y_N = orders(32, generator)
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model.train()(x_TNCHW).mean(0), y_N).backward()
            optimiser.step()
        x_TNCHW, y_N = orders(200, generator)
        with torch.no_grad():
            accuracies[name] = float((model.eval()(x_TNCHW).mean(0).argmax(-1) == y_N).float().mean())
    assert accuracies["memory"] > 0.9 and accuracies["none"] < 0.75, accuracies


@pytest.mark.parametrize(("changes", "said"), [({"depth": 0}, "depth=0"), ({"d_state": 5}, "d_state=5"), ({"dt_min": 1.0}, "dt_min=1.0")])
def test_what_does_not_fit(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        net(**changes)
