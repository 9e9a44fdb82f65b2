"""Each neuron once more, from the published equations alone: plain loops in torch, surrogates by hand."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Slope = Callable[[Tensor], Tensor]

# dS/dx by x = potential - threshold and width a, as published.
SLOPES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "atan": lambda x, a: (a / 2) / (1 + (math.pi / 2 * a * x) ** 2),
    "sigmoid": lambda x, a: a * torch.sigmoid(a * x) * (1 - torch.sigmoid(a * x)),
    "rectangle": lambda x, a: a * (x.abs() < 0.5 / a).to(x.dtype),
    "triangle": lambda x, a: (1 / a - x.abs()).clamp(min=0) * a**2,  # gamma = 1/a
}
WIDTHS = {"atan": 2.0, "sigmoid": 4.0, "rectangle": 1.0, "triangle": 1.0}


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Slope, strict: bool) -> Tensor:
        ctx.slope = slope
        ctx.save_for_backward(x)
        return (x > 0 if strict else x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        return grad * ctx.slope(*ctx.saved_tensors), None, None


def slope_of(surrogate: str, alpha: float | None = None) -> Slope:
    width = WIDTHS[surrogate] if alpha is None else alpha
    return lambda x: SLOPES[surrogate](x, width)


def integrate_and_fire(
    x_TNC: Tensor, charge: Callable[[Tensor, Tensor], Tensor], slope: Slope, *, v_reset: float | None = 0.0, detach: bool = True
) -> Tensor:
    """charge(V, X) -> H; S = H >= 1; V = H (1 - S) + V_r S, or H - S without a V_r."""
    v, spikes = torch.full_like(x_TNC[0], v_reset or 0.0), []
    for x in x_TNC:
        h = charge(v, x)
        s = _Step.apply(h - 1.0, slope, False)
        r = s.detach() if detach else s
        v = h - r if v_reset is None else h * (1 - r) + v_reset * r
        spikes.append(s)
    return torch.stack(spikes)


def glif(node: nn.Module, x_TNC: Tensor, slope: Slope) -> Tensor:
    """The seven symbols are sigmoids of what is learned, per channel; g per step and channel; the reset is not detached."""
    number = {name: getattr(node, f"raw_{name}").sigmoid() for name in ("alpha", "beta", "gamma", "tau", "theta", "leak", "theta_r")}
    a, b, c, tau = (number[name] for name in ("alpha", "beta", "gamma", "tau"))
    g_TC = node.raw_g.sigmoid()
    u = o = torch.zeros_like(x_TNC[0])
    spikes = []
    for x, g in zip(x_TNC, g_TC, strict=True):
        current = x * (1 - b * (1 - g))
        u = (1 - a * (1 - tau)) * u * (1 - c * o) - (1 - a) * number["leak"] + current - (1 - c) * number["theta_r"] * o
        o = _Step.apply(u - number["theta"], slope, True)
        spikes.append(o)
    return torch.stack(spikes)


def latch(node: nn.Module, x_TNC: Tensor, slope: Slope, *, ramp: float, steps: int) -> Tensor:
    """V sums up the current, the threshold melts by `ramp` over the window, one spike at most; no gradient through the latch."""
    v, waiting, spikes = torch.zeros_like(x_TNC[0]), torch.ones_like(x_TNC[0]), []
    for t, x in enumerate(x_TNC):
        v = v + x
        s = _Step.apply(v - (1 - ramp * (t + 1) / steps), slope, True) * waiting
        waiting = waiting * (1 - s.detach())
        spikes.append(s)
    return torch.stack(spikes)


def reference(name: str, node: nn.Module, x_TNC: Tensor, *, surrogate: str, steps: int, detach: bool = True) -> Tensor:
    """The spikes that neuron `name` with default arguments, this surrogate and the parameters of `node` must give."""
    slope = slope_of(surrogate)
    if name in ("lif", "plif"):
        share: Tensor | float = 0.5 if name == "lif" else node.w.sigmoid()
        return integrate_and_fire(x_TNC, lambda v, x: v + (x - v) * share, slope, detach=detach)
    if name == "if":
        return integrate_and_fire(x_TNC, lambda v, x: v + x, slope, detach=detach)
    if name == "adaptive_lif":
        return integrate_and_fire(x_TNC, lambda v, x: node.keep * v + node.gain * x, slope)
    if name in ("glif", "dynamic_glif"):  # which starts with a modulation of zero
        return glif(node, x_TNC, slope)
    if name == "ttfs":
        return latch(node, x_TNC, slope, ramp=1.0, steps=steps)
    raise KeyError(f"neuron {name!r} has no reference in tests/neurons/reference_neurons.py: write its published equations down there")
