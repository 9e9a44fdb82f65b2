"""Show samples to a liquid, each from silence, and keep what a read-out and the bookkeeping need.

Shapes: T steps, N samples, C inputs, n neurons, p features.
"""

import hashlib
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from snn5.bio._dynamics import State
from snn5.bio._features import Features, window_counts
from snn5.errors import UserError

BATCH = 256  # samples at a time: bounds the memory, changes nothing else


class Pool(Protocol):
    """What can be observed: a `Liquid`, or something that runs one its own way."""

    def simulate(self, x_TNC: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Spikes uint8 [T, N, n], 0 or 1, and the state after them."""
        ...


class Activity(NamedTuple):
    """A liquid's answer to N samples.

    Attributes:
        features_Np: what the read-out sees. spikes_Nn, inputs_NC: counts over the window. steps: T.
        sha256: of all spikes (a bit each) and final states, sample by sample, so that it does not depend on the batches.
    """

    features_Np: Tensor
    spikes_Nn: Tensor
    inputs_NC: Tensor
    steps: int
    sha256: str


def observe(liquid: Pool, x_TNC: Tensor, features: Features, *, batch: int = BATCH) -> Activity:
    """Run each sample from silence; the liquid's own state stays as it is.

    Args:
        x_TNC: spike counts; further axes behind the second count as channels too.
        features: spikes [T, N, n] -> features [N, p].
        batch: samples at a time, >= 1.

    Raises:
        UserError: there are no samples.
    """
    x_TNC = x_TNC.flatten(2)
    if not x_TNC.shape[1]:
        raise UserError("no samples to show to the liquid; the split is empty")
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    total = hashlib.sha256()
    for start in range(0, x_TNC.shape[1], batch):
        part_TNC = x_TNC[:, start : start + batch]
        spikes_TNn, state = liquid.simulate(part_TNC)
        bits_TNb, states = np.packbits(spikes_TNn.numpy(), axis=2), [tensor.contiguous().numpy() for tensor in state[:4]]
        for k in range(part_TNC.shape[1]):
            for value in (bits_TNb[:, k], *(tensor[k] for tensor in states)):
                total.update(value.tobytes())
        seen.append((features(spikes_TNn), window_counts(spikes_TNn), window_counts(part_TNC)))
    columns = [torch.cat(column) for column in zip(*seen, strict=True)]
    return Activity(columns[0], columns[1], columns[2], len(x_TNC), total.hexdigest())


def digest(*values: Tensor) -> str:
    """sha256 over type, shape and bytes of the tensors."""
    total = hashlib.sha256()
    for value in values:
        total.update(f"{value.dtype}{list(value.shape)}".encode() + value.detach().contiguous().numpy().tobytes())
    return total.hexdigest()
