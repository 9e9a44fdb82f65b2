"""The rule by which each kind of layer answers a linear form while a model is traced (see `_trace_model`)."""

import math
from typing import Any

import torch
from spikingjelly.activation_based import layer as sj
from torch import Tensor, nn

from snn5.hardware._form import Form, Term, convolve
from snn5.hardware._trace_model import Rule, Wire, as_double, literal, pool
from snn5.models import HeadSpread, HeadSum, OrPool2d
from snn5.neurons import IF, LIF, PLIF, MembraneLIF, TTFSLatch

HARD = "train it with v_reset=0 (a hard reset), or any other number for v_reset"


def _same(_module: Any, wire: Wire, _name: str) -> Wire:
    return wire


def _conv(module: Any, wire: Wire, _name: str) -> Wire:
    stride, padding, kernel = (_one(value) for value in (module.stride, module.padding, module.kernel_size))
    if stride is None or padding is None or kernel is None or _one(module.dilation) != 1 or module.padding_mode != "zeros":
        shape = _odd_shape(module, wire.form)
        return wire.tracer.problem("only square kernels, zeros as padding and no dilation are ported", "use those", shape, "Conv2d")
    outer = Term(source="", weight=as_double(module.weight), stride=stride, padding=padding, groups=module.groups, step=_step(module))
    return wire.to(convolve(wire.form, outer, None if module.bias is None else as_double(module.bias)))


def _linear(module: Any, wire: Wire, _name: str) -> Wire:
    channels, height, width = wire.form.shape
    if height * width > 1 and not wire.flat:
        return wire.tracer.problem(
            "it works along the image's last axis", "flatten before it, or use a 1x1 convolution", (channels, height, module.out_features)
        )
    weight = as_double(module.weight).reshape(-1, channels, height, width)
    outer = Term(source="", weight=weight, stride=max(height, width), step=_step(module))
    answer = convolve(wire.form, outer, None if module.bias is None else as_double(module.bias))
    return Wire(answer, wire.tracer, flat=True)


def _norm(module: Any, wire: Wire, _name: str) -> Wire:
    factor = 1 / torch.sqrt(as_double(module.running_var) + module.eps)
    if module.weight is not None:
        factor = factor * as_double(module.weight)
    if len(factor) != wire.form.shape[0]:
        return wire.tracer.problem("it norms every pixel by itself", "norm channels", wire.form.shape, type(module).__name__)
    shift = -factor * as_double(module.running_mean)
    return wire.to(wire.form.scaled(factor, shift if module.bias is None else shift + as_double(module.bias)))


def _average(module: Any, wire: Wire, _name: str) -> Wire:
    window, stride, padding = _one(module.kernel_size), _one(module.stride), _one(module.padding)
    if window is None or stride is None or padding != 0 or module.ceil_mode:
        return wire.tracer.problem("only square windows without padding are ported", "use padding=0, ceil_mode=False", wire.form.shape)
    share = 1.0 / (module.divisor_override or window**2)
    return wire.to(convolve(wire.form, pool(wire.form.shape[0], (window, window), share, stride=stride)))


def _average_all(module: Any, wire: Wire, _name: str) -> Wire:
    if module.output_size not in (1, (1, 1)):
        return wire.tracer.problem("only the mean over the whole image is ported", "use output_size=1", wire.form.shape)
    return wire.mean((-2, -1))


def _maximum(module: Any, wire: Wire, name: str) -> Wire:
    """The maximum over a window of a sum of n spikes, as n gates: how many of them are anywhere at least 1, 2, ..., n?"""
    window, stride, padding, channels = _one(module.kernel_size), _one(module.stride), _one(module.padding), wire.form.shape[0]
    if window is None or stride is None or padding is None or module.ceil_mode or _one(module.dilation) != 1:
        return wire.tracer.problem(
            "only square windows without dilation and ceil_mode are ported", "use those", wire.form.shape, "MaxPool2d"
        )
    outer = pool(channels, (window, window), 1.0, stride=stride, padding=padding)
    if not _of_spikes(wire.form):
        shape = convolve(Form(terms=(), bias=torch.zeros_like(wire.form.bias), shape=wire.form.shape), outer).shape
        return wire.tracer.problem("it takes the maximum of currents", "pool spikes (an OR): put the neurons before it", shape, "MaxPool2d")
    if len(wire.form.terms) == 1:
        return wire.tracer.gate(name, convolve(wire.form, outer), 0.0)
    pooled: Wire | None = None
    for least in range(len(wire.form.terms)):
        there = wire.tracer.gate(f"{name}.{least + 1}", wire.form, float(least))
        answer = wire.tracer.gate(f"{name}.any{least + 1}", convolve(there.form, outer), 0.0)
        pooled = answer if pooled is None else pooled + answer
    return wire if pooled is None else pooled


