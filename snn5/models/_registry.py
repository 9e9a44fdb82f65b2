"""Models by name, and the ANN twin of each."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from snn5.errors import UserError, unknown
from snn5.models._airnet import MODELS as AIRNETS
from snn5.models._base import SpikingModel
from snn5.models._dta_resnet import MODELS as DTA_RESNETS
from snn5.models._glif_resnet import MODELS as GLIF_RESNETS
from snn5.models._hsvt import MODELS as HSVTS
from snn5.models._ms_resnet import MODELS as MS_RESNETS
from snn5.models._sew_dvs import MODELS as SEW_DVS_NETS
from snn5.models._sew_resnet import MODELS as SEW_RESNETS
from snn5.models._spiking_mlp import MODELS as SPIKING_MLPS
from snn5.models._spiking_resnet import MODELS as SPIKING_RESNETS
from snn5.models._spiking_ssm import MODELS as SPIKING_SSMS
from snn5.models._spiking_tcn import MODELS as SPIKING_TCNS
from snn5.models._spikingformer import MODELS as SPIKINGFORMERS
from snn5.models._staa_resnet import MODELS as STAA_RESNETS

_MODELS: dict[str, Callable[..., SpikingModel]] = {
    **SEW_RESNETS,
    **SEW_DVS_NETS,
    **SPIKING_RESNETS,
    **SPIKING_MLPS,
    **SPIKINGFORMERS,
    **HSVTS,
    **MS_RESNETS,
    **DTA_RESNETS,
    **STAA_RESNETS,
    **GLIF_RESNETS,
    **SPIKING_SSMS,
    **SPIKING_TCNS,
    **AIRNETS,
}
_SHAPE = ("in_channels", "num_classes", "image_size", "time_steps")


def list_models() -> list[str]:
    """All names that `create_model` takes."""
    return sorted(_MODELS)


def create_model(
    name: str, *, in_channels: int, num_classes: int, image_size: int, time_steps: int, neuron: str = "plif", **overrides: Any
) -> SpikingModel:
    """Make a model by its registered name; weights are drawn from a fixed seed, `initialise` draws others.

    Args:
        name: see `list_models`.
        in_channels, image_size: of the input (C, and H = W in pixels).
        num_classes: K. time_steps: T >= 1.
        neuron: registered neuron, or `relu` for an ANN.
        overrides: arguments of the architecture, e.g. `width=8`; for every model also `bin_pixels=b`: the network sees sums over blocks of
            b x b pixels (what an event camera with larger pixels would count).

    Raises:
        UserError: unknown name or override, or a value below 1.
    """
    if name not in _MODELS:
        raise unknown("model", name, _MODELS)
    build = _MODELS[name]
    fixed = build.keywords if isinstance(build, partial) else {}
    known = [p.name for p in inspect.signature(build).parameters.values() if p.kind is p.KEYWORD_ONLY and p.name not in fixed]
    for key in overrides:
        if key not in (*known, "bin_pixels"):
            raise unknown("argument", key, [*known, "bin_pixels"], f"for model {name!r}")
    shape = dict(zip(_SHAPE, (in_channels, num_classes, image_size, time_steps), strict=True))
    own = {key: value for key, value in overrides.items() if key != "bin_pixels"}
    bin_pixels = overrides.get("bin_pixels", 1)
    if not isinstance(bin_pixels, int) or bin_pixels < 1 or image_size % bin_pixels:
        raise UserError(f"bin_pixels={bin_pixels}; need a whole number that divides image_size={image_size}")
    with torch.random.fork_rng(devices=[]):  # the caller's random state is not ours to use up
        torch.manual_seed(0)
        model = build(neuron=neuron, **{**shape, "image_size": image_size // bin_pixels}, **own)
    model.bin_pixels = bin_pixels
    model.name, model.arguments = name, {**shape, "neuron": neuron, **overrides}
    return model


def ann_twin(model: SpikingModel) -> SpikingModel:
    """The same topology with ReLU for every neuron and T = 1: same weights' shapes, same dense MACs as one step of the SNN.

    Raises:
        UserError: `model` does not come from `create_model`.
    """
    if not model.name:
        raise UserError("ann_twin needs a model made by create_model, which knows what it was made from")
    arguments = {**model.arguments, "neuron": "relu", "time_steps": 1}
    arguments.pop("neuron_args", None)
    if "connect" in arguments:
        arguments["connect"] = "add"  # AND and IAND are logic on spikes; real numbers add
    return create_model(model.name, **arguments)
