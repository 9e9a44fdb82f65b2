"""tdBN: batch norm over all steps whose outputs are spread as the neurons behind it need.

    y = w (x - mean) / std + b,     w = V_th / gain at the start, times 1/sqrt(2) for each of two summands of a neuron's current; b = 0

with mean and std over samples, steps and pixels. `gain` is the share of a current that a neuron takes in a step: 1 in the published
networks (u <- tau u + x); 1/tau for neurons with decay_input, which at tau = 2 and V_th = 1 need a current of 2 to fire at once.

Source: Zheng et al., Going Deeper With Directly-Trained Larger Spiking Neural Networks, AAAI 2021, arXiv 2011.05280.
"""

from typing import Any

import torch
from spikingjelly.activation_based import layer
from torch import nn

SUMMAND = 2**-0.5
DECAYING = ("lif", "plif", "adaptive_lif")  # decay_input unless told otherwise
DEFAULT_TAU = 2.0


class ThresholdNorm(layer.BatchNorm2d):
    """Batch norm over samples and steps whose weight starts at `scale`.

    Shape: x_TNCHW -> the same.
    """

    scale: float = 1.0

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__(channels, step_mode="m")
        self.scale = scale
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """As of a batch norm, with weight `scale` for 1."""
        super().reset_parameters()
        self.weight.fill_(self.scale)


def firing_current(neuron: str, neuron_args: dict[str, Any] | None) -> float:
    """V_th / gain at the start, of a neuron by its registered name; 1 for a twin.

    >>> firing_current("glif", None), firing_current("plif", None), firing_current("lif", {"decay_input": False})
    (0.5, 2.0, 1.0)
    """
    arguments = neuron_args or {}
    if neuron == "relu":
        return 1.0
    v_threshold = arguments.get("v_threshold", 0.5 if neuron in ("glif", "dynamic_glif") else 1.0)
    decays = neuron in DECAYING and arguments.get("decay_input", True)
    return float(v_threshold * (arguments.get("tau", DEFAULT_TAU) if decays else 1.0))


def conv_threshold_norm(n_in: int, n_out: int, *, kernel: int, stride: int = 1, scale: float) -> nn.Sequential:
    """A convolution ("same" padding, no bias) and its tdBN."""
    return nn.Sequential(layer.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False, step_mode="m"), ThresholdNorm(n_out, scale))
