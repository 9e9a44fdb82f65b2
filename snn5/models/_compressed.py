"""What compression changes in a model's structure, so that a checkpoint's card is enough to build the model again.

Each change is a function on a live model: norms that were folded into the layer before them go, quantised layers get a buffer for their
steps, a twin's ReLUs get a grid, potentials become whole numbers. `rebuild` makes all of those that a card lists.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from snn5.errors import UserError
from snn5.neurons import MembraneLIF, QuantisedReLU

STEP = "weight_step"  # buffer of a quantised layer: one step per output channel, or one for all


def foldable(model: nn.Module) -> dict[str, str]:
    """Batch norms that stand right behind a convolution or a linear layer in one Sequential: norm's name -> layer's name.

    Behind anything else (a sum, a pool) a norm has no layer to go into; layer norms depend on the sample and never fold.
    """
    found = {}
    for name, sequence in model.named_modules():
        if not isinstance(sequence, nn.Sequential):
            continue
        for (before, layer), (behind, norm) in pairwise(sequence.named_children()):
            if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear) and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
                dot = f"{name}." if name else ""
                found[dot + behind] = dot + before
    return found


def drop_norms(model: nn.Module, norms: Sequence[str]) -> None:
    """Put an identity for each of `norms`, and a bias of zeros into the layer before it where it has none. In place.

    Raises:
        UserError: a name that is no foldable norm of `model`.
    """
    pairs = foldable(model)
    for norm in norms:
        if norm not in pairs:
            raise UserError(
                f"folded={norm!r} is no batch norm behind a layer of {type(model).__name__}; it has {', '.join(pairs) or 'none'}"
            )
        layer = model.get_submodule(pairs[norm])
        if layer.bias is None:
            weight: torch.Tensor = layer.weight
            layer.bias = nn.Parameter(weight.new_zeros(len(weight)))
        model.set_submodule(norm, nn.Identity())


def add_steps(model: nn.Module, layers: Sequence[str], *, per_channel: bool) -> None:
    """Give each of `layers` a buffer `weight_step`, of ones. In place.

    Raises:
        UserError: a name that is no layer with weights.
    """
    for name in layers:
        try:
            weight = model.get_submodule(name).get_parameter("weight")
        except AttributeError as error:
            raise UserError(f"quantised layer {name!r} is no layer with weights of this {type(model).__name__}") from error
        model.get_submodule(name).register_buffer(STEP, weight.new_ones(len(weight) if per_channel else 1))


def quantise_relus(model: nn.Module, bits: int) -> list[str]:
    """Put a QuantisedReLU for every ReLU of a twin and answer their names. In place.

    Raises:
        UserError: bits out of range, or no ReLU there.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, nn.ReLU)]
    if not names:
        raise UserError(f"activation_bits={bits} is for a ReLU twin; {type(model).__name__} has no ReLU (spikes are 1 bit as they are)")
    for name in names:
        model.set_submodule(name, QuantisedReLU(bits))
    return names


def quantise_membranes(model: nn.Module, neurons: Sequence[str], bits: int) -> None:
    """Put a MembraneLIF for each of `neurons`. In place.

    Raises:
        UserError: a name that is no LIF, PLIF or IF with a reset to 0, or bits out of range.
    """
    for name in neurons:
        model.set_submodule(name, MembraneLIF(model.get_submodule(name), bits))


def rebuild(model: nn.Module, folded: Sequence[str], quantisation: Mapping[str, Any] | None) -> None:
    """All changes that a card lists, in place; the weights come afterwards."""
    drop_norms(model, folded)
    quantisation = quantisation or {}
    add_steps(model, list(quantisation.get("steps", {})), per_channel=quantisation.get("scale") != "tensor")
    if "activation_bits" in quantisation:
        quantise_relus(model, int(quantisation["activation_bits"]))
    if "membranes" in quantisation:
        quantise_membranes(model, list(quantisation["membranes"]), int(quantisation["membrane_bits"]))
