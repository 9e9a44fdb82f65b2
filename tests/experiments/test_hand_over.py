"""From a ReLU twin to a spiking network: the threshold by hand, and weights that mean the same."""

import numpy as np
import pytest
import torch

from experiments._hand_over import hand_over, threshold_of, v_threshold_of
from snn5.datasets import Split
from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model, initialise
from snn5.training import Samples, samples

SHAPE = {"in_channels": 3, "num_classes": 4, "image_size": 12, "time_steps": 2}


def net(shortcut: bool) -> SpikingModel:
    model = create_model("spiking_airnet", width=3, shortcut=shortcut, neuron="lif", **SHAPE)
    initialise(model, torch.Generator().manual_seed(1))
    return model


def images() -> Samples:
    x_TNCHW = np.random.default_rng(0).integers(0, 256, (1, 40, 3, 12, 12)).astype(np.uint8)
    info = {"dataset": "made", "num_classes": 4, "scale": 255, "split": "train"}
    return samples(Split(x_TNCHW=x_TNCHW, y_N=np.arange(40) % 4, index_N=np.arange(40), info=info))


@pytest.mark.parametrize("shortcut", [False, True])
def test_scaled_weights_mean_the_same_to_relus(shortcut: bool) -> None:
    """ReLU(x / theta) = ReLU(x) / theta: a ReLU network with the handed weights answers what the twin answers, whatever theta."""
    model = net(shortcut)
    twin, other = ann_twin(model), ann_twin(model)
    initialise(twin, torch.Generator().manual_seed(2))
    for module in twin.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.2)
            module.running_var.uniform_(0.5, 2.0)
    hand_over(twin, other, 2.5)
    x_TNCHW = images().batch(torch.arange(8))[0]
    with torch.no_grad():
        wanted, found = twin.eval()(x_TNCHW), other.eval()(x_TNCHW)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)
    assert wanted.std() > 0.01 and not torch.equal(other.state_dict()["head.weight"], twin.state_dict()["head.weight"])


def test_the_network_gets_the_scaled_weights() -> None:
    model = net(True)
    twin = ann_twin(model)
    initialise(twin, torch.Generator().manual_seed(2))
    hand_over(twin, model, 4.0)
    ours, theirs = model.state_dict(), twin.state_dict()
    assert torch.equal(ours["head.weight"], 4 * theirs["head.weight"]) and torch.equal(ours["head.bias"], theirs["head.bias"])
    assert torch.equal(ours["blocks.1.0.1.weight"], theirs["blocks.1.0.1.weight"] / 4)
    assert torch.equal(ours["blocks.1.0.1.running_var"], theirs["blocks.1.0.1.running_var"] / 16)
    assert torch.equal(ours["stem_conv.2.running_var"], theirs["stem_conv.2.running_var"])  # it hears the image


def test_the_threshold_by_hand() -> None:
    """The mean over the six layers of the quantile of what is above 0."""
    twin, seen = ann_twin(net(False)), []
    for module in twin.modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_forward_hook(lambda _m, _i, y: seen.append(y[y > 0].numpy()))
    data = images()
    with torch.no_grad():
        twin.eval()(data.batch(torch.arange(40))[0])
    wanted = np.mean([np.quantile(y, 0.7) for y in seen])
    assert len(seen) == 6 and threshold_of(twin, data, 0.7) == pytest.approx(wanted, rel=1e-5)


def test_errors() -> None:
    twin = ann_twin(net(False))
    with torch.no_grad():
        next(m for m in twin.modules() if isinstance(m, torch.nn.BatchNorm2d)).bias.fill_(-1e6)
    with pytest.raises(UserError, match=r"a layer of the guide is silent.*train the guide longer"):
        threshold_of(twin, images(), 0.9)
    other = create_model("ms_resnet18", width=4, **SHAPE)
    with pytest.raises(UserError, match="ms_resnet18: a guide's network needs a batch norm for each lif or if neuron and one linear layer"):
        v_threshold_of(other)
    with pytest.raises(UserError, match=r"spiking_airnet: neurons that decay their input.*take neuron_args.decay_input: false"):
        v_threshold_of(net(False))


def test_the_first_step_is_the_twin_with_cut_activations() -> None:
    """A neuron fires where the twin's activation reaches theta, whatever its own threshold."""
    for v_threshold in (0.5, 1.0):
        args = {"decay_input": False, "surrogate": "triangle", "v_threshold": v_threshold}
        model = create_model("spiking_airnet", width=3, neuron="lif", neuron_args=args, **{**SHAPE, "time_steps": 1})
        initialise(model, torch.Generator().manual_seed(1))
        twin, found = ann_twin(model), []
        initialise(twin, torch.Generator().manual_seed(2))
        hand_over(twin, model, 0.7, v_threshold_of(model))
        twin.blocks[0][0].register_forward_hook(lambda _m, _i, y, found=found: found.append(y))
        model.blocks[0][0].register_forward_hook(lambda _m, _i, s, found=found: found.append(s))
        x_TNCHW = images().batch(torch.arange(8))[0]
        with torch.no_grad():
            twin.eval()(x_TNCHW)
            model.eval()(x_TNCHW)
        assert ((found[0] >= 0.7) == (found[1] == 1)).float().mean() > 0.999 and 0.01 < found[1].mean() < 0.9
