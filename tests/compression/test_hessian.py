"""H of the leaky-filtered input: leaks against the neurons themselves, patches against the convolution, streams against one batch."""

from typing import Any

import pytest
import torch
from spikingjelly.activation_based import layer
from torch import Tensor, nn

import snn5.compression._hessian as hessian
from snn5.compression._hessian import damped, filtered_rows, hessians, patches
from snn5.compression._layers import Layer, find_layers
from snn5.compression._leak import NO_MEMORY, Leak, leak_of, leaky_sum, van_rossum
from snn5.errors import UserError
from snn5.models import ann_twin, create_model
from snn5.neurons import create_neuron


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_leaky_sum_by_hand() -> None:
    """keep 1/2, gain 1/2: 1/2, 1/4, 1/8 + 1."""
    assert leaky_sum(torch.tensor([1.0, 0.0, 2.0]), Leak(0.5, 0.5)).tolist() == [0.5, 0.25, 1.125]


def test_leaky_sum_is_the_kernel_matrix() -> None:
    """M of the paper: lower triangular, gain keep^(i - j)."""
    step = torch.arange(6)
    power = (step[:, None] - step).clamp_min(0)
    m_TT = torch.where(step[:, None] >= step, 0.25 * 0.75 ** power.double(), 0.0)
    x_TN = draw(6, 4)
    assert torch.allclose(leaky_sum(x_TN, Leak(0.75, 0.25)), m_TT @ x_TN, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("lif", {"tau": 3.0}),
        ("lif", {"tau": 1.25, "decay_input": False}),
        ("plif", {"tau": 4.0}),
        ("if", {}),
        ("adaptive_lif", {"channels": 2, "tau": 2.5, "decay_input": False}),
        ("ttfs", {"time_steps": 5}),
    ],
)
def test_leak_is_the_membrane_of_a_neuron_that_never_spikes(name: str, args: dict[str, Any]) -> None:
    """Its potential after each prefix of a current far below the threshold is the leaky sum."""
    neuron = create_neuron(name, **args)
    x_TNC = 1e-3 * draw(5, 3, 2).float()
    neuron(x_TNC)
    assert torch.allclose(neuron.v.double(), leaky_sum(x_TNC, leak_of(neuron))[-1], rtol=1e-5, atol=1e-9)


def test_leak_of_glif_and_relu() -> None:
    """Gates at 1/2: half of the leak is exponential (tau 0.25), half keeps everything: 1 - 1/2 + 1/8."""
    glif = create_neuron("glif", channels=3, time_steps=2)
    nn.init.zeros_(glif.raw_alpha)
    assert leak_of(glif).keep == pytest.approx(0.625)
    assert leak_of(nn.ReLU()) == NO_MEMORY


def test_unknown_neuron() -> None:
    with pytest.raises(UserError, match=r"no leak is known for Tanh; add it to snn5\.compression\.LEAKS"):
        leak_of(nn.Tanh())


def test_van_rossum_by_hand() -> None:
    """Spikes (1, 0) and (0, 0) with keep 1/2: traces (1, 1/2) and 0: 1.25 apart."""
    one, none = torch.tensor([1.0, 0.0]), torch.zeros(2)
    assert van_rossum(one, none, Leak(0.5, 1.0)) == (1.25, 1.25)
    assert van_rossum(one, one, Leak(0.5, 1.0)) == (0.0, 1.25)


# --- patches


@pytest.mark.parametrize(
    "module",
    [
        layer.Conv2d(2, 3, 3, padding=1, bias=False),
        layer.Conv2d(2, 3, 3, stride=2, padding=1, bias=False),
        layer.Conv2d(2, 3, (1, 2), dilation=2, bias=False),
        layer.Conv1d(2, 3, 3, padding=1, bias=False),
        layer.Linear(2, 3, bias=False),
    ],
)
def test_patches_times_weights_are_the_layer(module: nn.Module) -> None:
    module = module.double()
    x_BX = draw(4, 2) if isinstance(module, nn.Linear) else draw(4, 2, 6) if isinstance(module, nn.Conv1d) else draw(4, 2, 6, 5)
    out_BRL = module(x_BX).flatten(2) if x_BX.ndim > 2 else module(x_BX)[:, :, None]
    made = patches(x_BX, module) @ module.weight.flatten(1).T
    assert torch.allclose(made, out_BRL.transpose(1, 2).reshape(-1, 3), atol=1e-12)


