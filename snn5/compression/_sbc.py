"""Spiking Brain Compression (P4.3): one-shot pruning with the Hessian of the membrane, without a gradient step.

    keep    how many weights each layer keeps: LAMP, the same for every method
    mask    `sbc`, `sbc_sequential`: optimal brain surgeon with H of the leaky-filtered input, rows merged by loss times fold_j^2
            `magnitude`: the largest weights
    weights `sbc`: those that stay solve the membrane's least squares under the mask
            `sbc_sequential`: likewise, for the inputs that the pruned layers before give (see _sequential)
            `magnitude`: as they were

For masks (and for the weights of `sbc`) every layer sees the inputs that the ORIGINAL network gives it, so layers are independent of each
other and of their order. H is held for one group of layers at a time, as many as fit in `memory_bytes` / 2 (each group costs one pass over
the calibration samples); the other half holds the rows' inverses. Norms, biases and what neurons learned stay as they are.
Source: Shi, Li, Ward-Cherrier, Spiking Brain Compression, arXiv 2506.03996; expected there: N-MNIST -1.6 points at 97 %.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from snn5.checkpoint import Checkpoint, Transform
from snn5.compression import _nm
from snn5.compression._calibration import batches, count, device_of
from snn5.compression._hessian import damped, hessians
from snn5.compression._lamp import lamp_budgets
from snn5.compression._layers import Layer, find_layers
from snn5.compression._obs import cheapest, compensate, remove_weights, rows_at_once
from snn5.compression._report import PrunedLayer, PruneReport
from snn5.compression._sequential import describe, refit
from snn5.errors import UserError, unknown
from snn5.training import Samples

METHODS = ("sbc", "sbc_sequential", "magnitude")
MEMORY_BYTES = 2**30

Masks = Callable[[Layer, Tensor, Tensor], list[Tensor]]
"""(layer, its weights, its damped H) -> one mask for each result asked for."""


def prune(
    checkpoint: Checkpoint,
    calibration: Samples | Tensor,
    *,
    sparsity: float | None = None,
    pattern: tuple[int, int] | None = None,
    method: str = "sbc",
    memory_bytes: int = MEMORY_BYTES,
    parents: dict[str, str] | None = None,
) -> tuple[Checkpoint, PruneReport]:
    """Prune all convolutions and linear layers of `checkpoint`, to a share of zeros or to N:M.

    Args:
        calibration: training samples (see `calibration_samples`) or x_TNCHW, on the device to work on.
        sparsity: share of the layers' weights that are zero afterwards, in [0, 1). pattern: (N, M) instead, see `_nm`.
        method: one of METHODS. memory_bytes: see above; a layer of d inputs needs 48 d^2 bytes whatever is asked.
        parents: md5 of every artefact it was made from, for the card.

    Raises:
        UserError: neither or both of sparsity and pattern, a value out of its range, a quantised checkpoint, or no samples.
    """
    if (sparsity is None) == (pattern is None):
        raise UserError(f"sparsity={sparsity}, pattern={pattern}; give one of them")
    if pattern is None:
        wanted = [(method, sparsity or 0.0)]
        return prune_many(checkpoint, calibration, wanted, memory_bytes=memory_bytes, parents=parents)[0]
    _nm.check(pattern)
    args = {"method": method, "pattern": list(pattern)}
    return _run(checkpoint, calibration, _block_masks(pattern, method, memory_bytes), [args], memory_bytes, parents)[0]


def prune_many(
    checkpoint: Checkpoint,
    calibration: Samples | Tensor,
    variants: Sequence[tuple[str, float]],
    *,
    memory_bytes: int = MEMORY_BYTES,
    parents: dict[str, str] | None = None,
) -> list[tuple[Checkpoint, PruneReport]]:
    """`prune` for each (method, sparsity) of `variants`, for little more than the price of one: they share H and the order of weights."""
    for _, sparsity in variants:
        if not 0 <= sparsity < 1:
            raise UserError(f"sparsity={sparsity}; need a share of zeros from 0 to below 1")
    total = sum(layer.module.weight.numel() for layer in _layers(checkpoint, calibration))
    keep = [total - round(sparsity * total) for _, sparsity in variants]
    args = [{"method": method, "sparsity": sparsity} for method, sparsity in variants]
    return _to_counts(checkpoint, calibration, keep, args, memory_bytes, parents)


def prune_to(
    checkpoint: Checkpoint,
    calibration: Samples | Tensor,
    *,
    nnz: int,
    method: str = "sbc",
    memory_bytes: int = MEMORY_BYTES,
    parents: dict[str, str] | None = None,
) -> tuple[Checkpoint, PruneReport]:
    """Prune until the network has `nnz` parameters that are not zero, counted as a Measurement's `params_nnz` counts: everything.

    What is not pruned (norms, biases, neurons) counts, too. For a rival with as many parameters: the ReLU twin pruned to the SNN's number.

    Raises:
        UserError: as `prune`; a number that the layers cannot reach.
    """
    layers = _layers(checkpoint, calibration)
    model = checkpoint.build()
    weights = {f"{layer.name}.weight" for layer in layers}
    others = sum(int(p.count_nonzero()) for name, p in model.named_parameters() if name not in weights)
    own = sum(int(layer.module.weight.count_nonzero()) for layer in layers)
    if not len(layers) <= nnz - others <= own:
        raise UserError(
            f"nnz={nnz}; this network has {own} non-zero weights in {len(layers)} layers and {others} other parameters: "
            f"need {others + len(layers)} to {others + own}"
        )
    args = [{"method": method, "nnz": nnz}]
    return _to_counts(checkpoint, calibration, [nnz - others], args, memory_bytes, parents)[0]


def _to_counts(
    checkpoint: Checkpoint,
    calibration: Samples | Tensor,
    keep: Sequence[int],
    args: Sequence[dict[str, Any]],
    memory_bytes: int,
    parents: dict[str, str] | None,
) -> list[tuple[Checkpoint, PruneReport]]:
    weights = {layer.name: layer.matrix() for layer in _layers(checkpoint, calibration)}
    budgets = [lamp_budgets(weights, k) for k in keep]
    return _run(checkpoint, calibration, _count_masks(budgets, [one["method"] for one in args], memory_bytes), args, memory_bytes, parents)


def _run(
    checkpoint: Checkpoint,
    calibration: Samples | Tensor,
    masks: Masks,
    args: Sequence[dict[str, Any]],
    memory_bytes: int,
    parents: dict[str, str] | None,
) -> list[tuple[Checkpoint, PruneReport]]:
    """One result for each of `args`, whose method and targets `masks` has in it."""
    for own in args:
        if own["method"] not in METHODS:
            raise unknown("method", own["method"], METHODS)
    if checkpoint.card.quantisation is not None:
        raise UserError("this checkpoint is quantised; prune it first and quantise it afterwards, or its levels would be lost")
    model = checkpoint.build().to(device_of(calibration))
    layers, left = find_layers(model, next(batches(calibration, 1)))
    states = [dict(checkpoint.state) for _ in args]
    reports: list[list[PrunedLayer]] = [[] for _ in args]
    for group in groups_of(layers, memory_bytes // 2):
        for layer, h_DD in solved(model, group, calibration):
            w_RD = layer.matrix()
            for own, state, report, keep_RD in zip(args, states, reports, masks(layer, w_RD, h_DD), strict=True):
                made_RD = compensate(w_RD, h_DD, keep_RD) if own["method"] == "sbc" else w_RD * keep_RD
                changed_R, power_R = (((w @ h_DD) * w).sum(1) for w in (made_RD - w_RD, w_RD))
                report.append(describe(layer, made_RD, changed_R, power_R))
                old = checkpoint.state[f"{layer.name}.weight"]
                state[f"{layer.name}.weight"] = made_RD.view(old.shape).to(old)
    made = []
    for state, report, own in zip(states, reports, args, strict=True):
        masked = {f"{one.name}.weight" for one in report if one.nonzeros < one.weights}
        transform = Transform(name="prune", args={**own, "samples": count(calibration)}, parents=parents or {})
        card = {"masks": sorted(masked | set(checkpoint.card.masks)), "cutoff": None}  # an early exit's thresholds belong to the old logits
        pruned = Checkpoint(card=checkpoint.after(transform, **card).card, state=state)
        if own["method"] == "sbc_sequential":
            pruned, report = refit(checkpoint, pruned, calibration)
        made.append((pruned, PruneReport(layers=tuple(report), left_dense=tuple(left))))
    return made


def _layers(checkpoint: Checkpoint, calibration: Samples | Tensor) -> list[Layer]:
    return find_layers(checkpoint.build().to(device_of(calibration)), next(batches(calibration, 1)))[0]


def groups_of(layers: Sequence[Layer], memory_bytes: int) -> Iterator[list[Layer]]:
    """Neighbouring layers whose H together fit in `memory_bytes`; one that does not fit at all is a group by itself."""
    group: list[Layer] = []
    for layer in layers:
        if group and sum(8 * other.inputs**2 for other in [*group, layer]) > memory_bytes:
            yield group
            group = []
        group.append(layer)
    yield group


def solved(model: Any, group: Sequence[Layer], calibration: Samples | Tensor) -> Iterator[tuple[Layer, Tensor]]:
    """Each layer of `group` with its damped H, from one pass of the original `model`."""
    found: Mapping[str, Tensor] = hessians(model, group, batches(calibration))
    for layer in group:
        yield layer, damped(found[layer.name])


def _count_masks(budgets: Sequence[Mapping[str, int]], methods: Sequence[str], memory_bytes: int) -> Masks:
    def masks(layer: Layer, w_RD: Tensor, h_DD: Tensor) -> list[Tensor]:
        rank = w_RD.abs().flatten().argsort(stable=True)
        hessian = any(method != "magnitude" for method in methods)
        order_RD, loss_RD = _order(w_RD, h_DD, layer.inputs, memory_bytes // 2) if hessian else (w_RD, w_RD)
        found = []
        for method, budget in zip(methods, budgets, strict=True):
            goes = w_RD.numel() - budget[layer.name]
            if method == "magnitude":
                found.append(torch.ones_like(rank, dtype=torch.bool).scatter(0, rank[:goes], False).view(w_RD.shape))
            else:
                found.append(cheapest(order_RD, loss_RD * layer.fold_R[:, None] ** 2, goes, layer.inputs))
        return found

    return masks


def _block_masks(pattern: tuple[int, int], method: str, memory_bytes: int) -> Masks:
    def masks(layer: Layer, w_RD: Tensor, h_DD: Tensor) -> list[Tensor]:
        group_D, quota_G = _nm.blocks(layer.module, pattern)
        if method == "magnitude":
            return [_nm.smallest_in_blocks(w_RD.abs(), group_D, quota_G)]
        steps = int(quota_G.sum())
        order_RK, _ = _order(w_RD, h_DD, steps, memory_bytes // 2, group_D=group_D, quota_G=quota_G)
        return [torch.ones_like(w_RD, dtype=torch.bool).scatter(1, order_RK, False)]

    return masks


def _order(w_RD: Tensor, h_DD: Tensor, steps: int, memory_bytes: int, **blocks: Tensor) -> tuple[Tensor, Tensor]:
    """The order and losses of all rows, as many rows at a time as fit. What an input that was never there weighs costs nothing."""
    inverse_DD = torch.cholesky_inverse(torch.linalg.cholesky(h_DD))
    dead_D = (h_DD.diagonal() == 1) & (h_DD.count_nonzero(1) == 1)
    rows = rows_at_once(w_RD.shape[1], memory_bytes)
    traces = [remove_weights(part, inverse_DD, steps, **blocks) for part in w_RD.masked_fill(dead_D, 0.0).split(rows)]
    return torch.cat([t.order_RK for t in traces]), torch.cat([t.loss_RK for t in traces])
