"""The other sides of `snn5 bench infer`: a dense network in PyTorch, its int8 form in ONNX Runtime, the spiking one in SpikingJelly."""

import copy
import importlib.util
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import base, functional, neuron
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from snn5.bench._measure import Side
from snn5.neurons import LIF

ORT = ("onnxruntime", "onnx")


def dense(model: nn.Module, x: Tensor) -> dict[str, Side]:
    """The forms in which PyTorch can run a dense network: eager in both layouts, and traced and frozen.

    Args:
        model: in eval mode, float32. x: the one sample, as the model takes it.
    """

    def side(net: Any, given: Tensor) -> Side:
        def once() -> None:
            with torch.inference_mode():
                net(given)

        return once

    last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    flat = x.flatten(0, -4) if x.ndim > 4 else x
    also = (
        flat.contiguous(memory_format=torch.channels_last).reshape(x.shape)
        if x.ndim > 4
        else x.contiguous(memory_format=torch.channels_last)
    )
    sides = {"eager": side(model, x), "eager, channels last": side(last, also)}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # a traced module is said to be out of date; it is still the fastest of the three
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, x)))
        frozen(x)
    sides["frozen"] = side(frozen, x)
    return sides


def ort_missing() -> str | None:
    """Which package of ONNX Runtime is not installed."""
    return next((name for name in ORT if importlib.util.find_spec(name) is None), None)


def ort_int8(model: nn.Module, x: Tensor, samples: Tensor) -> Side:
    """The dense network quantised to int8 (weights by channel, activations by layer, calibrated on `samples`), one thread."""
    import onnxruntime
    from onnxruntime import quantization

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole, small = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        torch.onnx.export(model, (x,), str(whole), input_names=["x"], opset_version=17, dynamo=False)
        quantization.quant_pre_process(str(whole), str(whole), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(whole),
            str(small),
            _Reader(samples.numpy()),
            per_channel=True,
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(small), options, providers=["CPUExecutionProvider"])
    given = {"x": x.numpy()}

    def once() -> None:
        session.run(None, given)

    return once


class _Reader:
    """Samples one by one, as the quantiser asks for them."""

    def __init__(self, samples: np.ndarray) -> None:
        self._left: Iterator[np.ndarray] = iter(samples)

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        """The next one, or None."""
        one = next(self._left, None)
        return None if one is None else {"x": one}


def folded(net: nn.Module) -> nn.Module:
    """The same network, in eval mode, with its batch norms in the convolutions before them, as anyone would deploy it."""
    for part in net.eval().modules():
        if isinstance(part, nn.Sequential):
            for i, (conv, norm) in enumerate(pairwise(list(part))):
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    part[i], part[i + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return net


def with_stock_neurons(model: nn.Module) -> nn.Module:
    """A copy whose LIF neurons, fixed or learned, are SpikingJelly's own; what else spikes stays."""
    net = copy.deepcopy(model)
    for name, module in list(net.named_modules()):
        if isinstance(module, (LIF, neuron.ParametricLIFNode)):
            tau = float(module.tau) if isinstance(module, LIF) else 1 / float(module.w.detach().sigmoid())
            stock = neuron.LIFNode(
                tau=tau, decay_input=module.decay_input, v_threshold=module.v_threshold, v_reset=module.v_reset, step_mode=module.step_mode
            )
            parent, _, own = name.rpartition(".")
            setattr(net.get_submodule(parent), own, stock)
    return net.eval()


def spiking(net: nn.Module, x_TNCHW: Tensor) -> Side:
    """A spiking network in SpikingJelly, all steps in one call."""
    states = [m for m in net.modules() if isinstance(m, base.MemoryModule)]

    def once() -> None:
        for module in states:
            module.reset()
        with torch.inference_mode():
            net(x_TNCHW)

    functional.reset_net(net)
    return once
