"""Parameter counts to the last one (G5), as published or as the formulas of the published parts give them."""

import pytest
import torch
from small_models import IMAGENET_DEPTHS, Case, every_architecture, neurons_of

from snn5.models import create_model

IMAGENET = {"in_channels": 3, "num_classes": 1000, "image_size": 224, "time_steps": 4}
CIFAR10 = {"in_channels": 3, "num_classes": 10, "image_size": 32, "time_steps": 4}
CIFAR100 = {**CIFAR10, "num_classes": 100}
DVS10 = {"in_channels": 2, "num_classes": 10, "image_size": 128, "time_steps": 16}
DVS11 = {**DVS10, "num_classes": 11}


def count(name: str, **arguments: object) -> int:
    with torch.device("meta"):  # shapes without memory
        return sum(p.numel() for p in create_model(name, **arguments).parameters())


RESNETS = dict(zip(IMAGENET_DEPTHS, (11_689_512, 21_797_672, 25_557_032, 44_549_160, 60_192_808), strict=True))


@pytest.mark.parametrize(("depth", "published"), RESNETS.items())
@pytest.mark.parametrize("kind", ["sew_resnet", "spiking_resnet"])
def test_resnets_are_as_large_as_torchvisions(kind: str, depth: int, published: int) -> None:
    """The baseline has the same convolutions and norms; only the place of the neurons differs."""
    assert count(f"{kind}{depth}", neuron="if", **IMAGENET) == published


@pytest.mark.parametrize(("name", "shape", "published"), [("sew_7b", DVS11, 130_426), ("sew_wide_7b", DVS10, 1_192_218)])
def test_sew_networks_for_event_cameras(name: str, shape: dict[str, int], published: int) -> None:
    assert count(name, neuron="plif", **shape) == published


FORMERS = [
    ("4_256", CIFAR10, 4_152_106),
    ("2_384", CIFAR10, 5_762_746),
    ("4_384", CIFAR10, 9_320_122),
    ("4_384", CIFAR100, 9_354_772),
    ("dvs_2_256", DVS10, 2_566_666),
    ("dvs_2_256", DVS11, 2_566_923),
    ("8_384", IMAGENET, 16_816_024),
    ("8_512", IMAGENET, 29_689_384),
    ("8_768", IMAGENET, 66_338_632),
]


@pytest.mark.parametrize("cml", ["", "_cml"])
@pytest.mark.parametrize(("size", "shape", "published"), FORMERS, ids=[f"{size}-{shape['num_classes']}" for size, shape, _ in FORMERS])
def test_spikingformers(size: str, shape: dict[str, int], published: int, cml: str) -> None:
    """Without the layer norms that the authors' program never uses; moving a pool moves no parameter."""
    assert count(f"spikingformer_{size}{cml}", neuron="lif", **shape) == published


def test_heads_change_no_parameter() -> None:
    assert count("spikingformer_4_384", neuron="lif", heads=8, **CIFAR100) == 9_354_772
    assert count("spikingformer_4_384", neuron="lif", heads=24, **CIFAR100) == 9_354_772


@pytest.mark.parametrize(("time_steps", "published"), [(4, 237_362), (6, 491_246), (10, 1_293_998)])
def test_dta_by_t(time_steps: int, published: int) -> None:
    shape = {**CIFAR10, "time_steps": time_steps}
    backbone = count("ms_resnet18", neuron="lif", **shape)
    assert backbone == 12_502_090
    assert count("dta_ms_resnet18", neuron="lif", **shape) - backbone == published


def test_dta_network() -> None:
    assert count("dta_ms_resnet18", neuron="lif", **{**CIFAR10, "time_steps": 6}) == 12_993_336


@pytest.mark.parametrize(("time_steps", "published"), [(2, 35_136), (4, 42_944), (6, 50_752)])
def test_glif_costs_c_times_7_plus_t(time_steps: int, published: int) -> None:
    shape = {**CIFAR10, "time_steps": time_steps}
    assert count("glif_resnet18", neuron="glif", **shape) - count("glif_resnet18", neuron="lif", **shape) == published


