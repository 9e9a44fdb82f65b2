"""What architectures share: a convolution with its norm, products of two activations that the operation counter can see."""

from typing import Any, Protocol

from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.neurons import create_neuron


class MakeNeuron(Protocol):
    """Makes one neuron layer for `channels` channels (axis 2 of [T, N, C, ...])."""

    def __call__(self, channels: int, **extra: Any) -> nn.Module: ...


def neurons_of(neuron: str, time_steps: int, arguments: dict[str, Any] | None) -> MakeNeuron:
    """The maker of one kind of neuron; what the user asks for in `arguments` goes before what an architecture asks for."""

    def make(channels: int, **extra: Any) -> nn.Module:
        return create_neuron(neuron, channels=channels, time_steps=time_steps, **{**extra, **(arguments or {})})

    return make


def conv_norm(n_in: int, n_out: int, *, kernel: int, stride: int = 1, bias: bool = False) -> nn.Sequential:
    """A convolution ("same" padding) and its batch norm, over all steps at once."""
    return nn.Sequential(
        layer.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=bias, step_mode="m"),
        layer.BatchNorm2d(n_out, step_mode="m"),
    )


class MatMul(nn.Module):
    """a b, both of them activations: what attention multiplies. Without parameters; a module so that operations can be counted."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """[..., i, j] and [..., j, k] -> [..., i, k]."""
        return a @ b


class Gate(nn.Module):
    """g * x, element by element with broadcasting, both of them activations. A module so that operations can be counted."""

    def forward(self, gate: Tensor, x: Tensor) -> Tensor:
        """Shapes that broadcast -> the broadcast shape."""
        return gate * x
