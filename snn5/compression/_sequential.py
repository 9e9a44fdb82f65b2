"""Weights of a pruned network, solved layer after layer for the inputs that the pruned layers before it really give.

    min_w'  mean_B |z'_B w' - z_B w|^2 + lambda |w' - w|^2    over the weights that the mask leaves
    w'_A = (H'_AA + lambda I)^-1 (C w + lambda w)_A,          H' = 2 mean z' z'^T,  C = 2 mean z' z^T

w and z are the original network's weights and leaky-filtered inputs, z' the pruned network's at that layer, all layers before it solved
already; lambda = damping * mean(diag H'). So each layer makes up for what went wrong before it, where plain SBC pretends that nothing did.
No gradient, no epoch: for each layer, both networks are run up to it on the calibration samples. Masks do not change.
Source: the second of the two ways that SBC's layers can be treated (arXiv 2506.03996: from the original's inputs, or sequentially); the
cross moment is the asymmetric least squares of Nagel et al., AdaRound, ICML 2020, arXiv 2004.10568, section 4.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import torch
from torch import Tensor, nn

from snn5.checkpoint import Checkpoint
from snn5.compression._calibration import batches, device_of
from snn5.compression._hessian import damped, filtered_rows, watching
from snn5.compression._layers import Layer, find_layers
from snn5.compression._obs import solve_masked
from snn5.compression._report import PrunedLayer
from snn5.training import Samples


@torch.no_grad()
def refit(original: Checkpoint, pruned: Checkpoint, calibration: Samples | Tensor) -> tuple[Checkpoint, list[PrunedLayer]]:
    """`pruned` with new weights where it has weights, and what each layer's membranes then are.

    Args:
        original: the network it was made from. calibration: the same samples, on the device to work on.
    """
    models = [c.build().to(device_of(calibration)) for c in (pruned, original)]
    example = next(batches(calibration, 1))
    after, before = (find_layers(model, example)[0] for model in models)
    report = []
    for old, new in zip(before, after, strict=True):
        h_DD, c_DD, power_R = _moments(models, old, new, calibration)
        w_RD = old.matrix()
        solved_RD = solve(w_RD, new.matrix() != 0, h_DD, c_DD)
        new.module.weight.copy_(solved_RD.view(new.module.weight.shape))
        changed_R = ((solved_RD @ h_DD) * solved_RD).sum(1) - 2 * ((solved_RD @ c_DD) * w_RD).sum(1) + power_R
        report.append(describe(new, solved_RD, changed_R, power_R))
    state = {name: value.detach().to(pruned.state[name]) for name, value in models[0].state_dict().items()}
    return Checkpoint(card=pruned.card, state=state), report


def solve(w_RD: Tensor, keep_RD: Tensor, h_DD: Tensor, c_DD: Tensor, damping: float = 0.01) -> Tensor:
    """w' of each row.

    Args:
        w_RD: the original's weights. keep_RD: the mask. h_DD, c_DD: H' and C. damping: of H', > 0.
    """
    held_DD = damped(h_DD, damping)
    ridge_DD = held_DD - h_DD  # lambda on the diagonal; 1 for an input that was never there, whose weight so stays as it is
    return solve_masked(w_RD @ (c_DD.T + ridge_DD), held_DD, keep_RD)


def describe(layer: Layer, made_RD: Tensor, changed_R: Tensor, power_R: Tensor) -> PrunedLayer:
    """The report's line on a layer whose weights are `made_RD` now.

    Args:
        changed_R, power_R: second moment of what changed in each row's membrane, and of the membrane itself.
    """
    changed, power = (float((layer.fold_R**2 * moment_R).sum()) for moment_R in (changed_R, power_R))
    error = max(0.0, changed) / power if power > 0 else 0.0
    nonzeros = int(made_RD.count_nonzero())
    return PrunedLayer(name=layer.name, inputs=layer.inputs, weights=made_RD.numel(), nonzeros=nonzeros, error=error)


def _moments(models: Sequence[nn.Module], old: Layer, new: Layer, calibration: Samples | Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """H', C, and 2 mean (z w)^2 of each row of the original."""
    w_RD = old.matrix()
    h_DD, c_DD = (w_RD.new_zeros(old.inputs, old.inputs) for _ in range(2))
    power_R, rows = w_RD.new_zeros(len(w_RD)), 0
    for x_TNCHW in batches(calibration):
        seen: list[Tensor] = []
        for model, layer in zip(models, (new, old), strict=True):
            with watching([layer], partial(_keep, seen)), suppress(_SeenError):
                model(x_TNCHW)
        own, z = (filtered_rows(x, old, x_TNCHW.shape[1]) for x in seen)
        for own_BD, z_BD in zip(own, z, strict=True):
            h_DD.addmm_(own_BD.T, own_BD)
            c_DD.addmm_(own_BD.T, z_BD)
            power_R += ((z_BD @ w_RD.T) ** 2).sum(0)
            rows += len(z_BD)
    return 2 * h_DD / rows, 2 * c_DD / rows, 2 * power_R / rows


class _SeenError(Exception):
    """Ends a pass: nothing behind the layer is needed, and the next pass forgets the states of this one."""


def _keep(seen: list[Tensor], _name: str, x: Tensor) -> None:
    seen.append(x)
    raise _SeenError
