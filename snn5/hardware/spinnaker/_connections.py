"""An integer network as simulators of point neurons want it: numbered neurons, lists of single synapses, a delay on each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snn5.errors import UserError
from snn5.hardware._integer_network import INPUT, IntegerNetwork, Synapses

Shape = tuple[int, int, int]
READOUT = "readout"


@dataclass(frozen=True, kw_only=True)
class Connections:
    """Single synapses. pre, post: flat indices (C, H, W order) in source and target; weight: whole numbers, none of them 0; all [S]."""

    pre: NDArray[np.int64]
    post: NDArray[np.int64]
    weight: NDArray[np.int64]


def expand(synapses: Synapses, source: Shape, target: Shape) -> Connections:
    """Every single synapse of a dense or convolutional connection; no ends in the padding, no weights of 0.

    post = (o, y, x), pre = (i, y stride + ky - padding, x stride + kx - padding), weight = w[o, i, ky, kx], as PyTorch correlates.
    """
    w = synapses.weight.astype(np.int64)
    if synapses.kind == "dense":
        post, pre = np.nonzero(w)
        return Connections(pre=pre, post=post, weight=w[post, pre])
    o, i, ky, kx = np.nonzero(w)
    value = w[o, i, ky, kx]
    i = i + o // (w.shape[0] // synapses.groups) * w.shape[1]  # of all source channels, not only of the group's
    _, height, width = target
    y, x = (a.ravel() for a in np.mgrid[:height, :width])
    row = y[None] * synapses.stride + ky[:, None] - synapses.padding
    column = x[None] * synapses.stride + kx[:, None] - synapses.padding
    inside = (row >= 0) & (row < source[1]) & (column >= 0) & (column < source[2])
    pre = (i[:, None] * source[1] + row) * source[2] + column
    post = (o[:, None] * height + y) * width + x
    return Connections(pre=pre[inside], post=post[inside], weight=np.broadcast_to(value[:, None], inside.shape)[inside])


def shapes(network: IntegerNetwork) -> dict[str, Shape]:
    """(C, H, W) of the input, of every population, and of the read-out."""
    own: dict[str, Shape] = {p.name: p.shape for p in network.populations}
    return {INPUT: network.input_shape, **own, READOUT: (len(network.readout.bias), 1, 1)}


def levels(network: IntegerNetwork) -> dict[str, int]:
    """Steps by which a population lags behind the input, where every synapse takes at least one step: its longest path.

    A synapse from level a to level b then needs the delay b - a, so that all that the reference adds up in one step arrives together.

    Raises:
        UserError: a source that does not come before its target.
    """
    found = {INPUT: 0}
    for name, synapses in [*((p.name, p.synapses) for p in network.populations), (READOUT, network.readout.synapses)]:
        for one in synapses:
            if one.source not in found:
                raise UserError(
                    f"{name} gets spikes from {one.source}, which does not come before it; order the populations by their sources"
                )
        found[name] = 1 + max((found[one.source] for one in synapses), default=0)
    return found
