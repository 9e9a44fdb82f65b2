"""Packed export: the file of a quantised checkpoint with b bits for a b bit weight, and the way back, bit for bit.

A layer's weights are the positions of their levels in the grid, one after the other without gaps, low bit first: ceil(n b / 8) bytes. Where
that is shorter, a map of n bits says which weights are not 0 and only those follow: ceil((n + nnz b) / 8) bytes. Which of the two it is
follows from the length. Steps, biases and the neurons' parameters stand beside as they are.
"""

import json
import math
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

from snn5.checkpoint import Card, Checkpoint, Transform
from snn5.compression._grids import Grid
from snn5.compression._integers import grids_of, levels_of
from snn5.compression._lsq import aligned
from snn5.errors import UserError

PACKED = ".weight_packed"


def pack(checkpoint: Checkpoint) -> bytes:
    """The file's bytes; equal checkpoints give equal bytes.

    Raises:
        UserError: not quantised, or weights off their grid.
    """
    grids = grids_of(checkpoint)
    tensors = {name: value.contiguous() for name, value in checkpoint.state.items()}
    for name, grid in grids.items():
        level = levels_of(checkpoint, name, grid)
        del tensors[f"{name}.weight"]
        tensors[name + PACKED] = _stream(grid, level)
    shapes = {name: list(checkpoint.state[f"{name}.weight"].shape) for name in grids}
    header = json.dumps({"card": asdict(checkpoint.card), "shapes": shapes}, sort_keys=True, allow_nan=False)
    return to_bytes({name: tensors[name] for name in sorted(tensors)}, metadata={"snn5_packed": header})


def unpack(data: bytes) -> Checkpoint:
    """The checkpoint that `pack` was given.

    Raises:
        UserError: `data` is something else.
    """
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["snn5_packed"]
        raw, state = json.loads(header), from_bytes(data)
        card = Card(**{**raw["card"], "transforms": [Transform(**t) for t in raw["card"]["transforms"]]})
        empty = Checkpoint(card=card, state={})
        for name, grid in grids_of(empty).items():
            level = _levels(grid, state.pop(name + PACKED), raw["shapes"][name])
            state[f"{name}.weight"] = level * aligned(state[f"{name}.weight_step"], level)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise UserError(f"these {len(data)} bytes are no packed checkpoint ({error!r}); pass what snn5.compression.pack gave") from error
    return Checkpoint(card=card, state=state)


def _stream(grid: Grid, level: Tensor) -> Tensor:
    """The shorter of the two forms: uint8."""
    codes = grid.codes(level.flatten()).numpy()
    dense = np.packbits(_bits(codes, grid.bits), bitorder="little")
    on = (level.flatten() != 0).numpy()
    if 0.0 not in grid.levels or math.ceil((on.size + on.sum() * grid.bits) / 8) >= dense.size:
        return torch.from_numpy(dense)
    return torch.from_numpy(np.packbits(np.concatenate([on.astype(np.uint8), _bits(codes[on], grid.bits)]), bitorder="little"))


def _levels(grid: Grid, packed: Tensor, shape: list[int]) -> Tensor:
    """The levels that `_stream` wrote, in steps."""
    count = math.prod(shape)
    bits = np.unpackbits(packed.numpy(), bitorder="little")
    levels = np.array(grid.levels, dtype=np.float32)
    if packed.numel() == math.ceil(count * grid.bits / 8):
        found = levels[_codes(bits[: count * grid.bits], grid.bits)]
    else:
        on = bits[:count].astype(bool)
        found = np.zeros(count, dtype=np.float32)
        found[on] = levels[_codes(bits[count : count + int(on.sum()) * grid.bits], grid.bits)]
    return torch.from_numpy(found).reshape(shape)


def _bits(codes: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    return ((codes[:, None] >> np.arange(width)) & 1).astype(np.uint8).reshape(-1)


def _codes(bits: NDArray[np.uint8], width: int) -> NDArray[np.int64]:
    found: NDArray[np.int64] = (bits.reshape(-1, width).astype(np.int64) << np.arange(width)).sum(1)
    return found
