"""A model's own `forward`, run on linear forms instead of tensors: what comes out is its populations and their synapses.

Every layer with weights, every pool and every neuron answers by its rule in `RULES`; what stands between them (sums of branches, means,
products of spikes) is plain Python of the model and meets the operators of `Wire`. A wire has no steps and no samples: all steps are alike.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from snn5.errors import NotPortable
from snn5.hardware._form import Form, NotLinear, Shape, Term, convolve, source
from snn5.hardware._unportable import Problem, not_portable, reason_for


@dataclass(frozen=True, kw_only=True)
class Neurons:
    """A population before its numbers are made whole.

        U[t] = keep U[t-1] + X[t]       fires at U >= theta (strict: at U > theta), then U = 0

    Attributes:
        form: X. once: fires at most once.
    """

    name: str
    form: Form
    keep: float
    theta: float
    strict: bool = False
    once: bool = False


@dataclass(kw_only=True)
class Tracer:
    """What has been found so far. here: names of the modules that are running, outermost first."""

    neurons: list[Neurons] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    here: list[str] = field(default_factory=list)
    model: str = "the model"

    def population(self, name: str, form: Form, **numbers: Any) -> "Wire":
        """Add neurons; the wire of their spikes."""
        taken, unique, number = {n.name for n in self.neurons}, name, 2
        while unique in taken:
            unique, number = f"{name}{number}", number + 1
        self.neurons.append(Neurons(name=unique, form=form, **numbers))
        return Wire(source(unique, form.shape), self)

    def gate(self, name: str, form: Form, above: float) -> "Wire":
        """Memoryless neurons that fire where a sum of spikes is more than `above`."""
        return self.population(name, form, keep=0.0, theta=above, strict=True)

    def problem(self, reason: str, nearest: str, shape: Shape, kind: str = "operation") -> "Wire":
        """Note what cannot be ported, and go on with a wire of the right shape, so that the other problems are found, too."""
        name = self.here[-1] if self.here else self.model
        self.problems.append(Problem(layer=name, kind=kind, reason=reason, nearest=nearest))
        return Wire(source("?", shape), self)

    @property
    def place(self) -> str:
        """Name of the running module."""
        return self.here[-1] if self.here and self.here[-1] else "model"


class Wire:
    """An activation of the model while it is traced: a linear form of spikes. `flat`: it was flattened to features."""

    def __init__(self, form: Form, tracer: Tracer, *, flat: bool = False) -> None:
        self.form, self.tracer, self.flat = form, tracer, flat

    def to(self, form: Form) -> "Wire":
        """The same place with another form."""
        return Wire(form, self.tracer, flat=self.flat)

    def __add__(self, other: Any) -> "Wire":
        if isinstance(other, Wire) and other.form.shape == self.form.shape:
            return self.to(self.form + other.form)
        if isinstance(other, int | float):
            return self.to(self.form.scaled(torch.ones_like(self.form.bias), torch.full_like(self.form.bias, float(other))))
        raise self._refused(f"adds {type(other).__name__}")

    __radd__ = __add__

    def __rsub__(self, other: Any) -> "Wire":
        return (-1.0 * self) + other

    def __mul__(self, other: Any) -> "Wire":
        if isinstance(other, Wire):
            return both(self, other)
        if isinstance(other, int | float):
            return self.to(self.form.scaled(torch.full_like(self.form.bias, float(other))))
        raise self._refused(f"multiplies with {type(other).__name__}")

    __rmul__ = __mul__

    def mean(self, dim: Any = None, keepdim: bool = False) -> "Wire":
        """Over the whole image: [T, N, C]."""
        if dim not in ((-2, -1), (3, 4), (-1, -2)):
            raise self._refused(f"takes a mean over {dim}")
        channels, height, width = self.form.shape
        outer = pool(channels, (height, width), 1.0 / (height * width), stride=max(height, width))
        return self.to(convolve(self.form, outer))

    def flatten(self, start: int = 0, end: int = -1) -> "Wire":
        """[T, N, C, H, W] -> [T, N, C H W]."""
        if (start, end) != (2, -1):
            raise self._refused(f"flattens from axis {start} to {end}")
        return Wire(self.form, self.tracer, flat=True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._refused(f"uses .{name}")

    @classmethod
    def __torch_function__(cls, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        wire = next(a for a in (*args, *(kwargs or {}).values()) if isinstance(a, Wire))
        raise wire._refused(f"calls {getattr(function, '__name__', function)}")

    def _refused(self, what: str) -> NotPortable:
        tracer = self.tracer
        nearest = "use layers, sums, products of spikes, pools and the mean over the image"
        problem = Problem(layer=tracer.place, kind="operation", reason=f"its forward {what} of an activation", nearest=nearest)
        return not_portable(tracer.model, [*tracer.problems, problem])


def _refusing(what: str) -> Callable[..., Any]:
    def refuse(wire: Wire, *_others: Any) -> Any:
        raise wire._refused(what)

    return refuse


# Python looks these up on the class, past `__getattr__`.
_SPECIAL = {
    "asks for the length": ("len",),
    "takes a part": ("getitem", "iter", "contains", "setitem"),
    "compares the size": ("eq", "ne", "gt", "ge", "lt", "le"),
    "makes a number": ("float", "int", "round", "abs"),
    "subtracts a number or another one": ("sub", "neg"),
    "divides": ("truediv", "rtruediv", "floordiv", "mod"),
    "takes a power": ("pow", "rpow"),
    "makes a matrix product": ("matmul", "rmatmul"),
    "combines bits": ("and", "or", "xor", "invert"),
}
for _what, _operations in _SPECIAL.items():
    for _operation in _operations:
        setattr(Wire, f"__{_operation}__", _refusing(_what))


def pool(channels: int, window: tuple[int, int], weight: float, *, stride: int, padding: int = 0) -> Term:
    """`weight` times the sum over windows, channel by channel."""
    values = torch.full((channels, 1, *window), weight, dtype=torch.float64)
    step = torch.full((channels,), abs(weight), dtype=torch.float64)
    return Term(source="", weight=values, stride=stride, padding=padding, groups=channels, step=step)


def literal(form: Form) -> bool | None:
    """Whether every channel of a form is one spike of a source (True) or the negation of one (False); None: it is something else."""
    if len(form.terms) != 1:
        return None
    term = form.terms[0]
    weight = term.weight.flatten(1)
    if term.weight[0, 0].numel() != 1 or term.stride != 1 or term.padding or not bool(((weight != 0).sum(1) == 1).all()):
        return None
    for positive, w, b in ((True, 1.0, 0.0), (False, -1.0, 1.0)):
        if bool((weight.sum(1) == w).all()) and bool((form.bias == b).all()):
            return positive
    return None


def both(a: Wire, b: Wire) -> Wire:
    """a AND b, spikes or negated spikes: fires where the sum of both is more than 1."""
    tracer = a.tracer
    if literal(a.form) is None or literal(b.form) is None or a.form.shape != b.form.shape:
        reason = "it multiplies two activations that are not both single spikes of one shape"
        return tracer.problem(reason, "multiply spikes of two neuron layers (an AND)", a.form.shape)
    return tracer.gate(f"{tracer.place}.and", a.form + b.form, 1.0)


Rule = Callable[[Any, Wire, str], Wire]


@contextmanager
def on_wires(model: nn.Module, tracer: Tracer, rule_of: Callable[[nn.Module], Rule | None]) -> Iterator[None]:
    """While it is open, modules that have a rule answer by it, and `tracer.here` says which module runs."""
    handles, replaced = [], []
    for name, module in model.named_modules():
        rule = rule_of(module)
        if rule is not None:
            module.forward = _by_rule(rule, module, name)
            replaced.append(module)
        handles.append(module.register_forward_pre_hook(_enter(tracer, name)))
        handles.append(module.register_forward_hook(_leave(tracer)))
    try:
        yield
    finally:
        for module in replaced:
            del module.forward
        for handle in handles:
            handle.remove()


def _by_rule(rule: Rule, module: nn.Module, name: str) -> Callable[[Wire], Wire]:
    def forward(wire: Wire) -> Wire:
        try:
            return rule(module, wire, name)
        except NotLinear as error:
            raise not_portable(
                wire.tracer.model,
                [
                    *wire.tracer.problems,
                    Problem(layer=name, kind=type(module).__name__, reason=str(error), nearest="put neurons before it"),
                ],
            ) from error

    return forward


def _enter(tracer: Tracer, name: str) -> Callable[..., None]:
    return lambda _module, _inputs: tracer.here.append(name)


def _leave(tracer: Tracer) -> Callable[..., None]:
    def hook(_module: nn.Module, _inputs: object, _output: object) -> None:
        tracer.here.pop()

    return hook


def known_problems(model: nn.Module, rule_of: Callable[[nn.Module], Rule | None]) -> list[Problem]:
    """Every layer that has no rule and either is known not to be portable or has numbers of its own."""
    found = []
    for name, module in model.named_modules():
        kind = type(module).__name__
        if rule_of(module) is not None:
            continue
        reason = reason_for(module)
        own = next(module.named_parameters(recurse=False), None) or next(module.named_buffers(recurse=False), None)
        if reason is None and own is not None:
            reason = f"its own numbers ({own[0]}) have no integer form here", "use layers with weights, norms, pools and neurons"
        if reason is not None:
            found.append(Problem(layer=name, kind=kind, reason=reason[0], nearest=reason[1]))
    return found


def as_double(tensor: Tensor) -> Tensor:
    """Detached, float64."""
    return tensor.detach().double().cpu()
