"""P4.2: the integer LIF by hand, and the quantised network against integer arithmetic alone, spike for spike."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn5.benchmark import measure
from snn5.checkpoint import Card, Checkpoint, load, of, save
from snn5.compression import Scheme, integer_weights, pack, quantize, round_to_nearest, unpack
from snn5.compression._grids import whole_grid
from snn5.compression._lsq import WeightLSQ, power_of_two
from snn5.compression._membrane import feeding
from snn5.config import Train
from snn5.datasets import load as load_data
from snn5.errors import UserError
from snn5.inference import run_until_sure
from snn5.models import create_model, initialise
from snn5.neurons import IF, LIF, PLIF, MembraneLIF, create_neuron, integer_lif
from snn5.training import Samples, evaluate, fit, samples

SHARED = Scheme(scale="tensor", power_of_two=True, membrane_bits=16)
SETTINGS = Train(model="sew_resnet8", epochs=2, batch_size=32, lr=8e-3, shift_pixels=0, warmup_epochs=0)


# --- the neuron


def test_integer_lif_by_hand() -> None:
    """Leak 1/2, threshold 4: 3 -> 3; 1.5 to even 2, + 1 -> 3; 2 + 2 -> 4 fires, 0; -5 -> -5; -2.5 to even -2, + 0 -> -2."""
    x_TN = torch.tensor([[3], [1], [2], [-5], [0]])
    assert integer_lif(x_TN, leak=128, threshold=4, bits=8).flatten().tolist() == [0, 0, 1, 0, 0]
    # without the leak the same currents reach 4 in the second step, and -1 follows
    assert integer_lif(x_TN, leak=256, threshold=4, bits=8).flatten().tolist() == [0, 1, 0, 0, 0]
    # 3 bits: potentials end at +-3, so that a threshold of 4 is never reached
    assert integer_lif(9 * x_TN.abs(), leak=256, threshold=4, bits=3).sum() == 0


def test_a_membrane_lif_takes_over_what_the_neuron_had() -> None:
    """PLIF with tau 1.25: leak 0.2 = 51/256; U = 1.25 V, so that 0.5 becomes 0.625."""
    membrane = MembraneLIF(PLIF(tau=1.25, v_threshold=0.5), 16)
    membrane.step.fill_(0.25)
    assert membrane.integers() == {"leak": 51, "threshold": 3, "bits": 16}  # 0.625 / 0.25 = 2.5
    membrane = MembraneLIF(LIF(tau=4.0, decay_input=False, v_threshold=0.5), 8)
    assert membrane.integers() == {"leak": 192, "threshold": 1, "bits": 8}
    assert MembraneLIF(IF(), 8).integers()["leak"] == 256


@pytest.mark.parametrize("tau", [1.3, 2.0, 3.7])
@pytest.mark.parametrize("bits", [6, 16])
def test_floats_and_integers_give_the_same_spikes(tau: float, bits: int) -> None:
    """Step 1/32, half-way cases of the leak among them (tau = 2); with 6 bits potentials are clipped."""
    membrane = MembraneLIF(LIF(tau=tau, v_threshold=0.25), bits)
    membrane.step.fill_(1 / 32)
    x_TN = torch.randint(-40, 60, (30, 400), generator=torch.Generator().manual_seed(0))
    s_TN = membrane(x_TN / 32)
    assert 0.05 < s_TN.mean() < 0.9
    assert torch.equal(s_TN.long(), integer_lif(x_TN, **membrane.integers()))
    one_by_one = MembraneLIF(LIF(tau=tau, v_threshold=0.25), bits)
    one_by_one.step.fill_(1 / 32)
    one_by_one.step_mode = "s"
    assert torch.equal(torch.stack([one_by_one(x) for x in x_TN / 32]), s_TN)


@pytest.mark.parametrize("mutated", [{"leak": -1}, {"threshold": 1}], ids=str)
def test_the_comparison_would_see_another_neuron(mutated: dict[str, int]) -> None:
    membrane = MembraneLIF(LIF(v_threshold=0.5), 16)
    membrane.step.fill_(1 / 32)
    x_TN = torch.randint(-40, 60, (30, 400), generator=torch.Generator().manual_seed(0))
    wrong = {name: value + mutated.get(name, 0) for name, value in membrane.integers().items()}
    assert not torch.equal(membrane(x_TN / 32).long(), integer_lif(x_TN, **wrong))


def test_with_a_fine_step_it_is_the_lif() -> None:
    """2^-12 of a threshold is nothing: the spikes are those of the float neuron but for a few on the edge."""
    lif, x_TN = LIF(tau=2.0), 3 * torch.rand(20, 500, generator=torch.Generator().manual_seed(0))
    membrane = MembraneLIF(lif, 16)
    membrane.step.fill_(2.0**-12)
    assert (membrane(x_TN) != lif(x_TN)).float().mean() < 0.01


def test_gradients_are_those_of_the_lif_where_rounding_is_nothing() -> None:
    lif, x_TN = LIF(tau=2.0), torch.rand(6, 50, generator=torch.Generator().manual_seed(0))  # no spikes, no edges
    membrane = MembraneLIF(lif, 16)
    membrane.step.fill_(2.0**-12)
    gradients = []
    for neuron in (lif, membrane):
        x = x_TN.clone().requires_grad_()
        neuron(x)[-1].sum().backward()
        gradients.append(x.grad)
    assert gradients[0].abs().max() > 0.05
    assert torch.allclose(gradients[1], gradients[0], atol=2e-3)


def test_powers_of_two_are_exact() -> None:
    step = torch.tensor([0.7, 0.72, 0.75, 1.0, 1.4, 1.5, 3e-5])
    assert power_of_two(step).tolist() == [0.5, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0**-15]
    made = WeightLSQ(whole_grid("symmetric", 4), torch.randn(3, 9, generator=torch.Generator().manual_seed(0)), SHARED)
    made.positive_step().backward()
    assert made.positive_step() == power_of_two(made.step) and made.step.grad.tolist() == [1.0]


# --- the network


@pytest.fixture(scope="module")
def data() -> tuple[Samples, Samples]:
    splits = load_data("digits", time_steps=3)

    def some(split: Any, n: int) -> Samples:
        return samples(replace(split, x_TNCHW=split.x_TNCHW[:, :n], y_N=split.y_N[:n], index_N=split.index_N[:n]))

    return some(splits.train, 480), some(splits.val, 200)


@pytest.fixture(scope="module")
def start(data: tuple[Samples, Samples]) -> Checkpoint:
    neuron = {"tau": 1.2, "v_threshold": 0.4}
    model = create_model("sew_resnet8", in_channels=1, num_classes=10, image_size=8, time_steps=3, width=4, neuron_args=neuron)
    generator = torch.Generator().manual_seed(0)
    initialise(model, generator)
    fit(model, *data, replace(SETTINGS, epochs=8, lr=2e-2), generator=generator)
    return of(model, Card(model=model.name, model_args=model.arguments, dataset="digits", time_steps=3, neuron="plif"))


@pytest.fixture(scope="module")
def shared(start: Checkpoint, data: tuple[Samples, Samples]) -> Checkpoint:
    return quantize(start, *data, SETTINGS, bits=4, scheme=SHARED, generator=torch.Generator().manual_seed(1))[0]


def integers_agree(checkpoint: Checkpoint, x_TNCHW: Tensor) -> dict[str, float]:
    """Run the network; do each layer and neuron again in whole numbers, from the spikes before it. Spike rates by neuron.

    By induction over the layers, integers alone then give the same network behind the first convolution.
    """
    model = checkpoint.build()
    weights, fed, seen = integer_weights(checkpoint), checkpoint.card.quantisation["membranes"], {}

    def note(name: str) -> Any:
        return lambda _m, inputs, out: seen.update({name: (inputs[0].detach(), out.detach())})

    for name in {*fed, *fed.values()}:
        model.get_submodule(name).register_forward_hook(note(name))
    with torch.no_grad():
        model(x_TNCHW)
    rates = {}
    for neuron, layer in fed.items():
        module, step = model.get_submodule(layer), weights[layer].step.double()
        bias = (module.bias.detach().double() / step).round()
        assert torch.equal(bias * step, module.bias.double()) and step.log2() == step.log2().round()
        spikes = seen[layer][0].double()
        current, out = seen[neuron]
        if layer.startswith("stem"):  # sees the image: its current is rounded to steps
            x_TN = (current.double() / step).round().long()
        else:
            assert torch.equal(spikes, spikes.round())
            level = weights[layer].level.double()
            x_BN = F.conv2d(spikes.flatten(0, 1), level, bias, module.stride, module.padding)
            x_TN = x_BN.reshape(current.shape).long()
            assert torch.equal(x_TN.double() * step, current.double())
        assert torch.equal(integer_lif(x_TN, **model.get_submodule(neuron).integers()), out.long())
        rates[neuron] = out.mean().item()
    return rates


@pytest.mark.parametrize("method", ["qat", "rtn"])
def test_integers_give_the_same_network_spike_for_spike(
    start: Checkpoint, shared: Checkpoint, data: tuple[Samples, Samples], method: str
) -> None:
    """Spec (h)."""
    made = shared if method == "qat" else round_to_nearest(start, 8, scheme=SHARED)
    x_TNCHW, _ = data[1].batch(torch.arange(60))
    rates = integers_agree(made, x_TNCHW)
    assert len(rates) == 9 and sum(rate > 0.01 for rate in rates.values()) >= 8


def test_it_learns_and_is_rebuilt(start: Checkpoint, shared: Checkpoint, data: tuple[Samples, Samples], tmp_path) -> None:
    save(shared, tmp_path / "q.safetensors")
    again = load(tmp_path / "q.safetensors").build()
    assert all(isinstance(m, MembraneLIF) for n, m in again.named_modules() if n in shared.card.quantisation["membranes"])
    first, second = evaluate(again, data[1]), evaluate(shared.build(), data[1])
    assert torch.equal(first.prediction_N, second.prediction_N) and set(first.rates) == set(shared.card.quantisation["membranes"])
    assert first.accuracy > evaluate(start.build(), data[1]).accuracy - 0.08
    packed = unpack(pack(shared))
    assert packed.card == shared.card and all(torch.equal(packed.state[name], value) for name, value in shared.state.items())


def test_what_is_trained_is_what_is_stored(start: Checkpoint, data: tuple[Samples, Samples]) -> None:
    made, result = quantize(start, *data, replace(SETTINGS, epochs=1), bits=4, scheme=SHARED, generator=torch.Generator().manual_seed(1))
    assert evaluate(made.build(), data[1]).accuracy == result.curves["val/acc"][-1][1]


def test_it_runs_step_by_step_and_is_counted(shared: Checkpoint, data: tuple[Samples, Samples]) -> None:
    model, (x_TNCHW, _) = shared.build(), data[1].batch(torch.arange(20))
    assert torch.allclose(run_until_sure(model, x_TNCHW, None).logits_NK, model(x_TNCHW).detach().sum(0), atol=1e-5)
    split = replace(load_data("digits", time_steps=3).val)
    found = measure(shared, split, seed=0, protocol="validation", limit=8)
    assert set(found.neurons) == set(shared.card.quantisation["membranes"])


# --- errors


def test_a_sum_of_currents_has_no_shared_scale() -> None:
    model = create_model("ms_resnet18", in_channels=1, num_classes=3, image_size=8, time_steps=2, width=4)
    with pytest.raises(UserError, match=r"the current of neuron blocks\.\d\.branch\.0 is not one layer's output alone"):
        feeding(model)
    with pytest.raises(UserError, match=r"membrane_bits needs a registered model; got a Sequential"):
        feeding(nn.Sequential(nn.Conv2d(1, 1, 1)))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Scheme(membrane_bits=8), r"membrane_bits=8 with scale='channel', power_of_two=False: one power of two"),
        (lambda: replace(SHARED, grid="device", levels=(-1.5, 1.0)), r"membrane_bits=16 with levels=\(-1\.5, 1\.0\); need whole numbers"),
        (lambda: MembraneLIF(LIF(v_reset=None), 8), r"LIF with v_reset=None has no integer form here"),
        (lambda: MembraneLIF(create_neuron("adaptive_lif", channels=2), 8), r"AdaptiveLIF with v_reset=None has no integer form"),
        (lambda: MembraneLIF(LIF(), 17), r"membrane_bits=17; need 2 to 16"),
    ],
)
def test_errors(make, text: str) -> None:
    with pytest.raises(UserError, match=text):
        make()


def test_a_potential_that_cannot_reach_its_threshold(start: Checkpoint) -> None:
    with pytest.raises(UserError, match=r"neuron \S+ fires at \d+ steps, more than 3 bits hold; raise membrane_bits"):
        round_to_nearest(start, 8, scheme=replace(SHARED, membrane_bits=3))