def test_airnet() -> None:
    """Six convolutions with their norms, and the head; the whitening is no parameter."""
    pairs = [(12, 64), (64, 64), (64, 256), (256, 256), (256, 256), (256, 256)]
    wanted = sum(9 * a * b + 2 * b for a, b in pairs) + 256 * 10 + 10
    assert count("spiking_airnet", neuron="lif", **CIFAR10) == wanted == 1_965_578
    assert count("spiking_airnet", neuron="lif", joined=True, **CIFAR10) == wanted - 9 * 12 * 64 + 16 * 3 * 64


@every_architecture
def test_plif_costs_one_number_per_layer(case: Case) -> None:
    """As many as the model has neuron layers; LIF and IF have none."""
    plif, lif, if_ = (case.make(neuron=neuron) for neuron in ("plif", "lif", "if"))
    sizes = [sum(p.numel() for p in model.parameters()) for model in (plif, lif, if_)]
    assert sizes[0] - sizes[1] == len(neurons_of(plif)) > 0 and sizes[1] == sizes[2]


# --- HsVT-SNN5: the published base (RVT) with the project's temporal cells


def rvt_stage(n_in: int, c: int, stride: int) -> int:
    """Down-sampling (kernel 2 s - 1, no bias), layer norm; block attention whose first norm is left out, grid attention."""
    kernel = 2 * (stride - 1) + 1
    attention = (3 * c * c + 3 * c) + (c * c + c) + c  # qkv, projection, layer scale
    mlp = 2 * c + (4 * c * c + 4 * c) + (4 * c * c + c) + c  # norm, two layers, layer scale
    return kernel**2 * n_in * c + 2 * c + 2 * (attention + mlp) + 2 * c


def lstm(c: int) -> int:
    return 8 * c * c + 4 * c


def stfe(c: int) -> int:
    """Two 1x1 convolutions without bias, two norms; PLIF's own number."""
    return 2 * c * c + 4 * c + 1


WIDTHS = {"tiny": 32, "small": 48, "base": 64}


@pytest.mark.parametrize(("size", "width"), WIDTHS.items())
@pytest.mark.parametrize("cells", [("lstm",) * 4, ("stfe",) * 4, ("stfe", "stfe", "stfe", "lstm")], ids="-".join)
def test_hsvt_is_rvt_with_temporal_cells(size: str, width: int, cells: tuple[str, ...]) -> None:
    """GEN1's input has 20 channels."""
    shape = {"in_channels": 20, "num_classes": 11, "image_size": 128, "time_steps": 2}
    channels = [width * 2**stage for stage in range(4)]
    wanted = sum(rvt_stage(n_in, c, s) for n_in, c, s in zip([20, *channels], channels, (4, 2, 2, 2), strict=False))
    wanted += sum({"lstm": lstm, "stfe": stfe}[cell](c) for cell, c in zip(cells, channels, strict=True))
    assert count(f"hsvt_{size}", neuron="plif", temporal=cells, **shape) == wanted + 8 * width * 11 + 11


@pytest.mark.parametrize(("size", "drop_of"), [("tiny", 698_240), ("small", 1_569_600), ("base", 2_789_120)])
def test_hsvt_saves_exactly_the_lstms(size: str, drop_of: int) -> None:
    """0.70 M (tiny) and 2.79 M (base) parameters are the LSTMs': the most that a spiking cell can save."""
    channels = [WIDTHS[size] * 2**stage for stage in range(4)]
    assert sum(map(lstm, channels)) == drop_of
    with_lstm, with_stfe = (count(f"hsvt_{size}", neuron="plif", temporal=(cell,) * 4, **DVS11) for cell in ("lstm", "stfe"))
    assert with_lstm - with_stfe == drop_of - sum(map(stfe, channels))
