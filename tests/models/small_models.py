"""Each registered model, small enough that one pass takes milliseconds, and what all acceptance tests do with them.

A model without an entry in `SMALL` is an error: whoever registers one says here how it is made small, and all acceptance tests hold it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import base
from torch import Tensor, nn

from snn5.models import SpikingModel, create_model, list_models

T, N, C, K = 3, 5, 2, 4


@dataclass(frozen=True, kw_only=True)
class Small:
    """How a model is made small.

    Attributes:
        family: architecture; models of one family differ in size only.
        neuron: the published one. image: H = W in pixels. args: overrides of create_model.
    """

    family: str
    neuron: str
    image: int = 8
    args: dict[str, Any] = field(default_factory=dict)


_WIDTH = {"width": 4}
_FORMER = {"dim": 32, "depth": 2, "heads": 2}
CIFAR_DEPTHS, IMAGENET_DEPTHS = (8, 20, 56, 110), (18, 34, 50, 101, 152)
FORMERS = ("4_256", "2_384", "4_384", "8_384", "8_512", "8_768", "dvs_2_256")

SMALL: dict[str, Small] = {
    **{f"sew_resnet{d}": Small(family="sew_resnet", neuron="if", args=_WIDTH) for d in CIFAR_DEPTHS},
    **{f"sew_resnet{d}": Small(family="sew_resnet", neuron="if", image=32, args=_WIDTH) for d in IMAGENET_DEPTHS},
    **{f"spiking_resnet{d}": Small(family="spiking_resnet", neuron="if", args=_WIDTH) for d in CIFAR_DEPTHS},
    **{f"spiking_resnet{d}": Small(family="spiking_resnet", neuron="if", image=32, args=_WIDTH) for d in IMAGENET_DEPTHS},
    "sew_7b": Small(family="sew_dvs", neuron="plif", args=_WIDTH),
    "sew_wide_7b": Small(family="sew_dvs", neuron="plif", args=_WIDTH),
    **{f"spikingformer_{f}": Small(family="spikingformer", neuron="lif", image=16, args=_FORMER) for f in FORMERS[:3]},
    **{f"spikingformer_{f}": Small(family="spikingformer", neuron="lif", image=48, args=_FORMER) for f in FORMERS[3:]},
    **{f"spikingformer_{f}_cml": Small(family="spikingformer", neuron="lif", image=16, args=_FORMER) for f in FORMERS[:3]},
    **{f"spikingformer_{f}_cml": Small(family="spikingformer", neuron="lif", image=48, args=_FORMER) for f in FORMERS[3:]},
    **{f"spikingformer_{f}_qk": Small(family="spikingformer_qk", neuron="lif", image=16, args=_FORMER) for f in FORMERS[:3]},
    **{f"spikingformer_{f}_qk": Small(family="spikingformer_qk", neuron="lif", image=48, args=_FORMER) for f in FORMERS[3:]},
    **{f"hsvt_{size}": Small(family="hsvt", neuron="plif", image=32, args={"width": 8, "d_head": 4}) for size in ("tiny", "small", "base")},
    "spiking_mlp": Small(family="mlp", neuron="lif", args={"width": 16}),
    "ms_resnet18": Small(family="ms_resnet", neuron="lif", args=_WIDTH),
    "dta_ms_resnet18": Small(family="dta", neuron="lif", args=_WIDTH),
    "staa_resnet19": Small(family="staa", neuron="adaptive_lif", args=_WIDTH),
    "glif_resnet18": Small(family="glif_resnet", neuron="glif", image=16, args=_WIDTH),
    "spiking_ssm": Small(family="spiking_ssm", neuron="lif", args={"width": 8, "d_state": 8, "dt_min": 0.5, "dt_max": 2.0}),
    "spiking_tcn": Small(family="spiking_tcn", neuron="plif", image=4, args={"width": 8, "taps": 2}),
    "spiking_airnet": Small(family="airnet", neuron="lif", image=20, args=_WIDTH),  # 20 pixels pass as 19, 9, 4 and 2
}

# What a family can be switched to, each held to the same properties.
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("sew_resnet8", {"connect": "and"}),
    ("sew_resnet8", {"connect": "iand"}),
    ("sew_7b", {"connect": "iand"}),
    ("sew_7b", {"image": 32}),
    ("spikingformer_4_256", {"heads": 1}),
    ("hsvt_tiny", {"temporal": ("lstm", "lstm", "stfe", "stfe")}),
    ("hsvt_tiny", {"feed_forward": "snn"}),
    ("dta_ms_resnet18", {"dilated_kernel": 3}),
    ("staa_resnet19", {"attention": False}),
    ("spiking_ssm", {"depth": 1}),
    ("spiking_ssm", {"d_state": 2}),
    ("spiking_tcn", {"taps": 3, "dilation": 1}),
    ("spiking_tcn", {"image": 1}),
    ("spiking_airnet", {"shortcut": True}),
    ("spiking_airnet", {"joined": True}),
]


@dataclass(frozen=True)
class Case:
    """A small model to test: a registered name and the overrides."""

    name: str
    small: Small
    variant: str = ""

    @property
    def id(self) -> str:
        return self.name + (f"[{self.variant}]" if self.variant else "")

    def make(self, **changes: Any) -> SpikingModel:
        shape = {"in_channels": C, "num_classes": K, "image_size": self.small.image, "time_steps": T, "neuron": self.small.neuron}
        return create_model(self.name, **{**shape, **self.small.args, **changes})

    def images(self, *, steps: int = T, samples: int = N, seed: int = 0) -> Tensor:
        """Pixels in [0, 2), another picture in each step."""
        shape = (steps, samples, C, self.small.image, self.small.image)
        return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).float()


def small(name: str) -> Small:
    if name not in SMALL:
        pytest.fail(f"model {name!r} has no entry in tests/models/small_models.py: add one, so that the acceptance tests hold it, too")
    return SMALL[name]


def _vary(name: str, changes: dict[str, Any]) -> Case:
    changed = replace(SMALL[name], image=changes.get("image", SMALL[name].image))
    args = {**changed.args, **{key: value for key, value in changes.items() if key != "image"}}
    return Case(name, replace(changed, args=args), ",".join(f"{key}={value}" for key, value in changes.items()))


# A name without an entry fails in `test_every_registered_model_has_a_small_one`.
MODELS = [Case(name, SMALL[name]) for name in list_models() if name in SMALL]
CASES = MODELS + [_vary(name, changes) for name, changes in VARIANTS if name in list_models()]
# Made small, or but for their depth, these are what another name is, too. Tests of what cannot depend on depth leave them out.
REPEATS = {
    *(f"{kind}_resnet{depth}" for kind in ("sew", "spiking") for depth in (34, 56, 101, 110, 152)),
    *(f"spikingformer_{size}{cml}" for size in ("2_384", "4_384", "8_512", "8_768") for cml in ("", "_cml", "_qk")),
    *("hsvt_small", "hsvt_base"),
}
ARCHITECTURES = [case for case in CASES if case.name not in REPEATS]
every_model = pytest.mark.parametrize("case", MODELS, ids=lambda case: case.id)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
every_architecture = pytest.mark.parametrize("case", ARCHITECTURES, ids=lambda case: case.id)


def alive(model: SpikingModel, x_TNCHW: Tensor, seed: int = 0) -> SpikingModel:
    """A network in eval mode as training might leave it: no two channels alike, neurons that fire, statistics of these images.

    Without it a fresh network hides mistakes behind silent layers, gates of zero and layer scales of 1e-5.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(p: Tensor, low: float, high: float) -> None:
        p.copy_(low + (high - low) * torch.rand(p.shape, generator=generator, dtype=torch.float64))

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                draw(module.weight, 1.2, 2.4)
                draw(module.bias, 0.2, 1.0)
                module.momentum = 1.0
            else:
                for p in module.parameters(recurse=False):
                    if p.numel() == 1 or bool((p == p.flatten()[0]).all()):  # still at a constant it starts from
                        p.add_(0.2 * torch.rand(p.shape, generator=generator, dtype=torch.float64))
        model.train()
        model(x_TNCHW)
    return model.eval()


_LIVELY: dict[str, tuple[SpikingModel, Tensor]] = {}


def lively(case: Case) -> tuple[SpikingModel, Tensor]:
    """A living network and the images it lives on, made once: whoever changes it copies it first."""
    if case.id not in _LIVELY:
        x_TNCHW = case.images()
        _LIVELY[case.id] = alive(case.make(), x_TNCHW), x_TNCHW
    return _LIVELY[case.id]


def neurons_of(model: nn.Module) -> dict[str, nn.Module]:
    """Modules that keep a membrane potential."""
    return {name: m for name, m in model.named_modules() if isinstance(m, base.MemoryModule) and "v" in m._memories}


@contextmanager
def firing(model: nn.Module) -> Iterator[dict[str, float]]:
    """While inside, the largest share of spikes of each neuron layer."""
    rates: dict[str, float] = {}
    handles = [
        m.register_forward_hook(lambda _m, _i, s, name=name: rates.__setitem__(name, max(rates.get(name, 0.0), s.mean().item())))
        for name, m in neurons_of(model).items()
    ]
    yield rates
    for handle in handles:
        handle.remove()
