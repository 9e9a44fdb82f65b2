"""Linear forms: what a neuron's current is, written out in the spikes that it is made of.

    current[o, y, x] = bias[o] + sum over terms and i, u, v of
                       weight[o, i, u, v] s_source[i, y stride + u - padding, x stride + v - padding]

Convolutions, linear layers, norms, average pools and sums of such forms are such forms again, so whatever stands between two layers of
neurons ends as one form: the neuron's synapses. All in float64.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Term:
    """The part of a form that comes from one source.

    Attributes:
        source: a population's name, or `input`.
        weight: float64 [C_out, C_in / groups, kH, kW]. stride, padding, groups: of the convolution that it is.
        step: [C_out]: every weight of a channel is a whole number of its step; None: real numbers.
        tiles: it cuts the image into blocks without rest (stride = kernel), so that zeros around its output are zeros around its input.
    """

    source: str
    weight: Tensor
    stride: int = 1
    padding: int = 0
    groups: int = 1
    step: Tensor | None = None
    tiles: bool = False

    @property
    def pixelwise(self) -> bool:
        """Whether a channel of the source goes to the same channel, pixel by pixel."""
        return self.groups == len(self.weight) and self.weight[0].numel() == 1 and self.stride == 1 and self.padding == 0


@dataclass(frozen=True, kw_only=True)
class Form:
    """bias [C_out] and terms over an image of `shape`."""

    terms: tuple[Term, ...]
    bias: Tensor
    shape: Shape

    def __add__(self, other: "Form") -> "Form":
        return replace(self, terms=(*self.terms, *other.terms), bias=self.bias + other.bias)

    def scaled(self, factor: Tensor, shift: Tensor | None = None) -> "Form":
        """factor [C] times the form, plus shift [C]."""
        if bool((factor == 1).all()):
            terms = self.terms  # the same tensors, so that equal synapses stay one array
        else:
            wide = factor.reshape(-1, 1, 1, 1)
            terms = tuple(replace(t, weight=t.weight * wide, step=None if t.step is None else t.step * factor.abs()) for t in self.terms)
        bias = self.bias * factor
        return replace(self, terms=terms, bias=bias if shift is None else bias + shift)


def source(name: str, shape: Shape) -> Form:
    """The spikes of a population themselves."""
    ones = torch.ones(shape[0], 1, 1, 1, dtype=torch.float64)
    term = Term(source=name, weight=ones, groups=shape[0], step=torch.ones(shape[0], dtype=torch.float64))
    return Form(terms=(term,), bias=torch.zeros(shape[0], dtype=torch.float64), shape=shape)


def size(pixels: int, kernel: int, stride: int, padding: int) -> int:
    """Side of a convolution's output."""
    return (pixels + 2 * padding - kernel) // stride + 1


class NotLinear(Exception):
    """A convolution whose composition with what is before it is none."""


def convolve(form: Form, outer: Term, bias: Tensor | None = None) -> Form:
    """The convolution `outer` (its source is no matter) of a form.

    Raises:
        NotLinear: padding with zeros of what has a bias, or of convolutions that overlap it.
    """
    _, height, width = form.shape
    if outer.padding and bool((form.bias != 0).any()):
        raise NotLinear("it pads an image whose own bias is not 0, so that pixels at the edge have another bias")
    channels, kernel = len(outer.weight), outer.weight.shape[-2:]
    total = F.conv2d(form.bias[None, :, None, None].expand(1, -1, *kernel), outer.weight, groups=outer.groups).flatten()
    if bias is not None:
        total = total + bias
    terms = tuple(_compose(term, outer, form.shape) for term in form.terms)
    rows, columns = (size(side, outer.weight.shape[axis], outer.stride, outer.padding) for side, axis in ((height, -2), (width, -1)))
    return Form(terms=terms, bias=total, shape=(channels, rows, columns))


def _compose(inner: Term, outer: Term, between: Shape) -> Term:
    if inner.pixelwise:
        tiles = outer.padding == 0 and all(outer.weight.shape[a] == outer.stride and between[a] % outer.stride == 0 for a in (-2, -1))
        return replace(_after_pixelwise(inner, outer), tiles=tiles)
    s1, p1, p2 = inner.stride, inner.padding, outer.padding
    if p2 and not inner.tiles:
        raise NotLinear("it pads the output of another convolution with zeros, and no single convolution does that")
    step = None
    if inner.step is not None and outer.step is not None and bool((inner.step == inner.step[0]).all()):
        step = outer.step * inner.step[0]
    composed = Term(source=inner.source, weight=inner.weight, stride=s1 * outer.stride, padding=p1 + s1 * p2, step=step)
    if inner.groups == len(inner.weight) and outer.groups == 1 and outer.weight[0, 0].numel() == 1:  # a pool before a 1x1 convolution
        return replace(composed, weight=outer.weight * inner.weight.transpose(0, 1))
    w1, w2 = _ungrouped(inner), _ungrouped(outer)
    rows, columns = ((w1.shape[a] + s1 * (w2.shape[a] - 1)) for a in (-2, -1))
    weight = w1.new_zeros(len(w2), w1.shape[1], rows, columns)
    for u in range(w2.shape[-2]):
        for v in range(w2.shape[-1]):
            part = torch.einsum("om,mikl->oikl", w2[:, :, u, v], w1)
            weight[:, :, u * s1 : u * s1 + w1.shape[-2], v * s1 : v * s1 + w1.shape[-1]] += part
    return replace(composed, weight=weight)


def _after_pixelwise(inner: Term, outer: Term) -> Term:
    """The outer convolution with its inputs weighted."""
    factor = inner.weight.flatten()
    first = factor[0]
    if bool((factor == first).all()):
        weight = outer.weight if first == 1 else outer.weight * first
        step = None if outer.step is None else outer.step * first.abs()
        return replace(outer, source=inner.source, weight=weight, step=step)
    per_group = factor.reshape(outer.groups, 1, -1, 1, 1)
    weight = (outer.weight.unflatten(0, (outer.groups, -1)) * per_group).flatten(0, 1)
    return replace(outer, source=inner.source, weight=weight, step=None)


def _ungrouped(term: Term) -> Tensor:
    """The same weights with groups = 1."""
    if term.groups == 1:
        return term.weight
    outputs, inputs = len(term.weight) // term.groups, term.weight.shape[1]
    wide = term.weight.new_zeros(len(term.weight), inputs * term.groups, *term.weight.shape[-2:])
    for g in range(term.groups):
        rows = slice(g * outputs, (g + 1) * outputs)
        wide[rows, g * inputs : (g + 1) * inputs] = term.weight[rows]
    return wide
