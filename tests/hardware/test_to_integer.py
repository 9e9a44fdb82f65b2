"""From models to whole numbers: the same network in real numbers, levels kept, thresholds, gates, cutoffs, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from spikingjelly.activation_based import base, functional, layer
from torch import Tensor, nn

from snn5.checkpoint import Card, of
from snn5.compression import integer_weights, round_to_nearest
from snn5.errors import UserError
from snn5.hardware import IntegerNetwork, port, to_integer
from snn5.hardware._to_integer import trace, whole_cutoff
from snn5.models import SpikingModel, create_model
from snn5.neurons import IF, LIF, PLIF, TTFSLatch

SHAPE: dict[str, Any] = {"in_channels": 2, "num_classes": 3, "image_size": 8, "time_steps": 3}
MODELS: list[tuple[str, dict[str, Any]]] = [
    ("sew_resnet8", {"width": 4}),
    ("sew_resnet8", {"width": 4, "connect": "and", "neuron": "if"}),
    ("sew_resnet8", {"width": 4, "connect": "iand", "neuron_args": {"v_reset": -0.25, "v_threshold": 0.75}}),
    ("sew_resnet8", {"width": 4, "bin_pixels": 2, "image_size": 16, "neuron": "lif", "neuron_args": {"tau": 3.0, "decay_input": False}}),
    ("sew_resnet8", {"width": 4, "neuron": "ttfs"}),
    ("sew_resnet18", {"width": 4, "image_size": 32, "neuron": "if"}),
    ("sew_7b", {"width": 4}),
    ("spiking_resnet8", {"width": 4, "zero_init": False, "neuron_args": {"tau": 1.3}}),
    ("spikingformer_4_256_qk", {"dim": 16, "depth": 1, "heads": 2, "image_size": 16}),
    ("spiking_mlp", {"width": 12}),
    ("ms_resnet18", {"width": 4, "neuron_args": {"tau": 1.3}}),
    ("spiking_airnet", {"width": 4, "image_size": 20}),
    ("spiking_airnet", {"width": 4, "image_size": 20, "shortcut": True, "neuron_args": {"decay_input": False}}),
]


def model_of(name: str, overrides: dict[str, Any]) -> SpikingModel:
    """With norms that have seen data and weights that make every layer fire."""
    model = create_model(name, **{**SHAPE, **overrides})
    draw = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1, generator=draw)
            module.running_var.uniform_(0.5, 1.5, generator=draw)
            with torch.no_grad():
                module.weight.uniform_(1.5, 3.0, generator=draw)
                module.bias.uniform_(-0.5, 2.0, generator=draw)
    return model.eval()


def whole_numbers(model: SpikingModel, samples: int = 4) -> Tensor:
    side = model.image_size * model.bin_pixels
    shape = (model.time_steps, samples, model.in_channels, side, side)
    return torch.randint(0, 4, shape, generator=torch.Generator().manual_seed(2))


def spikes_of(model: nn.Module, x_TNCHW: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    found: dict[str, Tensor] = {}
    handles = [
        module.register_forward_hook(lambda _m, _i, s, name=name: found.__setitem__(name, s))
        for name, module in model.named_modules()
        if isinstance(module, base.MemoryModule)
    ]
    with torch.no_grad():
        logits = model(x_TNCHW)
    for handle in handles:
        handle.remove()
    functional.reset_net(model)
    return found, logits


def traced(model: SpikingModel, x_TNCHW: Tensor, divisor: float) -> tuple[dict[str, Tensor], Tensor]:
    """The traced populations, run in float64: a second implementation of the model."""
    tracer, logits = trace(model, tuple(x_TNCHW.shape[2:]), divisor)
    out: dict[str, list[Tensor]] = {"input": list(x_TNCHW.double())}
    for n in tracer.neurons:
        u, waiting, out[n.name] = torch.zeros(()).double(), torch.ones(()).double(), []
        for t in range(len(x_TNCHW)):
            current = current_of(n.form, {name: steps[t] for name, steps in out.items() if len(steps) > t})
            u = n.keep * u + current
            s = ((u > n.theta) if n.strict else (u >= n.theta)).double()
            u = u * (1 - s) if not n.once else u
            s = s * waiting if n.once else s
            waiting = waiting * (1 - s) if n.once else waiting
            out[n.name].append(s)
    answers = [current_of(logits.form, {name: steps[t] for name, steps in out.items()}).flatten(1) for t in range(len(x_TNCHW))]
    return {name: torch.stack(steps) for name, steps in out.items()}, torch.stack(answers)


def current_of(form: Any, seen: dict[str, Tensor]) -> Tensor:
    parts = [F.conv2d(seen[t.source], t.weight, stride=t.stride, padding=t.padding, groups=t.groups) for t in form.terms]
    return torch.stack(parts).sum(0) + form.bias[:, None, None]


@pytest.mark.parametrize(("name", "overrides"), MODELS)
def test_what_is_traced_is_the_model(name: str, overrides: dict[str, Any]) -> None:
    """Spike for spike in every layer, and the logits, in real numbers: nothing is lost before rounding."""
    model = model_of(name, overrides).double()
    x = whole_numbers(model)
    spikes, logits = spikes_of(model, x.double() / 2)
    found, answers = traced(model, x, 2.0)
    active = 0
    for layer_name, s in spikes.items():
        same = float((found[layer_name] == s).double().mean())
        assert same > 0.999, (layer_name, same)  # a tie may fall to either side
        active += int(bool(s.any()) and not bool(s.all()))
    assert active > len(spikes) / 2
    torch.testing.assert_close(answers, logits, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("name", "overrides"), MODELS)
def test_whole_numbers_follow_the_model(name: str, overrides: dict[str, Any]) -> None:
    """Rounding to 8 bits moves few spikes of the first layer, which nothing before it has moved."""
    model = model_of(name, overrides)
    x = whole_numbers(model)
    spikes, _ = spikes_of(model, x.float() / 2)
    net = port(model, (model.in_channels, *x.shape[-2:]), model.time_steps, divisor=2.0)
    run = net.run(x.numpy())
    first = net.populations[0].name
    assert (run.spikes[first] == spikes[first].numpy()).mean() > 0.98
    assert max(int(np.abs(s.weight).max()) for p in net.populations for s in p.synapses) <= 127
    assert max(run.peak.values()) < 2**15


def hand(neuron: nn.Module, weight: list[list[float]], bias: list[float]) -> IntegerNetwork:
    linear, head = layer.Linear(2, 2, step_mode="m"), layer.Linear(2, 2, step_mode="m")
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(weight))
        linear.bias.copy_(torch.tensor(bias))
        head.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -0.5]]))
        head.bias.copy_(torch.tensor([0.25, 0.0]))
    return port(nn.Sequential(linear, neuron, head), (2, 1, 1), 2)


def test_numbers_by_hand() -> None:
    """tau 2 with decaying input: U stands for 2 V, so theta is 2. The larger weight is 127; 2 = (threshold + 1/64) of its units."""
    net = hand(LIF(tau=2.0), [[1.0, -0.5], [0.25, 0.5]], [0.5, 0.0])
    (p,) = net.populations
    unit = 2 / (253 + 1 / 64)  # 2 x 127 - 1/64, rounded down
    assert p.threshold.tolist() == [253, 507] and p.decay == 2048
    assert p.synapses[0].weight.tolist() == [[round(1 / unit), round(-0.5 / unit)], [63, 127]]
    assert p.bias.tolist() == [round(0.5 / unit), 0]
    assert net.readout.synapses[0].weight.tolist() == [[127, 0], [0, -64]]
    assert net.readout.scale == pytest.approx(1 / 127) and net.readout.bias.tolist() == [32, 0]


def test_one_unit_for_a_layer_gives_one_threshold() -> None:
    model = nn.Sequential(layer.Linear(4, 6, step_mode="m"), IF(), layer.Linear(6, 3, step_mode="m"))
    thresholds = [set(port(model, (4, 1, 1), 2, scale=scale).populations[0].threshold.tolist()) for scale in ("channel", "tensor")]
    assert len(thresholds[0]) > 1 and len(thresholds[1]) == 1


def test_plif_leaks_what_it_learned() -> None:
    plif = PLIF(tau=4.0, decay_input=False)
    assert hand(plif, [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]).populations[0].decay == 1024
    assert hand(IF(), [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]).populations[0].decay == 0


def test_quantised_levels_stay_what_they_are() -> None:
    """Rounded to 4 bits: every weight is its level times a whole factor of its channel."""
    model = model_of("sew_resnet8", {"width": 4})
    card = Card(
        model="sew_resnet8", model_args=SHAPE | {"width": 4}, dataset="none", time_steps=3, neuron="plif", preprocessing={"scale": 2}
    )
    checkpoint = round_to_nearest(of(model, card), 4)
    net, levels = to_integer(checkpoint), integer_weights(checkpoint)
    assert net.exact and not to_integer(of(model, card)).exact
    made = {p.name: p.synapses[0].weight for p in net.populations}
    for name, weight in (("blocks.0.branch.1", "blocks.0.branch.0.0"), ("blocks.2.shortcut.1", "blocks.2.shortcut.0.0")):
        level = levels[weight].level.numpy().astype(np.int64)
        factor = np.abs(made[name]).reshape(len(level), -1).max(1) / np.abs(level).reshape(len(level), -1).max(1)
        assert np.array_equal(made[name], level * factor.astype(np.int64).reshape(-1, 1, 1, 1)) and (factor >= 1).all()


def test_one_spike_neurons_melt_by_a_bias() -> None:
    """V > 1 - (t+1)/2 with T = 2 is V + (t+1)/2 > 1."""
    net = hand(TTFSLatch(time_steps=2), [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    (p,) = net.populations
    assert p.once and p.decay == 0
    assert p.bias / p.threshold == pytest.approx([0.5, 0.5], abs=0.01)


@pytest.mark.parametrize(("beta", "whole"), [(1.0, 10), (1.09, 10), (float("inf"), 2**62), (-float("inf"), -(2**62)), (-0.05, -1)])
def test_cutoffs_in_whole_gaps(beta: float, whole: int) -> None:
    """gap x 0.1 > beta where gap > floor(10 beta)."""
    assert whole_cutoff({"rule": "gap", "epsilon": 0.0, "thresholds": [beta, 0.0]}, 0.1, 2) == (whole, 0)


def test_cutoffs_that_need_exponentials_are_refused() -> None:
    with pytest.raises(UserError, match="cutoff rule 'entropy' needs exponentials"):
        whole_cutoff({"rule": "entropy", "threshold": 0.5}, 0.1, 2)


REFUSED: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("glif_resnet18", {"width": 4, "neuron": "glif"}, ("GLIF (stem_neuron, blocks.0.branch.1,", "neuron='plif'")),
    (
        "spikingformer_2_384",
        {"dim": 16, "heads": 2, "depth": 2},
        ("MatMul (blocks.0.attention.inner, blocks.0.attention.outer,", "_qk"),
    ),
    ("hsvt_tiny", {"width": 8, "image_size": 32}, ("LayerNorm (stages.0.", "batch norms", "LSTMState (", "stfe")),
    ("sew_resnet8", {"neuron_args": {"v_reset": None}}, ("PLIF (stem_neuron, blocks.0.branch.1", "soft reset", "v_reset=0")),
    ("sew_resnet8", {"neuron": "relu", "time_steps": 1}, ("ANN twin",)),
    ("dta_ms_resnet18", {"width": 4}, ("a step depends on later ones",)),
    ("spikingformer_2_384_cml", {"dim": 16, "heads": 2, "depth": 1}, ("MatMul",)),
]


@pytest.mark.parametrize(("name", "overrides", "words"), REFUSED)
def test_what_cannot_be_ported_is_named(name: str, overrides: dict[str, Any], words: tuple[str, ...]) -> None:
    model = create_model(name, **{**SHAPE, **overrides}).eval()
    with pytest.raises(UserError) as caught:
        port(model, (2, model.image_size, model.image_size), 3)
    for word in words:
        assert word in str(caught.value)


def test_other_refusals() -> None:
    model = nn.Sequential(layer.Linear(4, 3, step_mode="m"), nn.Softmax(-1))
    with pytest.raises(UserError, match="its forward calls softmax of an activation"):
        port(model, (4, 1, 1), 2)
    with pytest.raises(UserError, match="bits=9; need 2 to 8"):
        port(model, (4, 1, 1), 2, bits=9)
    pools = nn.Sequential(layer.Conv2d(2, 2, 1, step_mode="m"), layer.MaxPool2d(2, step_mode="m"), layer.Conv2d(2, 3, 2, step_mode="m"))
    with pytest.raises(UserError, match=r"MaxPool2d \(1\): it takes the maximum of currents; nearest: pool spikes"):
        port(pools, (2, 4, 4), 2)
