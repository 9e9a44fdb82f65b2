"""Exact operation counts of real forward passes (P6.2, P7.3).

A layer is a *spike layer* if every input it saw was a non-negative integer. It then makes additions only: `acs` = sum_i x_i f_i, so
an input of 2 (SEW's ADD sums spikes) costs two additions per non-zero weight, and a count k never costs less than k spikes would. Any
other layer makes one multiplication and addition for each non-zero product: `macs`. The kind is decided over all calls, not call by
call: one sample whose pixels happen to be 0 and 1 does not turn the stem into a spike layer, and figures do not depend on the batch size.

Products of two activations go through snn5.models' MatMul and Gate, which have rules; those of AND and IAND blocks are logic on spikes and
are not counted.

Counted as the model runs it: a static image that passes the stem once is counted once, a sample that left early is counted up to its exit.
Not counted: batch norms (folded into the layer before), biases, pooling, the sum of two spike trains; neuron updates are counted apart.
"""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch
from spikingjelly.activation_based import base
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from snn5.benchmark._rules import Work, rule_of
from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True)
class LayerOperations:
    """One layer's operations, per sample and over all steps that were run.

    Attributes:
        kind: `binary`, `integer` (spike layers) or `float`.
        dense: multiply-accumulates if nothing were zero, without the padding. padded: the same with the padding, as papers count.
        macs, acs: effective operations; one of them is 0.
        any_weight: effective operations if zero weights counted as work (SpikingJelly's rule on binary inputs).
        inputs_nonzero, outputs: elements read that are not zero, and written.
        input_size, output_size: elements at one step. weights: elements of the kernel; 0 for a product of two activations, as in attention.
    """

    kind: str
    dense: float
    padded: float
    macs: float
    acs: float
    any_weight: float
    inputs_nonzero: float
    outputs: float
    input_size: int
    output_size: int
    weights: int


@dataclass(frozen=True, kw_only=True)
class NeuronOperations:
    """One neuron layer, per sample: `updates` (neurons x steps that were run), `spikes`, and `neurons` (elements at one step)."""

    updates: float
    spikes: float
    neurons: int

    @property
    def rate(self) -> float:
        """Spikes per neuron and step."""
        return self.spikes / self.updates


@dataclass(frozen=True, kw_only=True)
class Operations:
    """All layers by name; figures per sample."""

    layers: dict[str, LayerOperations] = field(default_factory=dict)
    neurons: dict[str, NeuronOperations] = field(default_factory=dict)

    def total(self, name: str) -> float:
        """Sum of the attribute `name` of LayerOperations over all layers."""
        return float(sum(getattr(layer, name) for layer in self.layers.values()))

    @property
    def updates(self) -> float:
        """Neuron updates."""
        return sum(n.updates for n in self.neurons.values())

    @property
    def rates(self) -> dict[str, float]:
        """Spikes per neuron and step, by neuron layer."""
        return {name: n.rate for name, n in self.neurons.items()}


def is_neuron(module: nn.Module) -> bool:
    """A module that keeps a membrane potential `v` between steps."""
    return isinstance(module, base.MemoryModule) and "v" in module._memories


class OperationCounter:
    """Counts while it is entered; `operations(samples)` gives the figures per sample. The weights must not change meanwhile.

    Raises:
        UserError: a layer with a weight matrix has no rule.
    """

    def __init__(self, model: nn.Module) -> None:
        self._work: dict[str, Work] = {}
        self._neurons: dict[str, list[int | float]] = {}
        self._handles: list[RemovableHandle] = []
        self._rules = {}
        self._spiking = {}
        for name, module in model.named_modules():
            if is_neuron(module):
                self._spiking[name] = module
            elif (rule := rule_of(module)) is not None:
                self._rules[name] = (module, rule)
            elif any("weight" in n and p.ndim > 1 for n, p in module.named_parameters(recurse=False)):
                raise UserError(f"no counting rule for layer {name!r} ({type(module).__name__}); add one to snn5.benchmark.RULES")

    def __enter__(self) -> "OperationCounter":
        for name in self._rules:
            self._handles.append(self._rules[name][0].register_forward_hook(self._layer_hook(name)))
        for name, module in self._spiking.items():
            self._handles.append(module.register_forward_hook(self._neuron_hook(name)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def operations(self, samples: int) -> Operations:
        """Figures per sample.

        Args:
            samples: samples that were run, >= 1 (samples, not samples x steps).

        Raises:
            UserError: no layer was run.
        """
        if samples < 1 or not self._work:
            raise UserError(f"{len(self._work)} layers ran on {samples} samples; run the model inside `with OperationCounter(model)` first")
        neurons = {
            name: NeuronOperations(updates=u / samples, spikes=s / samples, neurons=int(n)) for name, (u, s, n) in self._neurons.items()
        }
        return Operations(layers={name: _per_sample(work, samples) for name, work in self._work.items()}, neurons=neurons)

    def _layer_hook(self, name: str) -> Any:
        rule = self._rules[name][1]

        @torch.no_grad()
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
            self._work[name] = self._work.get(name, Work()) + rule(module, inputs, out)

        return hook

    def _neuron_hook(self, name: str) -> Any:
        def hook(module: base.MemoryModule, _inputs: tuple[Tensor, ...], s: Tensor) -> None:
            updates, spikes, _ = self._neurons.get(name, [0, 0.0, 0])
            leading = 2 if module.step_mode == "m" else 1
            self._neurons[name] = [updates + s.numel(), spikes + s.sum(dtype=torch.float64).item(), s[(0,) * leading].numel()]

        return hook


def count_operations(model: nn.Module, x_TNCHW: Tensor) -> Operations:
    """Operations of one forward pass, per sample."""
    with torch.no_grad(), OperationCounter(model) as counter:
        model(x_TNCHW)
    return counter.operations(x_TNCHW.shape[1])


def _per_sample(work: Work, samples: int) -> LayerOperations:
    kind = "binary" if work.binary else "integer" if work.integer else "float"
    return LayerOperations(
        kind=kind,
        dense=work.dense / samples,
        padded=work.padded / samples,
        macs=0.0 if work.integer else work.nonzero / samples,
        acs=work.events / samples if work.integer else 0.0,
        any_weight=(work.events_any_weight if work.integer else work.nonzero_any_weight) / samples,
        inputs_nonzero=work.inputs_nonzero / samples,
        outputs=work.outputs / samples,
        input_size=work.input_size,
        output_size=work.output_size,
        weights=work.weights,
    )
