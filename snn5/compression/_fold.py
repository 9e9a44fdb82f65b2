"""Batch norms folded into the layer before them: what a norm does in eval mode is a factor and a shift per channel.

    W' = gamma / sqrt(var + eps) W        b' = beta + gamma / sqrt(var + eps) (b - mean)

Computed in float64 and stored as the layer's dtype. The norm's module becomes an identity and the card lists its name (`folded`), so that
`Checkpoint.build` makes the folded model. What the network answers is the same up to rounding, as the padding of a convolution is zeros
before the norm and after.
"""

import torch
from torch import Tensor, nn

from snn5.checkpoint import Checkpoint, Transform
from snn5.models import drop_norms, foldable


def fold_norms(checkpoint: Checkpoint, *, parents: dict[str, str] | None = None) -> Checkpoint:
    """The same network without the batch norms that stand behind a layer; the others stay. Zero weights stay zero.

    A checkpoint without such norms (a folded one) is answered as it is.
    """
    model = checkpoint.build()
    pairs = foldable(model)
    if not pairs:
        return checkpoint
    folded = {norm: folded_weights(model.get_submodule(layer), model.get_submodule(norm)) for norm, layer in pairs.items()}
    drop_norms(model, list(pairs))
    with torch.no_grad():
        for norm, (weight, bias) in folded.items():
            layer = model.get_submodule(pairs[norm])
            layer.get_parameter("weight").copy_(weight)
            layer.get_parameter("bias").copy_(bias)
    return checkpoint.after(Transform(name="fold_norms", parents=parents or {}), model, folded=[*checkpoint.card.folded, *pairs])


@torch.no_grad()
def folded_weights(layer: nn.Module, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """W' and b' of a convolution or linear layer and the batch norm behind it, in float64."""
    weight: Tensor = layer.weight.double()
    bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.double()
    gamma = weight.new_ones(len(weight)) if norm.weight is None else norm.weight.double()
    beta = weight.new_zeros(len(weight)) if norm.bias is None else norm.bias.double()
    factor = gamma / (norm.running_var.double() + norm.eps).sqrt()
    return weight * factor.reshape(-1, *[1] * (weight.ndim - 1)), beta + factor * (bias - norm.running_mean.double())
