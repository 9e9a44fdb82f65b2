"""create_model, ann_twin, initialise, predict: names, errors, and the random state that stays the caller's."""

import math
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import base
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model, initialise, list_models, predict

SHAPE: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 8, "time_steps": 3}


def net(name: str = "sew_resnet8", **overrides: Any) -> SpikingModel:
    return create_model(name, **({**SHAPE, "width": 4} | overrides))


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_names() -> None:
    assert {"sew_resnet8", "sew_resnet20", "sew_resnet56", "sew_resnet110"} <= set(list_models())
    assert list_models() == sorted(set(list_models()))


@pytest.mark.parametrize("name", list_models())
def test_every_model_keeps_its_promise(name: str) -> None:
    """Registered name, arguments that make it again, one row of logits per step, a twin with as many operations."""
    small = {"dim": 16, "depth": 1, "heads": 2} if name.startswith("spikingformer") else {"width": 2}
    size = 16 if name == "spiking_airnet" else 8  # its three pools want at least 9
    shape = {**SHAPE, "image_size": size}
    model = create_model(name, **shape, **small)
    assert model.name == name and model.time_steps == 3 and not model.is_twin
    assert model.arguments == {**shape, "neuron": "plif", **small}
    assert same(state(create_model(model.name, **model.arguments)), state(model))
    assert model(noise(3, 2, 2, size, size)).shape == (3, 2, 5)
    twin = ann_twin(model)
    assert twin.is_twin and twin.time_steps == 1 and twin(noise(3, 2, 2, size, size)).shape == (1, 2, 5)


def test_unknown_model_names_the_closest() -> None:
    with pytest.raises(UserError, match=r"unknown model 'sew_resnet21'; did you mean .*sew_resnet20"):
        net("sew_resnet21")
    with pytest.raises(UserError, match=r"unknown neuron 'plf'; did you mean plif"):
        net(neuron="plf")


@pytest.mark.parametrize(
    ("key", "said"), [("in_channels", "in_channels"), ("num_classes", "num_classes"), ("time_steps", r"T \(time_steps\)")]
)
@pytest.mark.parametrize("value", [0, -3])
def test_sizes_below_one(key: str, said: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"{said}={value}; need at least 1"):
        net(**{key: value})


