"""P4.2: folded networks answer what the others do, in every registered architecture, and their cards rebuild them."""

import pytest
import torch
from spikingjelly.activation_based import layer
from torch import nn

from snn5.checkpoint import Card, Checkpoint, load, of, save
from snn5.compression import fold_norms
from snn5.compression._fold import folded_weights
from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model, drop_norms, foldable, initialise

SHAPE = {"in_channels": 2, "num_classes": 4, "time_steps": 3}
# One of each family, with a norm for whose running statistics nothing was ever seen and folding must not be the identity.
MODELS = {
    "sew_resnet8": {"image_size": 8, "width": 4},
    "sew_resnet18": {"image_size": 32, "width": 4},
    "sew_7b": {"image_size": 8, "width": 4},
    "spiking_resnet8": {"image_size": 8, "width": 4},
    "ms_resnet18": {"image_size": 8, "width": 4},
    "glif_resnet18": {"image_size": 16, "width": 4, "neuron": "glif"},
    "staa_resnet19": {"image_size": 8, "width": 4, "neuron": "adaptive_lif"},
    "spiking_tcn": {"image_size": 4, "width": 8},
    "spikingformer_4_256_cml": {"image_size": 16, "dim": 32, "depth": 1, "heads": 2},
}


def lively(name: str, *, twin: bool = False) -> Checkpoint:
    """Norms with statistics and weights of their own, so that no fold is trivial, and enough current to spike."""
    model: SpikingModel = create_model(name, **(SHAPE | MODELS[name]))
    arguments = model.arguments
    if twin:
        model = ann_twin(model)
    generator = torch.Generator().manual_seed(3)
    initialise(model, generator)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.copy_(0.2 * torch.randn(len(module.running_mean), generator=generator))
                module.running_var.copy_(0.5 + torch.rand(len(module.running_var), generator=generator))
                module.weight.copy_(2.0 + torch.rand(len(module.weight), generator=generator))
                module.bias.copy_(0.5 * torch.randn(len(module.bias), generator=generator))
    return of(model, Card(model=name, model_args=arguments, dataset="digits", time_steps=3, neuron="plif", twin=twin))


def answer(checkpoint: Checkpoint) -> torch.Tensor:
    """Logits in float64, where no rounding moves a potential across its threshold."""
    model = checkpoint.build().double()
    size = model.image_size * model.bin_pixels
    x_TNCHW = torch.rand(3, 4, 2, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        return model(3 * x_TNCHW)


def test_by_hand() -> None:
    """gamma 3, beta 1, mean 2, var + eps 4: factor 1.5; W 2 -> 3, b 4 -> 1 + 1.5 (4 - 2) = 4."""
    linear, norm = nn.Linear(1, 1), nn.BatchNorm1d(1, eps=1.0)
    for tensor, value in ((linear.weight, 2.0), (linear.bias, 4.0), (norm.weight, 3.0), (norm.bias, 1.0)):
        nn.init.constant_(tensor, value)
    norm.running_mean.fill_(2.0)
    norm.running_var.fill_(3.0)
    weight, bias = folded_weights(linear, norm)
    assert (weight.item(), bias.item()) == (3.0, 4.0)


@pytest.mark.parametrize("name", MODELS)
def test_the_answer_stays_in_every_architecture(name: str) -> None:
    start = lively(name)
    folded = fold_norms(start)
    assert folded.card.folded and not foldable(folded.build())
    expected = answer(start)
    assert expected.abs().max() > 0.01
    # The folded weights are float32, so potentials differ in the 7th digit.
    assert torch.allclose(answer(folded), expected, atol=1e-4 * float(expected.abs().max()))


def test_a_twin_folds_too() -> None:
    start = lively("sew_resnet8", twin=True)
    folded = fold_norms(start)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.build().modules())
    assert torch.allclose(answer(folded), answer(start), atol=1e-4)


def test_a_norm_behind_no_layer_stays() -> None:
    """GLIF's identity shortcuts are norms alone: there is no layer to take them."""
    left = [name for name, m in fold_norms(lively("glif_resnet18")).build().named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert left and all(name.endswith("shortcut") for name in left)


def test_the_card_rebuilds_it_and_the_history_says_so(tmp_path) -> None:
    start = lively("sew_resnet8")
    start.state["blocks.0.branch.0.0.weight"][0] = 0.0
    folded = fold_norms(start, parents={"data/x": "0f"})
    save(folded, tmp_path / "folded.safetensors")
    again = load(tmp_path / "folded.safetensors")
    assert again.card == folded.card and again.card.transforms[-1].name == "fold_norms"
    assert all(torch.equal(again.build().state_dict()[name], value) for name, value in folded.state.items())
    assert not any("running" in name for name in folded.state)
    assert (folded.state["blocks.0.branch.0.0.weight"][0] == 0).all()
    assert fold_norms(folded) is folded


def test_a_norm_that_is_not_there() -> None:
    model = nn.Sequential(layer.Conv2d(1, 1, 1, step_mode="m"), layer.BatchNorm2d(1, step_mode="m"))
    with pytest.raises(UserError, match=r"folded='7' is no batch norm behind a layer of Sequential; it has 1"):
        drop_norms(model, ["7"])