def of(module: nn.Module, leak: Leak = NO_MEMORY) -> Layer:
    return Layer(name="layer", module=module.double(), leak=leak, fold_R=torch.ones(len(module.weight), dtype=torch.float64))


def test_h_of_a_convolution_is_that_of_the_equivalent_linear_layer() -> None:
    """Spec P4.3 test 7: 3x3 with padding on 2x2 pixels, patches written out by hand, padding rows included."""
    x_TNCHW = draw(3, 2, 1, 2, 2)
    conv = of(layer.Conv2d(1, 1, 3, padding=1, step_mode="m"), Leak(0.5, 0.5))
    rows = []
    z_TNCHW = leaky_sum(x_TNCHW, conv.leak)
    for z_HW in z_TNCHW.flatten(0, 2):
        wide = torch.zeros(4, 4, dtype=torch.float64)
        wide[1:3, 1:3] = z_HW
        rows += [wide[i : i + 3, j : j + 3].flatten() for i in (0, 1) for j in (0, 1)]
    z_BD = torch.stack(rows)
    linear = of(layer.Linear(9, 1, step_mode="m"))
    found = hessians(conv.module, [conv], [x_TNCHW])["layer"]
    assert torch.allclose(found, 2 * z_BD.T @ z_BD / len(z_BD), atol=1e-12)
    assert torch.allclose(found, hessians(linear.module, [linear], [z_BD[None]])["layer"], atol=1e-12)


