"""Spiking AirNet: sizes on the way, the stem as one convolution, identities at the start, its ANN twin."""

from typing import Any

import pytest
import torch
from model_checks import noise, settle
from spikingjelly.activation_based import layer
from torch import Tensor

from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model, initialise
from snn5.models._airnet import AirNet
from snn5.models._spike_pool import OrPool2d
from snn5.models._whitening import FixedConv2d
from snn5.neurons import LIF

PUBLISHED: dict[str, Any] = {"neuron": "lif", "neuron_args": {"decay_input": False, "surrogate": "triangle"}}


def net(**overrides: Any) -> SpikingModel:
    arguments: dict[str, Any] = {"in_channels": 3, "num_classes": 5, "image_size": 20, "time_steps": 3, "width": 4, **PUBLISHED}
    model = create_model("spiking_airnet", **(arguments | overrides))
    initialise(model, torch.Generator().manual_seed(3))
    return model


def test_an_image_of_32_pixels_passes_as_31_15_7_and_3() -> None:
    model, sides = net(image_size=32), []
    for module in model.modules():
        if isinstance(module, layer.Conv2d):
            module.register_forward_hook(lambda _m, _i, out: sides.append(out.shape[-1]))
    model(noise(1, 2, 3, 32, 32))
    assert sides == [33, 31, 15, 15, 7, 7, 3]


def test_the_stem_is_one_convolution_of_4x4() -> None:
    """Padding comes first, so whitening and conv3x3 compose exactly: sum over the inner taps."""
    model = net()
    x_TNCHW = noise(1, 2, 3, 20, 20)
    model.whiten(x_TNCHW)
    outer, inner = model.stem_conv[1].weight, model.stem_conv[0].weight
    joined = torch.zeros(4, 3, 4, 4)
    for dy in range(3):
        for dx in range(3):
            joined[:, :, dy : dy + 2, dx : dx + 2] += torch.einsum("om,mcyx->ocyx", outer[:, :, dy, dx], inner)
    found = model.stem_conv[1](model.stem_conv[0](x_TNCHW))[0]
    assert torch.allclose(found, torch.nn.functional.conv2d(x_TNCHW[0], joined, padding=1), atol=1e-4)


def test_convolutions_start_by_handing_their_inputs_on() -> None:
    model = net()
    square, wide = model.blocks[1][3][0], model.blocks[1][0][0]
    x = noise(1, 2, 16, 6, 6)
    assert torch.equal(square(x), x)
    assert torch.equal(wide(x[:, :, :4])[:, :, :4], x[:, :, :4]) and not torch.equal(wide(x[:, :, :4])[:, :, 4:8], x[:, :, :4])


def test_whitening_is_measured_once_and_stays_out_of_training() -> None:
    model = net()
    assert isinstance(model, AirNet) and isinstance(model.stem_conv[0], FixedConv2d)
    x_TNCHW = noise(1, 50, 3, 20, 20)
    patches = model.stem_conv[0].weight.flatten(1)
    assert torch.equal(patches, torch.eye(12))
    model.whiten(x_TNCHW)
    out = model.stem_conv[0](x_TNCHW)[0, :, :, 1:-1, 1:-1].transpose(0, 1).flatten(1)
    assert torch.allclose(torch.cov(out), torch.eye(12), atol=0.02)
    assert "stem_conv.0.weight" in model.state_dict() and "stem_conv.0.weight" not in dict(model.named_parameters())


def test_neurons_and_pools() -> None:
    """Hard reset, no weighting of the current: what an integer chip has."""
    model = net()
    neurons = [m for m in model.modules() if isinstance(m, LIF)]
    assert len(neurons) == 6 and all(n.v_reset == 0.0 and not n.decay_input and n.tau == 2.0 for n in neurons)
    assert sum(isinstance(m, OrPool2d) for m in model.modules()) == 3
    twin = ann_twin(model)
    assert sum(isinstance(m, layer.MaxPool2d) for m in twin.modules()) == 3 and not any(isinstance(m, OrPool2d) for m in twin.modules())
    twin.load_state_dict(model.state_dict())  # same weights, same shapes


def test_a_static_image_passes_the_stem_once() -> None:
    x_TNCHW = noise(1, 4, 3, 20, 20)
    model = settle(net(), x_TNCHW)
    calls: list[int] = []
    model.stem_conv.register_forward_hook(lambda _m, inputs, _o: calls.append(inputs[0].shape[0]))
    with torch.no_grad():
        logits_TNK = model(x_TNCHW)
        model.time_steps = 2
        assert torch.equal(model(x_TNCHW), logits_TNK[:2])  # T changes how long it looks, not what it sees
    assert calls == [1, 1]


@pytest.mark.parametrize("bad", [{"image_size": 8}, {"width": 0}])
def test_impossible_sizes(bad: dict[str, int]) -> None:
    with pytest.raises(UserError, match=r"need at least 9 pixels|width=0"):
        net(**bad)


def test_nine_pixels_are_enough() -> None:
    x: Tensor = noise(1, 2, 3, 9, 9)
    assert net(image_size=9)(x).shape == (3, 2, 5)


def test_a_shortcut_is_the_mean_of_the_first_current() -> None:
    """By hand, from the parts; the same parameters as without."""
    model, s = net(shortcut=True), (noise(3, 2, 4, 9, 9) > 0.5).float()
    first, neuron, pool, second, last, _ = model.blocks[1]
    assert model.state_dict().keys() == net().state_dict().keys()
    u = first(s)
    mean = (u[..., 0:8:2, 0:8:2] + u[..., 1:8:2, 0:8:2] + u[..., 0:8:2, 1:8:2] + u[..., 1:8:2, 1:8:2]) / 4
    through = second(pool(neuron(u)))
    wanted = last(through + mean)
    neuron.reset()
    last.reset()
    assert torch.equal(model.blocks[1](s), wanted) and 0 < wanted.mean() < 1
    last.reset()
    assert not torch.equal(last(through), wanted)


def test_a_joined_stem_has_no_whitening_to_measure() -> None:
    model = net(joined=True)
    assert isinstance(model, AirNet) and [type(part) for part in model.stem_conv] == [layer.Conv2d, layer.BatchNorm2d]
    with pytest.raises(UserError, match="join_stem"):
        model.whiten(noise(1, 2, 3, 20, 20))
