"""Regularisers of activity (P4.1): what a spike costs, each a small object that is laid on a model.

With s_{l,n,i} the spikes of neuron i of layer l on sample n, z = sum_t s its count and r = z / T its rate (spikes per step), the means over
the samples of the batch and the neurons of a layer:

    L1        sum_l,n,i z / (N T sum_l I_l)                                  every neuron counts alike
    MeanRate  sum_l mean(r_l)                                                every layer counts alike
    Bounds    a_low sum_l mean( relu(low - r)^2 )  +  a_up sum_l mean_n( relu(mean_i z - up)^2 )
    Target    sum_l relu(mean(r_l) - target)^2  +  a_floor sum_l relu(floor - mean(r_l))^2
    SynOps    see _synops.py; the energy itself

All are divided by N and the neurons, and all but the upper bound by T, so that a strength means the same for any of them. The gradient goes
through the surrogates: a neuron so far below threshold that its surrogate is flat there gets none, and no lower bound can wake it. What was
asked for is not what comes out: `sparsify` hands back the achieved rates of every layer.
Sources: Bounds: Cramer, Stradmann, Schemmel, Zenke, The Heidelberg Spiking Data Sets, 2022, arXiv 1910.07407.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import base
from torch import Tensor, nn

from snn5.errors import UserError


class SpikePenalty:
    """`of` the spikes of every spiking layer that ran, by its name: s_TN.. , collected while `watching`."""

    def __init__(self, model: nn.Module, of: Callable[[Mapping[str, Tensor]], Tensor]) -> None:
        self._model, self._of = model, of
        self._layers = {name: module for name, module in model.named_modules() if isinstance(module, base.MemoryModule)}
        self._spikes: dict[str, Tensor] = {}

    @contextmanager
    def watching(self) -> Iterator["SpikePenalty"]:
        """Hook the spiking layers; unhook at the end. Each pass of the model starts anew."""
        handles = [self._model.register_forward_pre_hook(self._forget)]
        handles += [module.register_forward_hook(self._hook(name)) for name, module in self._layers.items()]
        try:
            yield self
        finally:
            for handle in handles:
                handle.remove()
            self._spikes = {}

    def value(self) -> Tensor:
        """Of the last pass."""
        if not self._spikes:
            raise RuntimeError("no forward pass yet; call the model inside `watching` first")
        return self._of(self._spikes)

    def _forget(self, _model: nn.Module, _inputs: tuple[Tensor, ...]) -> None:
        self._spikes = {}

    def _hook(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def note(_layer: nn.Module, _inputs: tuple[Tensor, ...], s_TN: Tensor) -> None:
            self._spikes[name] = s_TN

        return note


class _OnSpikes:
    """A regulariser that needs the spikes alone."""

    def of(self, spikes: Mapping[str, Tensor]) -> Tensor:
        """The penalty of s_TN.., by layer: scalar."""
        raise NotImplementedError

    def on(self, model: nn.Module) -> SpikePenalty:
        """The penalty on `model`."""
        return SpikePenalty(model, self.of)


@dataclass(frozen=True)
class L1(_OnSpikes):
    """Spikes per neuron and step over the whole network: 0..1."""

    def of(self, spikes: Mapping[str, Tensor]) -> Tensor:
        """Sum of all spikes over the sum of all neurons, samples and steps."""
        return torch.stack([s.sum() for s in spikes.values()]).sum() / sum(s.numel() for s in spikes.values())


@dataclass(frozen=True)
class MeanRate(_OnSpikes):
    """Sum over layers of their mean rates: 0..number of layers."""

    def of(self, spikes: Mapping[str, Tensor]) -> Tensor:
        """The sum of the layers' means."""
        return torch.stack([s.mean() for s in spikes.values()]).sum()


@dataclass(frozen=True, kw_only=True)
class Bounds(_OnSpikes):
    """Wakes each neuron that is quieter than `low`, quiets each layer that is busier than `up`.

    Attributes:
        low: of a neuron, in spikes per step, 0..1. up: of a layer's mean over its neurons, in spikes per sample (so up to T), >= 0.
        low_weight, up_weight: a_low and a_up, >= 0; 0 leaves that bound out.

    Defaults are the published ones, for hundreds of steps; at T = 4, say, `up` must be far lower to do anything.
    """

    low: float = 0.01
    up: float = 100.0
    low_weight: float = 1.0
    up_weight: float = 0.06

    def __post_init__(self) -> None:
        _check(low=self.low, up=self.up, low_weight=self.low_weight, up_weight=self.up_weight)

    def of(self, spikes: Mapping[str, Tensor]) -> Tensor:
        """a_low sum_l mean( relu(low - r)^2 ) + a_up sum_l mean_n( relu(mean_i z - up)^2 )."""
        quiet = [F.relu(self.low - s_TN.mean(0)).square().mean() for s_TN in spikes.values()]
        busy = [F.relu(s_TN.sum(0).flatten(1).mean(1) - self.up).square().mean() for s_TN in spikes.values()]
        return self.low_weight * torch.stack(quiet).sum() + self.up_weight * torch.stack(busy).sum()


@dataclass(frozen=True, kw_only=True)
class Target(_OnSpikes):
    """A hinge on each layer's mean rate: nothing to pay from `floor` to `target`, the square of the distance outside.

    Attributes:
        target, floor: spikes per neuron and step, 0 <= floor <= target. floor_weight: a_floor, >= 0.
    """

    target: float
    floor: float = 0.0
    floor_weight: float = 1.0

    def __post_init__(self) -> None:
        _check(target=self.target, floor=self.floor, floor_weight=self.floor_weight)
        if self.floor > self.target:
            raise UserError(f"floor={self.floor} above target={self.target}; no rate would be free: lower the floor")

    def of(self, spikes: Mapping[str, Tensor]) -> Tensor:
        """sum_l relu(rate_l - target)^2 + a_floor sum_l relu(floor - rate_l)^2."""
        rate_L = torch.stack([s.mean() for s in spikes.values()])
        return F.relu(rate_L - self.target).square().sum() + self.floor_weight * F.relu(self.floor - rate_L).square().sum()


def _check(**values: float) -> None:
    for name, value in values.items():
        if not value >= 0:
            raise UserError(f"{name}={value} of a regulariser; need a number of at least 0")
