"""What has to be stored: non-zero parameters, widths, packed bytes."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from snn5.errors import UserError


def params_nnz(model: nn.Module) -> int:
    """Parameters that are not zero."""
    return sum(int(p.count_nonzero()) for p in model.parameters())


def weight_bits(quantisation: Mapping[str, Any] | None, layers: list[str]) -> dict[str, int]:
    """Width of each layer's weights from a checkpoint card's `quantisation` entry.

    Args:
        quantisation: None (32 bits everywhere), or a mapping whose `bits` is one width or widths by layer name.
        layers: names of the layers that have weights; a layer that `bits` lacks has 32.

    Raises:
        UserError: `bits` is missing or names a layer that the model lacks.
    """
    if quantisation is None:
        return dict.fromkeys(layers, 32)
    bits = quantisation.get("bits")
    if isinstance(bits, int):
        return dict.fromkeys(layers, bits)
    if not isinstance(bits, Mapping) or not bits.keys() <= set(layers):
        raise UserError(
            f"quantisation={dict(quantisation)} has no usable `bits`; need one width, or widths by layer name ({', '.join(layers[:3])} ...)"
        )
    return {name: int(bits.get(name, 32)) for name in layers}


def packed_bytes(state: Mapping[str, Tensor], bits: Mapping[str, int]) -> int:
    """Bytes of all parameters and float buffers; a layer's weights at its width, the rest as it is.

    Weights of b bits take the smaller of ceil(n b/8) (dense) and ceil((n + nnz b)/8) (a bit map and the non-zero ones): what
    snn5.compression.pack writes. The steps of a quantised kernel are counted as they are stored (`weight_step`); a state without them is
    given one 32 bit number per output channel.

    Args:
        state: the model's state_dict. bits: width by layer name.
    """
    total = 0
    for name, tensor in state.items():
        width = bits.get(name.removesuffix(".weight")) if name.endswith(".weight") else None
        if not tensor.is_floating_point():
            continue  # counters of batches seen: no inference needs them
        if width is None:
            total += tensor.numel() * tensor.element_size()
            continue
        n, nnz = tensor.numel(), int(tensor.count_nonzero())
        total += math.ceil(min(n * width, n + nnz * width) / 8)
        if width < 32 and name + "_step" not in state:
            total += 4 * len(tensor)
    return total
