"""Synaptic operations: each spike, also of an input, is delivered once over each synapse that its sender has.

Shapes: N samples, C inputs, n neurons; matrices [post, pre].
"""

import torch
from torch import Tensor


def fan_out(weight: Tensor) -> Tensor:
    """Number of synapses of each sender: weights [post, pre] that are not zero, int64 [pre]."""
    return (weight != 0).sum(0)


def synops(inputs_NC: Tensor, spikes_Nn: Tensor, weight_in: Tensor, weight: Tensor) -> Tensor:
    """SynOps of each sample: sum over inputs and neurons of spikes x fan-out, int64 [N].

    A spike of the last steps counts although its delay ends after the window; a gain of 0 leaves no recurrent synapse.

    Args:
        inputs_NC, spikes_Nn: whole counts over the window.
    """
    return (inputs_NC.long() * fan_out(weight_in)).sum(1) + (spikes_Nn.long() * fan_out(weight)).sum(1)


def raster_points(spikes_Tn: Tensor, most: int) -> list[list[int]]:
    """(neuron, step) of one sample's spikes in order of time, of every k-th neuron, k the least that leaves `most` points or fewer."""
    neurons = spikes_Tn.shape[1]
    stride = 1
    while int((spikes_Tn[:, ::stride] != 0).sum()) > most and stride < neurons:
        stride += 1
    step, neuron = (spikes_Tn[:, ::stride] != 0).nonzero(as_tuple=True)
    return torch.stack([neuron * stride, step], dim=1)[:most].tolist()
