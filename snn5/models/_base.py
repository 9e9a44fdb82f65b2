"""What every model of the registry can do.

Shapes: T steps, N samples, C x H x W input, K classes. Logits are per step: losses, cutoff and accuracy against T all need them.
"""

from abc import abstractmethod
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from snn5.errors import UserError


class SpikingModel(nn.Module):
    """A network that reads x_TNCHW and answers logits_TNK.

    Attributes:
        time_steps: T, the steps a static image is shown for. 1 for an ANN twin, which sees events averaged over time.
        name, arguments: what `create_model` made it from.
        bin_pixels: side of the blocks of pixels that are summed before the stem; `image_size` is what is left. 1: none.
        causal: False where a step's output depends on later steps; such a model cannot run step by step or leave early.
    """

    bin_pixels: int = 1
    causal: bool = True
    name: str = ""
    arguments: dict[str, Any]

    def __init__(self, *, in_channels: int, num_classes: int, image_size: int, time_steps: int) -> None:
        super().__init__()
        for key, value in {
            "in_channels": in_channels,
            "num_classes": num_classes,
            "image_size": image_size,
            "T (time_steps)": time_steps,
        }.items():
            if value < 1:
                raise UserError(f"{key}={value}; need at least 1")
        self.in_channels, self.num_classes, self.image_size, self.time_steps = in_channels, num_classes, image_size, time_steps
        self.arguments = {}

    @property
    def is_twin(self) -> bool:
        """True for an ANN twin: no neuron keeps state."""
        return self.arguments.get("neuron") == "relu"

    @abstractmethod
    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """The first convolution and its norm: the input current of the first neuron layer."""

    @abstractmethod
    def run(self, current_TNCHW: Tensor) -> Tensor:
        """Everything behind the stem, for any number of steps, carrying neuron state from call to call: -> logits_TNK."""

    def after_initialise(self) -> None:
        """Called after all weights were drawn anew: what the architecture starts from a value of its own (zeros, say)."""

    def encode(self, x_TNCHW: Tensor) -> Tensor:
        """The input current of every step. A static image (one frame, T > 1) passes the stem once and is repeated.

        Raises:
            UserError: the input has another shape, or another number of steps than 1 or T.
        """
        size = self.image_size * self.bin_pixels
        if x_TNCHW.ndim != 5 or tuple(x_TNCHW.shape[2:]) != (self.in_channels, size, size):
            raise UserError(f"input of shape {list(x_TNCHW.shape)}; need [T, N, {self.in_channels}, {size}, {size}]")
        if self.is_twin:
            x_TNCHW = x_TNCHW.mean(0, keepdim=True)
        steps = x_TNCHW.shape[0]
        if steps not in (1, self.time_steps):
            raise UserError(f"input has {steps} steps, the model T={self.time_steps}; give 1 (a static image) or {self.time_steps}")
        if self.bin_pixels > 1:
            x_TNCHW = functional.seq_to_ann_forward(x_TNCHW, lambda x_BCHW: F.avg_pool2d(x_BCHW, self.bin_pixels, divisor_override=1))
        current_TNCHW = self.stem(x_TNCHW)
        if steps < self.time_steps:
            current_TNCHW = _Repeat.apply(current_TNCHW, self.time_steps)
        return current_TNCHW

    def forward(self, x_TNCHW: Tensor, *, reset: bool = True) -> Tensor:
        """Forget the previous batch (unless told not to), then `run(encode(x))`."""
        if reset:
            functional.reset_net(self)
        return self.run(self.encode(x_TNCHW))


class _Repeat(torch.autograd.Function):
    """x[0] in every one of T steps, without a copy. The gradient is the steps' sum, added one by one: torch's own sum over the first axis
    returns another order of memory than channels last, in which the norm behind it (backwards) takes twenty times as long. Reverse mode
    only; in bfloat16 every addition rounds."""

    @staticmethod
    def forward(ctx: Any, x_1N: Tensor, time_steps: int) -> Tensor:
        return x_1N.expand(time_steps, *x_1N.shape[1:])

    @staticmethod
    def backward(ctx: Any, g_TN: Tensor) -> tuple[Tensor, None]:
        return reduce(torch.add, g_TN.unbind(0))[None], None


def predict(logits_TNK: Tensor) -> Tensor:
    """The class with the largest mean logit over the steps: [N]."""
    return logits_TNK.mean(0).argmax(-1)


def initialise(model: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights anew: convolutions Kaiming-normal (fan-out), linear layers normal(0, 0.02), biases 0, norms 1 and 0, neurons and
    modules with parameters of their own by their `reset_parameters(generator)`.

    Source: He et al. 2015, arXiv 1502.01852; the recipe of torchvision's and SEW's ResNets.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02, generator=generator)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm):
            module.reset_parameters()
        elif next(module.parameters(recurse=False), None) is not None and callable(reset := getattr(module, "reset_parameters", None)):
            reset(generator)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(model, SpikingModel):
        model.after_initialise()
