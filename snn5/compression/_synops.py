"""The penalty that is the network's own synaptic operations (P4.1).

    Omega = sum_l sum_i psi_{l,i} s_{l,i}  /  (N T sum_l M_l)         (p = 1)

with s_{l,i} the spikes that reach input i of layer l, psi_{l,i} its true fan-out (fewer at the borders and where weights are pruned, see
snn5.benchmark), M_l the layer's dense MACs per step: Omega is the share of its dense operations that the network does, whatever T, batch
and size (with ADD, whose integers count as that many operations, it can pass 1).
The layer that sees the analogue image is left out: its work does not depend on spikes.
Source: Suetake, Ikegawa, Saiin, Sawada, S3NN / spiking synaptic penalty, arXiv 2302.01500.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from snn5.benchmark import conv_fanout


class SynOpsPenalty:
    """Collects Omega of each forward pass of `model` while `watching`.

    Args:
        model: its stem (the first convolution, `model.stem`) is excluded by name prefix `stem`. A weight that is zero in the first pass
            counts as pruned for good (see keep_zeros).
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._layers = {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d) and not n.startswith("stem")}
        self._fanout: dict[tuple[str, torch.Size], tuple[Tensor, float]] = {}
        self._operations: list[Tensor] = []
        self._dense = 0.0

    @contextmanager
    def watching(self) -> Iterator["SynOpsPenalty"]:
        """Hook the convolutions; unhook at the end. Each pass of the model starts a new count."""
        handles = [self._model.register_forward_pre_hook(self._forget)]
        handles += [m.register_forward_pre_hook(self._hook(n)) for n, m in self._layers.items()]
        try:
            yield self
        finally:
            for handle in handles:
                handle.remove()

    def value(self) -> Tensor:
        """Omega of the last pass, differentiable through the surrogates: scalar."""
        if not self._operations:
            raise RuntimeError("no forward pass yet; call the model inside `watching` first")
        return torch.stack(self._operations).sum() / self._dense

    def _forget(self, _model: nn.Module, _inputs: tuple[Tensor, ...]) -> None:
        self._operations, self._dense = [], 0.0

    def _hook(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def count(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            s = inputs[0]  # [T, N, C, H, W] or, inside the multi-step wrapper, [T N, C, H, W]
            key = (name, s.shape[-3:])
            if key not in self._fanout:
                kept, all_of_it = (layer.weight.detach() != 0).to(layer.weight), torch.ones_like(layer.weight)
                dense = float(conv_fanout(layer, s.shape[-3:], all_of_it).sum())
                self._fanout[key] = conv_fanout(layer, s.shape[-3:], kept).float(), dense  # bfloat16 spikes: it counts to 256 only
            psi_CHW, dense = self._fanout[key]
            self._operations.append((s * psi_CHW).sum())
            self._dense += dense * (s.numel() // psi_CHW.numel())

        return count


@dataclass(frozen=True)
class SynOps:
    """The regulariser whose penalty is Omega."""

    def on(self, model: nn.Module) -> SynOpsPenalty:
        """The penalty on `model`."""
        return SynOpsPenalty(model)