def test_streams_equal_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spec P4.3 test 6, to 1e-10: over batches of calibration samples and over chunks of patches."""
    x_TNCHW = draw(4, 12, 3, 5, 5)
    conv = of(layer.Conv2d(3, 2, 3, step_mode="m"), Leak(0.75, 0.25))
    whole = hessians(conv.module, [conv], [x_TNCHW])["layer"]
    assert torch.allclose(whole, hessians(conv.module, [conv], x_TNCHW.split(5, 1))["layer"], rtol=0, atol=1e-10)
    monkeypatch.setattr(hessian, "_CHUNK", 1)
    assert torch.allclose(whole, hessians(conv.module, [conv], [x_TNCHW])["layer"], rtol=0, atol=1e-10)
    assert len(list(filtered_rows(x_TNCHW, conv, 12))) == 12


def test_steps_flattened_into_samples_are_found_again() -> None:
    x_TNCHW = draw(4, 3, 2, 5, 5)
    conv = of(layer.Conv2d(2, 2, 3), Leak(0.5, 0.5))
    whole, flat = (torch.cat(list(filtered_rows(x, conv, 3))) for x in (x_TNCHW, x_TNCHW.flatten(0, 1)))
    assert torch.equal(whole, flat)
    with pytest.raises(UserError, match=r"input of shape \[12, 2, 5, 5\] for 5 samples"):
        list(filtered_rows(x_TNCHW.flatten(0, 1), conv, 5))


def test_without_memory_it_is_obc() -> None:
    """Spec P4.3 test 5: M = I and tau -> 1 (keep 0) give E[2 x x^T] bit for bit."""
    x_TNC = torch.bernoulli(torch.full((4, 6, 5), 0.3), generator=torch.Generator().manual_seed(0)).double()
    plain = of(layer.Linear(5, 2, step_mode="m"))
    found = hessians(plain.module, [plain], [x_TNC])["layer"]
    assert torch.equal(found, 2 * (x_TNC.flatten(0, 1).T @ x_TNC.flatten(0, 1)) / 24)
    other = of(layer.Linear(5, 2, step_mode="m"), Leak(0.0, 1.0))
    assert torch.equal(found, hessians(other.module, [other], [x_TNC])["layer"])
    leaky = of(layer.Linear(5, 2, step_mode="m"), Leak(0.5, 1.0))
    assert not torch.equal(found, hessians(leaky.module, [leaky], [x_TNC])["layer"])


def test_a_static_image_gives_h_up_to_a_factor() -> None:
    """One step through the stem, or the same image in each of 4 steps."""
    x_TNC = draw(1, 6, 5)
    stem = of(layer.Linear(5, 2, step_mode="m"), Leak(0.5, 0.5))
    once, always = (hessians(stem.module, [stem], [x])["layer"] for x in (x_TNC, x_TNC.expand(4, 6, 5)))
    assert torch.allclose(once / once[0, 0], always / always[0, 0], atol=1e-12)


def test_damping_by_hand() -> None:
    """Mean of the diagonal (4 + 0 + 2) / 3 = 2, 1 % of it 0.02; the input that was never there gets 1."""
    h_DD = torch.diag(torch.tensor([4.0, 0.0, 2.0], dtype=torch.float64))
    assert damped(h_DD).diagonal().tolist() == pytest.approx([4.02, 1.0, 2.02])
    assert damped(torch.zeros(2, 2, dtype=torch.float64)).tolist() == [[1, 0], [0, 1]]


# --- which layers


def test_layers_of_a_network() -> None:
    """In the order they are run, each with the leak of the neuron behind it; the read-out has none."""
    model = create_model(
        "sew_resnet8", in_channels=2, num_classes=5, image_size=8, time_steps=3, width=4, neuron_args={"tau": 4.0, "decay_input": True}
    ).eval()
    norm = model.blocks[0].branch[0][1]
    nn.init.constant_(norm.weight, 3.0)
    norm.running_var.fill_(4.0)
    found, left = find_layers(model, torch.zeros(3, 1, 2, 8, 8))
    names = [one.name for one in found]
    assert names[0] == "stem_conv.0" and names[-1] == "head" and len(names) == 10 and not left
    assert [one.leak.keep for one in found] == pytest.approx([0.75] * 9 + [0.0])
    first = found[1]
    assert (first.name, first.inputs, first.rows) == ("blocks.0.branch.0.0", 36, 4)
    assert first.fold_R.tolist() == pytest.approx([1.5] * 4, rel=1e-4)
    assert found[-1].fold_R.tolist() == [1.0] * 5
    twin = ann_twin(create_model("sew_resnet8", in_channels=2, num_classes=5, image_size=8, time_steps=3, width=4)).eval()
    assert all(one.leak == NO_MEMORY for one in find_layers(twin, torch.zeros(3, 1, 2, 8, 8))[0])


def test_grouped_convolutions_are_left_dense() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 2, 1), nn.ReLU())
    found, left = find_layers(model, torch.zeros(1, 4, 5, 5))
    assert [one.name for one in found] == ["1"] and left == ["0"]


def test_a_layer_that_is_run_twice_is_left_dense() -> None:
    shared = nn.Linear(3, 3)
    found, left = find_layers(nn.Sequential(shared, nn.ReLU(), nn.Linear(3, 3), shared), torch.zeros(1, 3))
    assert [one.name for one in found] == ["2"] and left == ["0"]
    with pytest.raises(UserError, match="no convolution or linear layer"):
        find_layers(nn.Sequential(nn.ReLU()), torch.zeros(1, 3))


@pytest.mark.parametrize(
    ("name", "arguments", "layers", "left"),
    [
        ("spiking_resnet8", {"width": 4}, 10, 0),
        ("spikingformer_4_256_cml", {"dim": 16, "depth": 1, "heads": 2}, 12, 0),
        ("hsvt_tiny", {"width": 8}, None, None),
        ("ms_resnet18", {"width": 4}, 21, 0),
        ("dta_ms_resnet18", {"width": 4}, 28, 2),
        ("staa_resnet19", {"width": 4}, 61, 0),
        ("glif_resnet18", {"width": 4, "neuron": "glif"}, 21, 0),
        ("sew_7b", {}, 16, 0),
        ("spiking_tcn", {"width": 8}, 4, 0),
    ],
)
def test_every_family_can_be_looked_at(name: str, arguments: dict[str, Any], layers: int | None, left: int | None) -> None:
    """One H for each layer of its own size, whatever the order of axes inside; what is left dense is named."""
    size = 16 if name.startswith("spikingformer") else 32
    model = create_model(name, in_channels=2, num_classes=3, image_size=size, time_steps=2, **arguments).eval()
    x_TNCHW = draw(2, 3, 2, size, size).float()
    found, dense = find_layers(model, x_TNCHW[:, :1])
    if layers is not None:
        assert (len(found), len(dense)) == (layers, left)
    else:  # recurrent cells: their gates are run once a step
        assert dense and all("cell" in one for one in dense)
    h = hessians(model, found, [x_TNCHW])
    assert all(h[one.name].shape == (one.inputs, one.inputs) and (h[one.name].diagonal() >= 0).all() for one in found)
