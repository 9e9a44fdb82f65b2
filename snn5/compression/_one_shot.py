"""One-shot quantisation (P4.3): a few bits per weight, each rounding made up for by the weights that come after it. No gradient step.

    scale_j = max_i |w_ji| / Q,  Q = 2^(bits - 1) - 1           symmetric, one per row, fixed from the weights before
    for column q = 0, 1, ...:   w'_q = scale clip(round(w_q / scale), -Q, Q)
                                w_k <- w_k - (w_q - w'_q) U_qk / U_qq  for k > q,      U^T U = H^-1, U upper triangular

H is that of the leaky-filtered input (see _hessian), from the original network, as for pruning. Zeros of a pruned network stay zero: they
are on the grid, and no error is passed on to them. Known weakness: what is passed on can push a weight beyond the fixed grid, where it is
clipped. At most 2 Q + 1 levels in a row: 3 at 2 bits, 15 at 4.
Source: Frantar, Ashkboos, Hoefler, Alistarh, GPTQ, ICLR 2023, arXiv 2210.17323; with this H: SBC, arXiv 2506.03996.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from snn5.checkpoint import Checkpoint, Transform
from snn5.compression._calibration import batches, count, device_of
from snn5.compression._layers import find_layers
from snn5.compression._sbc import MEMORY_BYTES, groups_of, solved
from snn5.errors import UserError, unknown
from snn5.training import Samples

QUANTISERS = ("gptq", "nearest")


def quantize_one_shot(
    checkpoint: Checkpoint,
    calibration: Samples | Tensor,
    *,
    bits: int,
    method: str = "gptq",
    keep_float: Sequence[str] = (),
    memory_bytes: int = MEMORY_BYTES,
    parents: dict[str, str] | None = None,
) -> Checkpoint:
    """Put the weights of all convolutions and linear layers on grids of `bits` bits; they are stored as floats on those grids.

    Args:
        calibration: training samples (see `calibration_samples`) or x_TNCHW, on the device to work on.
        bits: 2 to 8. method: `gptq`, or `nearest`: rounding alone, what it is compared with.
        keep_float: names of layers that stay as they are (the stem, the read-out), at 32 bits on the card.
        memory_bytes: as `prune`. parents: md5 of every artefact it was made from, for the card.

    Raises:
        UserError: bits out of range, an unknown method or layer, a quantised checkpoint, or no samples.
    """
    if not 2 <= bits <= 8:
        raise UserError(f"bits={bits}; need 2 to 8")
    if method not in QUANTISERS:
        raise unknown("method", method, QUANTISERS)
    if checkpoint.card.quantisation is not None:
        raise UserError("this checkpoint is quantised already; start from its float parent")
    model = checkpoint.build().to(device_of(calibration))
    layers, _ = find_layers(model, next(batches(calibration, 1)))
    for name in keep_float:
        if name not in {layer.name for layer in layers}:
            raise unknown("layer", name, [layer.name for layer in layers])
    chosen = [layer for layer in layers if layer.name not in keep_float]
    state, widths = dict(checkpoint.state), {}
    for group in groups_of(chosen, memory_bytes // 2):
        for layer, h_DD in solved(model, group, calibration):
            w_RD = layer.matrix()
            made_RD = quantize_rows(w_RD, h_DD if method == "gptq" else None, bits)
            old = checkpoint.state[f"{layer.name}.weight"]
            state[f"{layer.name}.weight"], widths[layer.name] = made_RD.view(old.shape).to(old), bits
    args = {"bits": bits, "method": method, "keep_float": list(keep_float), "samples": count(calibration)}
    quantisation = {"bits": widths, "method": method, "grid": "symmetric, one scale per output"}
    # An early exit's thresholds belong to the old logits.
    after = checkpoint.after(Transform(name="quantize_one_shot", args=args, parents=parents or {}), quantisation=quantisation, cutoff=None)
    return Checkpoint(card=after.card, state=state)


def quantize_rows(w_RD: Tensor, h_DD: Tensor | None, bits: int) -> Tensor:
    """The weights of a layer on their grids.

    Args:
        w_RD: float64. h_DD: damped H, float64; None: rounding to the nearest level alone. bits: 2 to 8.
    """
    top = 2 ** (bits - 1) - 1
    scale_R1 = (w_RD.abs().amax(1, keepdim=True) / top).clamp_min(torch.finfo(torch.float64).tiny)
    if h_DD is None:
        return _nearest(w_RD, scale_R1, top)
    inverse_DD = torch.cholesky_inverse(torch.linalg.cholesky(h_DD))
    u_DD = torch.linalg.cholesky(inverse_DD, upper=True)
    left_RD, made_RD, keep_RD = w_RD.clone(), torch.empty_like(w_RD), w_RD != 0
    for q in range(w_RD.shape[1]):
        made_RD[:, q : q + 1] = _nearest(left_RD[:, q : q + 1], scale_R1, top)
        error_R1 = (left_RD[:, q : q + 1] - made_RD[:, q : q + 1]) / u_DD[q, q]
        left_RD[:, q + 1 :] -= error_R1 * u_DD[q, q + 1 :] * keep_RD[:, q + 1 :]
    return made_RD


def _nearest(w_RD: Tensor, scale_R1: Tensor, top: int) -> Tensor:
    return (w_RD / scale_R1).round().clamp(-top, top) * scale_R1
