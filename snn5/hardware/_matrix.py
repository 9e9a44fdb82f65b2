"""Synapses one by one: the sparse matrix [neurons, source's neurons] of convolutions and dense weights, both sides flattened as C H W."""

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from snn5.hardware._integer_network import Synapses

Shape = tuple[int, int, int]


def matrix(synapses: Synapses, before: Shape, behind: Shape) -> csr_matrix:
    """Every non-zero synapse, int32.

    Args:
        before: shape of the source. behind: of the population.
    """
    weight = synapses.weight
    if synapses.kind == "dense":
        return csr_matrix(weight)
    channels_out, per_group = weight.shape[:2]
    o, i, u, v = (axis.ravel() for axis in np.nonzero(weight))
    values = weight[o, i, u, v]
    source_channel = i + (o // (channels_out // synapses.groups)) * per_group
    y, x = (axis.ravel() for axis in np.indices(behind[1:]))
    rows_in = y[None] * synapses.stride + u[:, None] - synapses.padding
    columns_in = x[None] * synapses.stride + v[:, None] - synapses.padding
    inside = (rows_in >= 0) & (rows_in < before[1]) & (columns_in >= 0) & (columns_in < before[2])
    row = (o[:, None] * behind[1] + y[None]) * behind[2] + x[None]
    column = (source_channel[:, None] * before[1] + rows_in) * before[2] + columns_in
    value = np.broadcast_to(values[:, None], inside.shape)
    size = (int(np.prod(behind)), int(np.prod(before)))
    return coo_matrix((value[inside], (row[inside], column[inside])), shape=size).tocsr().astype(np.int32)
