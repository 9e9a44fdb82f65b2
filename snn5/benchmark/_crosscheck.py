"""The same counts from a second implementation, SpikingJelly's dispatch counters, which see tensors and know nothing of layers."""

import torch
from spikingjelly.activation_based.op_counter import DispatchCounterMode, MACCounter, SynOpCounter
from torch import Tensor, nn

from snn5.benchmark._counters import count_operations
from snn5.models import MatMul


def cross_check(model: nn.Module, x_TNCHW: Tensor) -> dict[str, float]:
    """Run one batch under each counter; figures are totals of the batch.

    SpikingJelly counts an operation per spike and weight if a tensor is all 0 and 1, and a dense MAC per product (padding included) if not.
    So its SynOps are compared with our binary layers, and its MACs with the others; spikes that SEW's ADD has summed to 2 or more are MACs
    to it and additions to us, and `integer_acs` says how many. Products of two activations are left out on both sides: SpikingJelly
    calls them additions as soon as one factor is spikes.

    Returns:
        `synops` and `macs_padded`, each with the suffixes `_spikingjelly` and `_difference` (ours minus theirs), and `integer_acs`.
    """
    norms: list[type[nn.Module]] = [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d]
    theirs = SynOpCounter(extra_ignore_modules=[MatMul]), MACCounter(extra_ignore_modules=[*norms, MatMul])
    n = x_TNCHW.shape[1]
    model.eval()
    with torch.no_grad(), DispatchCounterMode(list(theirs)):
        model(x_TNCHW)
    layers = [v for v in count_operations(model, x_TNCHW).layers.values() if v.weights]  # a run of its own: our counter convolves, too
    synops = sum(layer.any_weight for layer in layers if layer.kind == "binary") * n
    padded = sum(layer.padded for layer in layers if layer.kind != "binary") * n
    synops_theirs, padded_theirs = (float(c.get_total()) for c in theirs)
    return {
        "synops": synops,
        "synops_spikingjelly": synops_theirs,
        "synops_difference": synops - synops_theirs,
        "macs_padded": padded,
        "macs_padded_spikingjelly": padded_theirs,
        "macs_padded_difference": padded - padded_theirs,
        "integer_acs": sum(layer.acs for layer in layers if layer.kind == "integer") * n,
    }