@pytest.mark.parametrize("width", [0, -1, 2.5])
def test_width_must_be_a_positive_whole_number(width: float) -> None:
    with pytest.raises(UserError, match=f"width={width}"):
        net(width=width)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((3, 2, 1, 8, 8), r"input of shape \[3, 2, 1, 8, 8\]; need \[T, N, 2, 8, 8\]"),
        ((2, 2, 8, 8), r"input of shape \[2, 2, 8, 8\]"),
        ((2, 2, 2, 8, 8), r"input has 2 steps, the model T=3; give 1 \(a static image\) or 3"),
        ((4, 2, 2, 8, 8), r"input has 4 steps"),
    ],
)
def test_wrong_input(shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(UserError, match=said):
        net()(torch.zeros(shape))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_static_image_is_not_copied_and_its_gradient_keeps_the_order_of_memory(layout: torch.memory_format) -> None:
    """The steps' sum, where torch's own sum over the first axis would come back contiguous."""
    model = net()
    stem = noise(2, 4, 8, 8).contiguous(memory_format=layout)[None].requires_grad_()
    model.stem = lambda x: stem
    current = model.encode(noise(1, 2, 2, 8, 8))
    assert current.shape == (3, 2, 4, 8, 8) and current.stride(0) == 0
    weight = (noise(6, 4, 8, 8) - 0.5).contiguous(memory_format=layout).unflatten(0, (3, 2))
    (found,) = torch.autograd.grad((current * weight).sum(), stem)
    assert torch.equal(found[0], weight[0] + weight[1] + weight[2]) and found.stride() == stem.stride()


def test_wrong_image_size() -> None:
    with pytest.raises(UserError, match=r"input of shape \[3, 2, 2, 16, 16\]"):
        net()(torch.zeros(3, 2, 2, 16, 16))


def test_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = net()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(8)
    assert same(state(first), state(net()))


# --- twins


@pytest.mark.parametrize("connect", ["add", "and", "iand"])
def test_twin_is_the_same_network_with_relu(connect: str) -> None:
    model = net(connect=connect, neuron_args={"tau": 3.0})
    twin = ann_twin(model)
    assert not any(isinstance(m, base.MemoryModule) for m in twin.modules())
    assert len([m for m in twin.modules() if isinstance(m, nn.ReLU)]) == len(
        [m for m in model.modules() if isinstance(m, base.MemoryModule)]
    )
    shapes = {name: value.shape for name, value in twin.state_dict().items()}
    assert shapes == {name: value.shape for name, value in model.state_dict().items() if not name.endswith(".w")}
    assert twin.blocks[0].connect is net().blocks[0].connect  # reals add, whatever spikes did
    assert "neuron_args" not in twin.arguments


def test_twin_sees_events_averaged_over_time() -> None:
    twin = ann_twin(net()).eval()
    x_TNCHW = noise(3, 2, 2, 8, 8)
    torch.testing.assert_close(twin(x_TNCHW), twin(x_TNCHW.mean(0, keepdim=True)), rtol=0, atol=1e-6)
    assert not torch.allclose(twin(x_TNCHW), twin(x_TNCHW[:1]))


def test_twin_of_a_twin_is_itself() -> None:
    twin = ann_twin(net())
    assert ann_twin(twin).arguments == twin.arguments


def test_twin_needs_a_registered_model() -> None:
    model = net()
    model.name = ""
    with pytest.raises(UserError, match="ann_twin needs a model made by create_model"):
        ann_twin(model)


# --- initialise


def test_initialise_draws_from_the_generator_only() -> None:
    models = [net() for _ in range(3)]
    before = torch.get_rng_state()
    for model, seed in zip(models, (1, 1, 2), strict=True):
        initialise(model, torch.Generator().manual_seed(seed))
    assert torch.equal(torch.get_rng_state(), before)
    assert same(state(models[0]), state(models[1])) and not same(state(models[0]), state(models[2]))


def test_initialise_spreads_as_he_says() -> None:
    """Convolutions: sqrt(2 / (9 C_out)), here of 32 -> 64 channels; linear 0.02; no bias. 18 432 draws know the spread to 0.5 %."""
    model = net(width=16, num_classes=100)
    initialise(model, torch.Generator().manual_seed(0))
    kernel = model.blocks[2].branch[0][0].weight
    assert kernel.shape == (64, 32, 3, 3) and kernel.std().item() == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.02)
    assert model.head.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.head.bias.abs().sum() == 0


def test_initialise_forgets_everything() -> None:
    trained = net()
    for p in trained.parameters():
        nn.init.constant_(p, 0.7)
    trained.train()(noise(3, 4, 2, 8, 8))
    fresh = net()
    for model in (trained, fresh):
        initialise(model, torch.Generator().manual_seed(1))
    assert same(state(trained), state(fresh))


# --- predict


def test_predict_is_the_largest_mean() -> None:
    """Class 0 wins two steps of three, class 1 the mean: (0+0+9)/3 = 3 against (1+1+0)/3."""
    logits_TNK = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 9.0]]])
    assert predict(logits_TNK).tolist() == [1]


def test_binned_pixels_are_summed_before_the_stem() -> None:
    fine = create_model("sew_resnet8", in_channels=2, num_classes=3, image_size=12, time_steps=2, width=2, bin_pixels=3).eval()
    coarse = create_model("sew_resnet8", in_channels=2, num_classes=3, image_size=4, time_steps=2, width=2).eval()
    assert fine.image_size == 4 and fine.arguments["bin_pixels"] == 3
    coarse.load_state_dict(fine.state_dict())
    x_TNCHW = torch.randint(0, 3, (2, 5, 2, 12, 12), generator=torch.Generator().manual_seed(0)).float()
    binned = x_TNCHW.reshape(2, 5, 2, 4, 3, 4, 3).sum((4, 6))
    assert torch.equal(fine(x_TNCHW), coarse(binned))
    assert torch.equal(ann_twin(fine).eval().encode(x_TNCHW), ann_twin(coarse).eval().encode(binned))
    with pytest.raises(UserError, match=r"need \[T, N, 2, 12, 12\]"):
        fine(binned)


@pytest.mark.parametrize("bin_pixels", [0, 5, 1.5])
def test_bins_that_do_not_fit(bin_pixels: float) -> None:
    with pytest.raises(UserError, match=f"bin_pixels={bin_pixels}; need a whole number that divides image_size=12"):
        create_model("sew_resnet8", in_channels=2, num_classes=3, image_size=12, time_steps=2, bin_pixels=bin_pixels)