def _or(module: OrPool2d, wire: Wire, name: str) -> Wire:
    """Is any spike of the window there? One gate."""
    size, channels = module.size, wire.form.shape[0]
    outer = pool(channels, (size, size), 1.0, stride=size)
    if not _of_spikes(wire.form):
        shape = convolve(Form(terms=(), bias=torch.zeros_like(wire.form.bias), shape=wire.form.shape), outer).shape
        return wire.tracer.problem("it takes the OR of currents", "put the neurons before it", shape, "OrPool2d")
    return wire.tracer.gate(name, convolve(wire.form, outer), 0.0)


def _of_spikes(form: Form) -> bool:
    """A sum of spikes, nothing else."""
    parts = [Form(terms=(term,), bias=torch.zeros_like(form.bias), shape=form.shape) for term in form.terms]
    return not bool((form.bias != 0).any()) and all(literal(part) is not None for part in parts)


def _neuron(module: Any, wire: Wire, name: str) -> Wire:
    """U stands for V / gain, so that the current is weighted with 1: theta / gain is the threshold."""
    if module.v_reset is None:
        return wire.tracer.problem("it subtracts the threshold when it fires (soft reset)", HARD, wire.form.shape, type(module).__name__)
    share = 0.0 if isinstance(module, IF) else float(as_double(module.w).sigmoid()) if isinstance(module, PLIF) else 1 / module.tau
    gain = share if share and module.decay_input else 1.0
    theta = (module.v_threshold - module.v_reset) / gain  # U counts from v_reset, to which the leak goes, too
    return _spikes(wire, name, keep=1 - share, theta=theta)


def _membrane(module: Any, wire: Wire, name: str) -> Wire:
    step = as_double(module.step).item()
    theta = math.ceil(as_double(module.threshold).item() / step) * step
    return _spikes(wire, name, keep=as_double(module.leak).item(), theta=theta)


def _latch(module: Any, wire: Wire, name: str) -> Wire:
    """A threshold that melts by `ramp` over T steps is a potential that climbs as much."""
    climb = module.ramp * module.v_threshold / module.time_steps if module.ramp else 0.0
    return _spikes(wire + climb, name, keep=1.0, theta=module.v_threshold, strict=True, once=True)


def _spikes(wire: Wire, name: str, **numbers: Any) -> Wire:
    return Wire(wire.tracer.population(name, wire.form, **numbers).form, wire.tracer, flat=wire.flat)


def _flatten(module: Any, wire: Wire, _name: str) -> Wire:
    return wire.flatten(2)


def _head_sum(module: Any, wire: Wire, _name: str) -> Wire:
    return wire.to(convolve(wire.form, _ones(module.heads, wire.form.shape[0] // module.heads, module.heads)))


def _head_spread(module: Any, wire: Wire, _name: str) -> Wire:
    heads = wire.form.shape[0]
    return wire.to(convolve(wire.form, _ones(heads * module.each, 1, heads)))


def _ones(outputs: int, inputs: int, groups: int) -> Term:
    """A 1x1 convolution whose weights are all 1."""
    weight, step = torch.ones(outputs, inputs, 1, 1, dtype=torch.float64), torch.ones(outputs, dtype=torch.float64)
    return Term(source="", weight=weight, groups=groups, step=step)


def _one(value: Any) -> int | None:
    """A side given as a number or a pair of equal ones."""
    values = value if isinstance(value, tuple) else (value,)
    return int(values[0]) if all(isinstance(v, int) and v == values[0] for v in values) else None


def _step(module: Any) -> Tensor | None:
    """The step of quantised weights per output channel, if every weight is a whole number of it."""
    step = getattr(module, "weight_step", None)
    if step is None:
        return None
    wide = as_double(step).expand(len(module.weight)) if step.numel() == 1 else as_double(step)
    level = as_double(module.weight) / wide.reshape(-1, *[1] * (module.weight.ndim - 1))
    return wide if bool(((level - level.round()).abs() < 1e-4).all()) else None


def _odd_shape(module: Any, form: Form) -> tuple[int, int, int]:
    blank = torch.zeros(1, *form.shape, dtype=module.weight.dtype)
    with torch.no_grad():
        answer = nn.functional.conv2d(blank, module.weight, None, module.stride, module.padding, module.dilation, module.groups)
    return (int(answer.shape[1]), int(answer.shape[2]), int(answer.shape[3]))


RULES: dict[type[nn.Module], Rule] = {
    nn.Conv2d: _conv,
    nn.Linear: _linear,
    nn.BatchNorm1d: _norm,
    nn.BatchNorm2d: _norm,
    nn.AvgPool2d: _average,
    nn.AdaptiveAvgPool2d: _average_all,
    nn.MaxPool2d: _maximum,
    OrPool2d: _or,
    nn.Identity: _same,
    nn.Dropout: _same,
    nn.Dropout2d: _same,
    sj.Dropout: _same,
    nn.Flatten: _flatten,
    HeadSum: _head_sum,
    HeadSpread: _head_spread,
    LIF: _neuron,
    PLIF: _neuron,
    IF: _neuron,
    MembraneLIF: _membrane,
    TTFSLatch: _latch,
}


def rule_of(module: nn.Module) -> Rule | None:
    """The rule for a module, by its class or the nearest base class that has one."""
    return next((RULES[cls] for cls in type(module).__mro__ if cls in RULES), None)
