"""From real to whole numbers: a unit u per channel (or layer), in which weights, bias and threshold are counted.

    w = W / u,  |w| <= 2^(bits-1) - 1        b = round(B / u),  |b| <= 4095        threshold: fires at V > 64 threshold

Quantised weights are levels times a step, and u = step / k with the largest whole k that the limits allow: w = k level, exactly. The
threshold compares whole potentials exactly, those that have no fraction from an earlier step (of IF and gates, and of the first step).
Real weights are rounded, and u, free to choose, is such that the threshold is exact:

    theta / u = threshold + 1/64      (the smallest potential that fires)

Limits: Loihi 2's 8 bit weights, its 13 bit bias (exponent 6) and its 17 bit threshold; SpiNNaker's and the event engine's are wider.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from snn5.hardware._form import Form, Term
from snn5.hardware._integer_network import ONE, UNIT, Int, Population, Readout, Synapses
from snn5.hardware._trace_model import Neurons

LARGEST_BIAS, LARGEST_THRESHOLD = 4095, 2**17 - 1
SMALLEST_UNIT = 1e-30
Scale = Literal["channel", "tensor"]


@dataclass(kw_only=True)
class Rounding:
    """How models are made whole. scale: units per channel or per layer. bits: of a weight, 2 to 8.

    Attributes:
        seen: whole weights by what they were made from, so that equal synapses share one array.
    """

    scale: Scale
    bits: int

    def __post_init__(self) -> None:
        self.seen: dict[tuple[int, bytes], tuple[Tensor, np.ndarray]] = {}

    @property
    def largest(self) -> int:
        """The largest weight."""
        return int(2 ** (self.bits - 1)) - 1

    def population(self, neurons: Neurons) -> tuple[Population, bool]:
        """The population, and whether its weights are exact (levels of a quantised layer, or gates)."""
        form, theta = neurons.form, neurons.theta
        gate = neurons.keep == 0 and neurons.strict
        unit = torch.ones_like(form.bias) if gate else self._exact_unit(form, theta)
        exact = unit is not None
        if unit is None:
            unit = self._free_unit(form, theta)
            threshold = (theta / unit - 1 / UNIT).round()
        elif neurons.strict:
            threshold = (theta / unit + 1e-9).floor()
        else:
            threshold = (theta / unit - 1e-9).ceil() - 1
        kind_of = Population(
            name=neurons.name,
            shape=form.shape,
            synapses=self.synapses(form, unit),
            bias=whole(form.bias / unit),
            threshold=whole(threshold.clamp(0, LARGEST_THRESHOLD)),
            decay=round(ONE * (1 - neurons.keep)),
            once=neurons.once,
        )
        return kind_of, exact

    def readout(self, form: Form) -> Readout:
        """One unit for all classes, since their logits are compared."""
        largest = max((float(term.weight.abs().max()) for term in form.terms), default=0.0)
        unit = max(largest / self.largest, SMALLEST_UNIT)
        wide = torch.full_like(form.bias, unit)
        return Readout(synapses=self.synapses(form, wide), bias=whole(form.bias / unit), scale=unit)

    def synapses(self, form: Form, unit: Tensor) -> tuple[Synapses, ...]:
        """The terms in units."""
        return tuple(self._one(term, form, unit) for term in form.terms)

    def _one(self, term: Term, form: Form, unit: Tensor) -> Synapses:
        key = (id(term.weight), unit.numpy().tobytes())
        if key not in self.seen:
            self.seen[key] = term.weight, (term.weight / unit.reshape(-1, 1, 1, 1)).round().to(torch.int32).numpy()
        weight = self.seen[key][1]
        if form.shape[1:] == (1, 1) and term.groups == 1 and term.padding == 0:  # it sees the whole image
            return Synapses(source=term.source, kind="dense", weight=weight.reshape(len(weight), -1))
        return Synapses(source=term.source, kind="conv", weight=weight, stride=term.stride, padding=term.padding, groups=term.groups)

    def _exact_unit(self, form: Form, theta: float) -> Tensor | None:
        """step / k, if all terms share their steps and some k >= 1 is within the limits."""
        steps = [term.step for term in form.terms]
        first = steps[0] if steps else None
        if first is None or any(step is None or not torch.allclose(step, first, rtol=1e-9, atol=0.0) for step in steps):
            return None
        if self.scale == "tensor" and not bool((first == first[0]).all()):
            return None
        largest = self._per_channel([term.weight.abs().flatten(1).amax(1) for term in form.terms]) / first
        bias = self._per_channel([form.bias.abs()]) / first
        most = torch.minimum(self.largest / largest.clamp_min(1), LARGEST_BIAS / bias.clamp_min(1e-9))
        most = torch.minimum(most, LARGEST_THRESHOLD * first / theta).clamp_max(float(self.largest)).add(1e-9).floor()
        return None if bool((most < 1).any()) else first / most

    def _free_unit(self, form: Form, theta: float) -> Tensor:
        """The smallest unit within the limits that makes the threshold exact."""
        largest = self._per_channel([term.weight.abs().flatten(1).amax(1) for term in form.terms])
        bias = self._per_channel([form.bias.abs()])
        least = torch.maximum(largest / self.largest, bias / LARGEST_BIAS).clamp_min(theta / LARGEST_THRESHOLD)
        threshold = (theta / least - 1 / UNIT).floor()
        return torch.where(threshold >= 1, theta / (threshold.clamp_min(1) + 1 / UNIT), least)

    def _per_channel(self, values: list[Tensor]) -> Tensor:
        """The largest of `values` by channel; by layer if the scale is."""
        most = torch.stack(values).amax(0)
        return most if self.scale == "channel" else most.amax().expand_as(most)


def whole(values: Tensor) -> Int:
    """Rounded, int64."""
    return np.asarray(values.round().numpy(), np.int64)
